import { inflateRawSync } from "node:zlib";

export interface ZipEntry {
  readonly name: string;
  readonly content: Buffer;
  readonly method: number;
  /** As the format has it: date and time, local to nobody. */
  readonly dosTime: number;
}

/**
 * Reads a zip by its central directory (PKWARE APPNOTE 4.3), sharing no code with whoever wrote it. Holds it against itself on
 * the way: local headers say the same as the directory, checksums are right, nothing lies between or behind.
 */
export function unzip(bytes: Uint8Array): readonly ZipEntry[] {
  const zip = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = zip.length - 22;
  demand(zip.readUInt32LE(end) === 0x06054b50, "ends with its end record, without a comment");
  const count = zip.readUInt16LE(end + 10);
  const size = zip.readUInt32LE(end + 12);
  const start = zip.readUInt32LE(end + 16);
  demand(start + size === end, "has nothing between directory and end");
  const entries: ZipEntry[] = [];
  let at = start;
  let expected = 0;
  for (let i = 0; i < count; i++) {
    demand(zip.readUInt32LE(at) === 0x02014b50, "has a directory entry");
    const method = zip.readUInt16LE(at + 10);
    const dosTime = zip.readUInt32LE(at + 12);
    const crc = zip.readUInt32LE(at + 16);
    const packed = zip.readUInt32LE(at + 20);
    const unpacked = zip.readUInt32LE(at + 24);
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((o) => zip.readUInt16LE(at + o)) as [
      number,
      number,
      number,
    ];
    const local = zip.readUInt32LE(at + 42);
    const name = zip.subarray(at + 46, at + 46 + nameLength).toString("utf8");
    demand(local === expected, "has its files one after the other");
    demand(zip.readUInt32LE(local) === 0x04034b50, "has a local header");
    const data = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
    demand(
      zip.subarray(local + 30, local + 30 + nameLength).toString("utf8") === name,
      "has one name a file",
    );
    const raw = zip.subarray(data, data + packed);
    const content = method === 0 ? Buffer.from(raw) : inflateRawSync(raw);
    demand(content.length === unpacked, "has the size it says");
    demand(crc32(content) === crc, "has the checksum it says");
    entries.push({ name, content, method, dosTime });
    expected = data + packed;
    at += 46 + nameLength + extraLength + commentLength;
  }
  demand(at === end && expected === start, "has nothing else in it");
  return entries;
}

function demand(is: boolean, what: string): void {
  if (!is) throw new Error(`not a zip that ${what}`);
}

function crc32(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return ~crc >>> 0;
}
