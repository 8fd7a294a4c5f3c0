import ipaddr from "ipaddr.js";

/** Where this process may send something. Given at construction by the operator, never by an organisation (T14). */
export interface EgressRules {
  /** Exact origins on loopback that may be reached, http allowed: the simulator. Nothing else on loopback ever is. */
  readonly loopbackOrigins: readonly string[];
  readonly ports: readonly number[];
  /** CIDR ranges of private addresses (RFC 1918, RFC 4193, RFC 6598) behind which on-premises servers stand. */
  readonly privateRanges: readonly string[];
}

export type EgressRefusal =
  | "url_malformed"
  | "url_scheme"
  | "url_userinfo"
  | "url_fragment"
  | "url_port"
  | "address_denied";

export type UrlVerdict =
  | { readonly allowed: true; readonly url: URL; readonly loopback: boolean }
  | { readonly allowed: false; readonly because: EgressRefusal };

const DEFAULT_PORTS = [443, 8443];

/** Checked once, at construction: an exception that says more than one origin on loopback is refused. */
export function egressRules(rules: Partial<EgressRules> = {}): EgressRules {
  const loopbackOrigins = rules.loopbackOrigins ?? [];
  for (const origin of loopbackOrigins) {
    const url = URL.canParse(origin) ? new URL(origin) : undefined;
    if (url?.origin !== origin || !LOOPBACK_NAMES.test(url.hostname))
      throw new RangeError(`not the exact origin of a loopback address: ${origin}`);
  }
  for (const range of rules.privateRanges ?? []) {
    if (!ipaddr.isValidCIDR(range)) throw new RangeError(`not a CIDR range: ${range}`);
  }
  return {
    loopbackOrigins,
    ports: [...DEFAULT_PORTS, ...(rules.ports ?? [])],
    privateRanges: rules.privateRanges ?? [],
  };
}

/**
 * May this URL be asked at all? The WHATWG parser has already undone every other spelling of an IPv4 address
 * (`0x7f.1`, `2130706433`, full-width digits), and IP literals are checked here because no look-up is made for them.
 */
export function decideUrl(text: string, rules: EgressRules): UrlVerdict {
  if (!URL.canParse(text)) return { allowed: false, because: "url_malformed" };
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") return { allowed: false, because: "url_userinfo" };
  if (url.hash !== "") return { allowed: false, because: "url_fragment" };

  if (rules.loopbackOrigins.includes(url.origin)) return { allowed: true, url, loopback: true };

  if (url.protocol !== "https:") return { allowed: false, because: "url_scheme" };
  if (!rules.ports.includes(url.port === "" ? 443 : Number(url.port)))
    return { allowed: false, because: "url_port" };
  const literal = url.hostname.replace(/^\[|\]$/g, "");
  if (DENIED_NAMES.test(literal) || (ipaddr.isValid(literal) && !decideAddress(literal, rules, false)))
    return { allowed: false, because: "address_denied" };
  return { allowed: true, url, loopback: false };
}

/**
 * May a socket be connected to this address? Only to the public Internet and to the operator's private ranges; an origin
 * that is a loopback exception, to loopback alone.
 */
export function decideAddress(text: string, rules: EgressRules, loopback: boolean): boolean {
  // A zone id (`fe80::1%eth0`) belongs to link-local addresses only.
  if (text.includes("%") || !ipaddr.isValid(text)) return false;
  const address = ipaddr.parse(text);
  const range = address.range();
  if (loopback) return range === "loopback";
  if (METADATA.some((cidr) => isWithin(address, cidr))) return false;
  if (PRIVATE.has(range)) return rules.privateRanges.some((cidr) => isWithin(address, cidr));
  // IPv6 beyond 2000::/3 is not routed, and what hides IPv4 inside (mapped, compatible, NAT64, 6to4, Teredo) has a range of its own.
  return range === "unicast" && (address.kind() === "ipv4" || isWithin(address, "2000::/3"));
}

/**
 * Names that mean this machine (RFC 6761 §6.3, hosts files) or a cloud's instance metadata, whatever they resolve to: behind
 * a proxy nobody here sees the address.
 */
const DENIED_NAMES =
  /^((.+\.)?localhost|(.+\.)?localdomain|ip6-localhost|ip6-loopback|instance-data(\.ec2\.internal)?|metadata(\.(google|azure)\.internal|\.goog|\.tencentyun\.com|\.packet\.net)?)\.?$/;

const LOOPBACK_NAMES = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;
const PRIVATE: ReadonlySet<string> = new Set(["private", "uniqueLocal", "carrierGradeNat"]);

/** Instance metadata that a range above would let through: AWS (IPv6), Alibaba, Azure. No exception lifts these. */
const METADATA = ["fd00:ec2::/32", "100.100.100.200/32", "168.63.129.16/32"];

function isWithin(address: ipaddr.IPv4 | ipaddr.IPv6, cidr: string): boolean {
  const [base, bits] = ipaddr.parseCIDR(cidr);
  return address.kind() === base.kind() && address.match(base, bits);
}
