import type { Judged } from "./diagnosis-finding.ts";
import type { CertificateSeen, ConnectionSeen, DiscoverySeen, TlsSeen } from "./diagnosis-seen.ts";
import { days, type Instant, minutes, seconds } from "./instant.ts";

/** Below it, OAuth is not there (facts page, C). */
export const VERSION_MIN = "10.2";
/** Certificates are replaced in about this time where somebody is told. */
const ENDS_SOON_MS = days(30);
/** The `Date` header has whole seconds, and an answer takes its time. */
const CLOCK_TOLERANCE_MS = seconds(90);

/** Was the name found? */
export function judgeDns(seen: ConnectionSeen): Judged {
  const { host, addresses, ended } = seen;
  if (ended === "url") return { cause: "dns.skipped" };
  if (seen.proxied) return { cause: "dns.by_proxy", facts: { host } };
  if (ended === "dns") return { cause: "dns.not_found", facts: { host } };
  const mark = [...addresses].sort().join(", ");
  return addresses.length === 1 && addresses[0] === host
    ? { cause: "dns.literal", facts: { host } }
    : { cause: "dns.resolved", facts: { host, addresses: mark }, mark };
}

/** May it be connected to, by the operator's rules? */
export function judgeEgress(seen: ConnectionSeen): Judged {
  const { ended, failure = "", denied, addresses } = seen;
  if (ended === "url") return { cause: "egress.url", facts: { reason: failure } };
  if (ended === "dns") return { cause: "egress.skipped" };
  if (ended === "egress")
    return {
      cause: "egress.address",
      facts: { denied: (denied.length > 0 ? denied : addresses).join(", ") },
    };
  return { cause: "egress.allowed" };
}

/**
 * Does anything answer there, and from which address do we come?
 * @param outgoing what the operator says iManage sees of us; empty: only the socket's own address is known
 */
export function judgeReach(seen: ConnectionSeen, outgoing: readonly string[]): Judged {
  const { ended, failure, host, port, localAddress = "", connectMs = 0 } = seen;
  if (ended === "url" || ended === "dns" || ended === "egress") return { cause: "reach.skipped" };
  const facts = { host, port, local: localAddress, outgoing: outgoing.join(", "), reason: failure ?? "" };
  if (ended === "connect") {
    if (failure === "proxy_failed" || failure === "proxy_refused") return { cause: "reach.proxy", facts };
    if (failure === "connection_refused") return { cause: "reach.refused", facts };
    return { cause: failure === "connect_timeout" ? "reach.timeout" : "reach.failed", facts };
  }
  return { cause: "reach.connected", facts: { ...facts, elapsed_ms: Math.round(connectMs) } };
}

/** Is its certificate one that we can believe? Where not, which certificate is missing. */
export function judgeTls(seen: ConnectionSeen, now: Instant): Judged {
  const { ended, tls, failure = "", host } = seen;
  if (ended !== "tls" && ended !== "open") return { cause: "tls.skipped" };
  if (tls === undefined)
    return ended === "open" ? { cause: "tls.plain" } : { cause: "tls.handshake", facts: { reason: failure } };
  const own = tls.chain[0];
  const mark = own?.fingerprint;
  const marked = mark === undefined ? {} : { mark };
  if (ended === "open") {
    if (own !== undefined && own.validTo - now < ENDS_SOON_MS)
      return { cause: "tls.ends_soon", facts: factsOf(own, tls), ...marked };
    return {
      cause: "tls.trusted",
      facts: own === undefined ? { protocol: tls.protocol ?? "TLS" } : factsOf(own, tls),
      ...marked,
    };
  }
  if (own === undefined) return { cause: "tls.handshake", facts: { reason: failure } };
  const facts = { ...factsOf(own, tls), host };
  switch (failure) {
    case "tls_expired":
      return { cause: "tls.expired", facts, ...marked };
    case "tls_wrong_host":
      return { cause: "tls.wrong_host", facts, ...marked };
    case "tls_untrusted":
      return { ...untrusted(tls.chain, facts), ...marked };
    default:
      return { cause: "tls.handshake", facts: { reason: failure } };
  }
}

/** The chain goes up as far as the server sent it: what signed its last certificate is what is missing. */
function untrusted(
  chain: readonly CertificateSeen[],
  facts: Readonly<Record<string, string | number>>,
): Pick<Judged, "cause" | "facts"> {
  const last = chain.at(-1)!;
  if (chain.length === 1 && last.selfSigned) return { cause: "tls.self_signed", facts };
  if (last.selfSigned) return { cause: "tls.unknown_root", facts: { ...facts, missing: last.subject } };
  return {
    cause: "tls.missing_intermediate",
    facts: { ...facts, missing: last.issuer, fetch: last.issuerAddress ?? "" },
  };
}

const factsOf = (own: CertificateSeen, { chain, protocol }: TlsSeen) => ({
  subject: own.subject,
  issuer: own.issuer,
  valid_to: own.validTo,
  certificates: chain.length,
  protocol: protocol ?? "TLS",
});

/** Do its clock and ours agree? */
export function judgeClock(seen: DiscoverySeen): Judged {
  if (seen.kind !== "answer") return { cause: "clock.skipped" };
  const { clockAheadMs } = seen;
  if (clockAheadMs === undefined) return { cause: "clock.not_told" };
  if (Math.abs(clockAheadMs) <= CLOCK_TOLERANCE_MS) return { cause: "clock.agrees" };
  const tenths = Math.round((Math.abs(clockAheadMs) / minutes(1)) * 10) / 10;
  return { cause: "clock.differs", facts: { minutes: tenths, way: clockAheadMs > 0 ? "ahead" : "behind" } };
}

/** Is it an iManage Work server that answers at `/api`? */
export function judgeApi(seen: DiscoverySeen): Judged {
  if (seen.kind !== "answer") return { cause: "api.unanswered", facts: { reason: seen.reason } };
  const { status, shape, said, location = "" } = seen;
  const facts = { status, said, location };
  if (shape === "imanage")
    return seen.ownRoot === false ? { cause: "api.foreign_root", facts } : { cause: "api.imanage", facts };
  if (status === 401 && shape === "refusal") return { cause: "api.wants_token", facts };
  if (status >= 300 && status < 400) return { cause: "api.redirected", facts };
  if (status === 429) return { cause: "api.throttled", facts };
  return { cause: status >= 500 ? "api.unavailable" : "api.other", facts };
}

export function judgeVersion(seen: DiscoverySeen): Judged {
  const version = seen.kind === "answer" ? seen.version : undefined;
  if (version === undefined) return { cause: "version.not_told" };
  const compared = compareVersions(version, VERSION_MIN);
  if (compared === undefined) return { cause: "version.not_told", facts: { version } };
  return {
    cause: compared < 0 ? "version.too_old" : "version.new_enough",
    facts: { version, least: VERSION_MIN },
    mark: version,
  };
}

/**
 * Part by part, as numbers: 10.2.3812 is newer than 10.2, and 9.10 older.
 * @returns below, at or above 0; undefined where one of them is no version
 */
export function compareVersions(a: string, b: string): number | undefined {
  const [left, right] = [a, b].map((text) =>
    /^\d{1,9}(\.\d{1,9}){0,7}$/.test(text) ? text.split(".").map(Number) : undefined,
  );
  if (left === undefined || right === undefined) return undefined;
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export function judgeOauth(seen: DiscoverySeen): Judged {
  const capabilities = seen.kind === "answer" ? seen.capabilities : undefined;
  if (capabilities === undefined) return { cause: "oauth.not_told" };
  const facts = { capabilities: capabilities.join(", ") };
  return { cause: capabilities.includes("oauth") ? "oauth.listed" : "oauth.missing", facts };
}
