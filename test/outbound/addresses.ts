/**
 * Addresses that nobody may lead us to, in the spellings that some parser somewhere takes for them. Made from ranges and a
 * seed, so that a failing one is found again.
 */

/** IPv4 ranges that are not the public Internet (IANA special-purpose registry), and the clouds' metadata. */
export const DENIED_IPV4 = [
  ...["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"],
  ...["192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"],
  ...["203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32"],
  ...["169.254.169.254/32", "100.100.100.200/32", "168.63.129.16/32", "127.0.0.1/32"],
] as const;

/** The first groups of IPv6 ranges that are not the public Internet. */
export const DENIED_IPV6 = [
  ...[
    "::",
    "::1",
    "fe80::",
    "febf:ffff::",
    "fec0::",
    "fc00::",
    "fd00::",
    "fd00:ec2::254",
    "ff00::",
    "ff02::1",
  ],
  ...["100::", "2001:2::", "2001:10::", "2001:db8::", "64:ff9b:1::", "4000::", "8000::", "e000::"],
] as const;

/** First, last and some in between. */
export function addressesIn(cidr: string, some: number, next: () => number): readonly string[] {
  const [base = "", bits = "32"] = cidr.split("/");
  const first = base.split(".").reduce((whole, part) => whole * 256 + Number(part), 0);
  const size = 2 ** (32 - Number(bits));
  const offsets = [0, size - 1, ...Array.from({ length: some }, () => next() % size)];
  return [...new Set(offsets)].map((offset) => dotted(first + offset));
}

const dotted = (whole: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(whole / 2 ** shift) % 256).join(".");

/** One IPv4 address in every spelling that some parser somewhere takes for it. */
export function spellingsOf(address: string): string[] {
  const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
  const whole = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
  const hex = (n: number) => `0x${n.toString(16)}`;
  const octal = (n: number) => `0${n.toString(8)}`;
  const group = (n: number) => n.toString(16);
  const high = group(whole >>> 16);
  const low = group(whole & 0xffff);
  const digits = (first: number) =>
    address.replace(/\d/g, (digit) => String.fromCodePoint(first + Number(digit)));
  const obfuscated = [high, low].map((part) => group(0xffff - Number.parseInt(part, 16))).join(":");
  return [
    address,
    `${address}.`,
    `${address}..`,
    [a, b, c, d].map(hex).join("."),
    [a, b, c, d].map(octal).join("."),
    [hex(a), octal(b), c, d].join("."),
    [`0000${octal(a)}`, b, c, d].join("."),
    [hex(a).toUpperCase().replace("X", "x"), b, c, hex(d)].join("."),
    [a, b, c, d].map((part) => `0x000000${part.toString(16)}`).join("."),
    `${a}.${whole & 0xffffff}`,
    `${a}.${b}.${whole & 0xffff}`,
    `${hex(a)}.${hex(whole & 0xffffff)}`,
    `${octal(a)}.${octal(b)}.${octal(whole & 0xffff)}`,
    String(whole),
    hex(whole),
    octal(whole),
    `0x00000000${whole.toString(16)}`,
    String(whole + 2 ** 32),
    [a + 256, b, c, d].join("."),
    digits(0xff10),
    digits(0x1d7d8),
    digits(0x2460 - 1),
    address.replaceAll(".", "。"),
    address.replaceAll(".", "．"),
    address.replaceAll(".", "%2e"),
    encodeURIComponent(address).replace(/\d/g, (digit) => `%3${digit}`),
    `${address}%00.cloudimanage.com`,
    `${address}\\.cloudimanage.com`,
    `${address}\t`,
    `[::ffff:${address}]`,
    `[::ffff:${high}:${low}]`,
    `[0:0:0:0:0:ffff:${high}:${low}]`,
    `[::FFFF:${high}:${low}]`,
    `[::ffff:${address}%25lo]`,
    `[::${address}]`,
    `[::${high}:${low}]`,
    `[64:ff9b::${address}]`,
    `[64:ff9b::${high}:${low}]`,
    `[64:ff9b:1::${high}:${low}]`,
    `[2002:${high}:${low}::]`,
    `[2002:${high}:${low}::1]`,
    `[2001:0:${high}:${low}::1]`,
    `[2001:0:4136:e378:8000:63bf:${obfuscated}]`,
    `[::ffff:0:${high}:${low}]`,
    `[fe80::5efe:${high}:${low}]`,
    `[fec0::${high}:${low}]`,
    `user@${address}`,
    `cloudimanage.com@${address}`,
    `${address}#@cloudimanage.com`,
    `${address}?@cloudimanage.com`,
  ];
}

/** IPv6 addresses of a range, each long, short, in capitals, with zeros and with a zone. */
export function spellingsOfIpv6(base: string, some: number, next: () => number): readonly string[] {
  const groups = expand(base);
  const free = groups.findLastIndex((group) => group !== 0) + 1;
  const addresses = [
    groups,
    ...Array.from({ length: some }, () =>
      groups.map((group, at) => (at < free || at < 4 ? group : next() & 0xffff)),
    ),
  ];
  return addresses.flatMap((parts) => {
    const plain = parts.map((part) => part.toString(16)).join(":");
    const padded = parts.map((part) => part.toString(16).padStart(4, "0")).join(":");
    const short = plain.replace(/(^|:)0(:0)+(:|$)/, "::");
    return [
      `[${plain}]`,
      `[${padded}]`,
      `[${short}]`,
      `[${short.toUpperCase()}]`,
      `[${short}%25eth0]`,
      `[${short}%eth0]`,
    ];
  });
}

function expand(text: string): number[] {
  const [head = "", tail = ""] = text.split("::");
  const numbers = (part: string) =>
    part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
  const [left, right] = [numbers(head), numbers(tail)];
  return [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right];
}
