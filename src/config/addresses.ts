import ipaddr from "ipaddr.js";
import type { z } from "zod";

/**
 * Settings that name places of a network: how each is read, and what is wrong with it. `fail` and issues continue the
 * setting's name to a sentence; none repeats what was given, which may be a secret in the wrong place.
 */

export function redisUrl(text: string, ctx: z.RefinementCtx): string {
  const url = URL.parse(text);
  if (url === null || !["redis:", "rediss:"].includes(url.protocol) || url.hostname === "") {
    ctx.addIssue({
      code: "custom",
      message: "must look like redis://host:6379 or, with TLS, rediss://host:6379",
    });
  }
  return text;
}

export function publicBaseUrl(text: string, ctx: z.RefinementCtx): string {
  return otherBaseUrl(text, (message) => ctx.addIssue({ code: "custom", message })) ?? text;
}

export function otherBaseUrl(text: string, fail: (message: string) => void): string | undefined {
  const message = findOriginFault(text);
  if (message !== undefined) return void fail(message);
  if (text.startsWith("http://") && !isLoopback(new URL(text).hostname))
    return void fail(
      "must begin with https:// (http is accepted on 127.0.0.1, ::1 and localhost, outside production)",
    );
  return text;
}

/** Its http is allowed on loopback in production too: a tunnel ends there. */
export function opsBaseUrl(text: string, ctx: z.RefinementCtx): string {
  const read = otherBaseUrl(text, () => {});
  if (read === undefined)
    ctx.addIssue({
      code: "custom",
      message:
        "must be an origin with https://, or with http:// on 127.0.0.1, ::1 or localhost, without a path",
    });
  return text;
}

/** An OpenID Connect issuer may have a path; http is for loopback, outside production. */
export function issuer(text: string, ctx: z.RefinementCtx): string {
  const url = URL.parse(text);
  const secure = url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url.hostname));
  if (url === null || !secure || url.search !== "" || url.hash !== "" || url.username !== "")
    ctx.addIssue({
      code: "custom",
      message: "must be an issuer like https://login.firm.example, without query and fragment",
    });
  return text;
}

/** What keeps `text` from being exactly an origin, as RFC 6454 §6.2 writes one. */
function findOriginFault(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !["https:", "http:"].includes(url.protocol)) {
    return "must be an address like https://broker.example.com";
  }
  if (url.username !== "" || url.password !== "") return "must hold no user name and no password";
  if (url.search !== "" || url.hash !== "") return "must end after host and port: no query, no fragment";
  if (url.pathname !== "/") return "must end after host and port: no path";
  if (text.endsWith("/")) return "must have no trailing slash";
  if (url.origin !== text) return "must be in lower case and without the scheme's own port";
  return undefined;
}

export function hostAndPort(text: string, fail: (message: string) => void) {
  const match = /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(text);
  const number = Number(match?.[2]);
  if (match === null || number < 1 || number > 65_535) return void fail("must look like host:6379");
  return { host: match[1]!.replace(/^\[|\]$/g, ""), port: number };
}

export function loopbackOrigin(text: string, fail: (message: string) => void): string | undefined {
  const message = findOriginFault(text);
  if (message !== undefined) return void fail(message);
  if (!isLoopback(new URL(text).hostname)) return void fail("must be on 127.0.0.1, ::1 or localhost");
  return text;
}

type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];

function cidr(text: string): Range | undefined {
  return ipaddr.isValidCIDR(text) ? ipaddr.parseCIDR(text) : undefined;
}

export function proxyCidr(text: string, fail: (message: string) => void): string | undefined {
  const range = cidr(text);
  if (range === undefined) return void fail("must be an address range like 10.1.2.0/24");
  // oauth2-proxy trusted 0.0.0.0/0 by default, and with it anybody's headers (T07).
  if (range[1] === 0) return void fail("would believe the whole internet: name your own proxies");
  return text;
}

/** Never reachable, whatever an operator lists: this machine, link-local with the clouds' metadata service, multicast. */
const NEVER = [
  "0.0.0.0/8",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "224.0.0.0/3",
  "::/127",
  "fe80::/10",
  "ff00::/8",
  "::ffff:0:0/96",
].map((text) => ipaddr.parseCIDR(text));
const METADATA_IPV6 = ipaddr.parseCIDR("fd00:ec2::254/128");

export function outgoingAddress(text: string, fail: (message: string) => void): string | undefined {
  if (ipaddr.isValid(text) || ipaddr.isValidCIDR(text)) return text;
  return void fail("must be an address such as 203.0.113.7, or a range such as 203.0.113.0/28");
}

export function egressCidr(text: string, fail: (message: string) => void): string | undefined {
  const range = cidr(text);
  if (range === undefined) return void fail("must be an address range like 10.20.0.0/16");
  if ([...NEVER, METADATA_IPV6].some((other) => overlap(range, other))) {
    return void fail(
      "reaches this machine, link-local addresses, a cloud's metadata service or multicast: narrow it to the firm's servers",
    );
  }
  return text;
}

function overlap(a: Range, b: Range): boolean {
  if (a[0].kind() !== b[0].kind()) return false;
  return a[0].match(b[0] as never, Math.min(a[1], b[1]));
}

export function isLoopback(hostname: string): boolean {
  const name = hostname.replace(/^\[|\]$/g, "");
  if (name === "localhost") return true;
  return ipaddr.isValid(name) && ipaddr.parse(name).range() === "loopback";
}

/** Credentials in a URL are inherited by every child process and shown by `docker inspect`; a path would be ignored. */
export function egressProxyUrl(text: string, ctx: z.RefinementCtx): string {
  const url = URL.parse(text);
  const fail = (message: string) => ctx.addIssue({ code: "custom", message });
  if (url === null || !["http:", "https:"].includes(url.protocol) || url.hostname === "") {
    fail("must look like http://proxy.example.com:3128 or, with TLS to the proxy, https://…");
  } else if (url.password !== "") {
    fail("must hold no password: put it into a file and name that in EGRESS_PROXY_PASSWORD_FILE");
  } else if (url.pathname !== "/" || url.search !== "" || url.hash !== "") {
    fail("must end after host and port: no path, no query, no fragment");
  }
  return text;
}

/** Where the audit goes: any path, and its query if a collector wants one. */
export function auditUrl(text: string, ctx: z.RefinementCtx): string {
  const url = URL.parse(text);
  const secure = url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url.hostname));
  const fail = (message: string) => ctx.addIssue({ code: "custom", message });
  if (url === null || !secure) fail("must look like https://collector.firm.example/audit");
  else if (url.username !== "" || url.password !== "")
    fail("must hold no user name and no password: put a bearer token into AUDIT_HTTP_TOKEN_FILE");
  else if (url.hash !== "") fail("must hold no fragment");
  return text;
}

/** Plain http is allowed: a collector lies beside the broker, and what it is told holds no secret and no name. */
export function tracesUrl(text: string, ctx: z.RefinementCtx): string {
  const url = URL.parse(text);
  const fail = (message: string) => ctx.addIssue({ code: "custom", message });
  if (url === null || !["http:", "https:"].includes(url.protocol) || url.search !== "")
    fail("must look like http://otel-collector:4318/v1/traces");
  else if (url.username !== "" || url.password !== "")
    fail("must hold no user name and no password: put them into OTEL_EXPORTER_OTLP_HEADERS");
  else if (url.hash !== "") fail("must hold no fragment");
  return text;
}
