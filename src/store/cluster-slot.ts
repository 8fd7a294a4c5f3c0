const SLOTS = 16_384;

/** Where a cluster has a key: CRC-16 (XMODEM) of its hash tag, or of all of it. */
export function slotOf(key: string): number {
  const begin = key.indexOf("{");
  const end = begin < 0 ? -1 : key.indexOf("}", begin + 1);
  let crc = 0;
  for (const byte of Buffer.from(end > begin + 1 ? key.slice(begin + 1, end) : key)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc & 0x8000) !== 0 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  return crc % SLOTS;
}
