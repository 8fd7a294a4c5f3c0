/** Ranges of addresses from which a client may call: CIDR (RFC 4632, RFC 4291 §2.3). Pure, and small enough to be read. */
export interface Network {
  readonly family: 4 | 6;
  readonly base: bigint;
  readonly prefix: number;
}

interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
}

const BITS = { 4: 32, 6: 128 } as const;
/** `::ffff:0:0/96`: an IPv4 address as a dual-stack socket tells it (RFC 4291 §2.5.5.2). */
const MAPPED = 0xffffn;

/** `10.0.0.0/8`, `2001:db8::/32`, or one address alone. A mapped range is its IPv4 range. @throws RangeError with words that continue the range to a sentence */
export function parseNetwork(text: string): Network {
  const [before, after, ...more] = text.split("/");
  const address = more.length === 0 ? parseDigits(before ?? "") : undefined;
  if (address === undefined) throw new RangeError("is neither an address nor a range like 10.20.0.0/16");
  const bits = BITS[address.family];
  if (after !== undefined && !/^(0|[1-9]\d{0,2})$/.test(after))
    throw new RangeError(`ends in no prefix of 0 to ${bits}`);
  const prefix = after === undefined ? bits : Number(after);
  if (prefix > bits) throw new RangeError(`ends in no prefix of 0 to ${bits}`);
  const base = masked(address.value, bits, prefix);
  if (base !== address.value) {
    throw new RangeError(
      "has bits set behind its prefix: name the range by its first address, or one address without /",
    );
  }
  return address.family === 6 && prefix >= 96 && address.value >> 32n === MAPPED
    ? { family: 4, base: address.value & 0xffff_ffffn, prefix: prefix - 96 }
    : { family: address.family, base, prefix };
}

/** Whether the address lies in one of them. What is no address lies in none. */
export function isInside(networks: readonly string[], text: string): boolean {
  const address = parseAddress(text);
  if (address === undefined) return false;
  return parsed(networks).some(
    ({ family, base, prefix }) =>
      family === address.family && masked(address.value, BITS[family], prefix) === base,
  );
}

const masked = (value: bigint, bits: number, prefix: number): bigint => {
  const host = BigInt(bits - prefix);
  return (value >> host) << host;
};

/** A policy's list is parsed once. What cannot be read lets nobody in: a stored list was read before it was stored. */
const known = new WeakMap<readonly string[], readonly Network[]>();
function parsed(networks: readonly string[]): readonly Network[] {
  const before = known.get(networks);
  if (before !== undefined) return before;
  const read = networks.flatMap((text) => {
    try {
      return [parseNetwork(text)];
    } catch {
      return [];
    }
  });
  known.set(networks, read);
  return read;
}

/** An address as a socket tells it: a zone is no part of it, and a mapped one is IPv4. */
function parseAddress(text: string): Address | undefined {
  const address = parseDigits(text.split("%", 1)[0] ?? "");
  return address?.family === 6 && address.value >> 32n === MAPPED
    ? { family: 4, value: address.value & 0xffff_ffffn }
    : address;
}

function parseDigits(text: string): Address | undefined {
  if (!text.includes(":")) {
    const value = parseIPv4(text);
    return value === undefined ? undefined : { family: 4, value };
  }
  const value = parseIPv6(text);
  return value === undefined ? undefined : { family: 6, value };
}

/** Four decimal numbers without leading zeros: what others read as octal is no address here. */
function parseIPv4(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255))
    return;
  return parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

/** RFC 4291 §2.2: eight groups, one run of them left out at `::`, the last two perhaps as IPv4. */
function parseIPv6(text: string): bigint | undefined {
  const lastColon = text.lastIndexOf(":");
  const tail = text.slice(lastColon + 1);
  if (tail.includes(".")) {
    const low = parseIPv4(tail);
    if (low === undefined) return;
    const groups = `${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
    return parseIPv6(`${text.slice(0, lastColon + 1)}${groups}`);
  }
  const halves = text.split("::");
  if (halves.length > 2) return;
  const [head = [], rest = []] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - head.length - rest.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return;
  const groups = [...head, ...Array<string>(halves.length === 1 ? 0 : missing).fill("0"), ...rest];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return;
  return groups.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}
