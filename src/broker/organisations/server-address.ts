/** What the place a broker runs in allows beyond https on public hosts. */
export interface AddressRules {
  /** Exact origins on this machine that may be iManage servers: the simulator, never in production. */
  readonly loopbackOrigins: readonly string[];
  /** May a client's return URL be loopback http? Outside production only. */
  readonly loopbackReturnUrls: boolean;
}

export type AddressVerdict =
  | { readonly ok: true; readonly warning: string | undefined }
  /** `fault` continues the field's name to a sentence and ends with the corrected form where there is one. */
  | { readonly ok: false; readonly fault: string };

/**
 * The address of an iManage Work server as vendors state it: begins with https://, no path, no trailing slash, no
 * /login (facts page, Deployments, C). Every fault of the address comes in one sentence.
 */
export function checkServerAddress(text: string, rules: AddressRules): AddressVerdict {
  if (rules.loopbackOrigins.includes(text)) return { ok: true, warning: undefined };

  const url = parse(text);
  if (url === undefined) return bad(["is not an address"], "https://imanage.example.com", "it looks like");
  if (isLoopback(url)) {
    return bad([
      "is on this machine, which is allowed only for origins that EGRESS_LOOPBACK_ORIGINS lists, outside production",
    ]);
  }

  const corrected = new URL(`https://${url.host}`).origin;
  if (text === corrected) return { ok: true, warning: portWarning(url) };
  const faults = [
    ...(text.startsWith("https://") ? [] : ["must begin with https://"]),
    ...addressFaults(text, url),
  ];
  return bad(faults.length > 0 ? faults : ["must be in lower case and without :443"], corrected);
}

function addressFaults(text: string, url: URL): string[] {
  const path = url.pathname.replace(/\/+$/, "");
  return [
    ...(url.username !== "" || url.password !== "" ? ["must hold no user name and no password"] : []),
    ...(url.search !== "" || url.hash !== "" ? ["must have no query and no fragment"] : []),
    ...(path.endsWith("/login") ? ["must not end in /login"] : path !== "" ? ["must have no path"] : []),
    ...(path === "" && /\/$/.test(text.replace(/[?#].*$/, "")) ? ["must have no trailing slash"] : []),
  ];
}

/**
 * One of the three URLs that a settings form asks for (Avvoka's *Authorization URL*, *Token URL*): https on the server's
 * origin with a path, nothing behind it.
 */
export function checkEndpointUrl(text: string, rules: AddressRules): AddressVerdict {
  const url = parse(text);
  if (url === undefined || !text.includes("://"))
    return bad(["must be an address that begins with https://"]);
  const faults = addressFaults(`${url.origin}/x`, url).filter((fault) => !/path|login|slash/.test(fault));
  const corrected = url.origin + url.pathname;
  if (faults.length > 0) return bad(faults, corrected);
  const origin = checkServerAddress(url.origin, rules);
  if (!origin.ok) return origin;
  if (url.pathname === "/") return bad(["must have the path of the endpoint, as /auth/oauth2/… on iManage"]);
  return text === corrected ? origin : bad(["must be in lower case and without :443"], corrected);
}

/** What the broker writes behind a return URL when it sends a browser there. */
const ADDED_MEMBERS = ["connect_session", "completion", "error"] as const;

/**
 * A client's return URL: compared letter by letter at every sign-in, so only its normal form can be registered (T06).
 */
export function checkReturnUrl(text: string, rules: AddressRules): AddressVerdict {
  if (/[*\\]/.test(text)) return bad(["must be one exact address: no wildcard, no backslash"]);
  const url = parse(text);
  if (url === undefined || !text.includes("://"))
    return bad(["must be an address that begins with https://"]);
  const loopback = rules.loopbackReturnUrls && isLoopback(url);
  const faults = [
    ...(url.protocol === "https:" || loopback
      ? []
      : ["must begin with https:// (http only on 127.0.0.1, ::1 and localhost, outside production)"]),
    ...(url.username !== "" || url.password !== "" ? ["must hold no user name and no password"] : []),
    ...(text.includes("#") ? ["must have no fragment"] : []),
    ...ADDED_MEMBERS.filter((name) => url.searchParams.has(name)).map(
      (name) => `must not have a member ${name} of its own: the broker adds it`,
    ),
  ];
  if (faults.length > 0) return bad(faults);
  return text === url.href
    ? { ok: true, warning: undefined }
    : bad(["must be written as browsers write it, since it is compared letter by letter"], url.href);
}

/** Ports that the egress guard lets through: elsewhere the keys could never be read. */
const KEYS_PORTS = ["", "8443"];

/** Where a client publishes its keys: an exact https address, which the broker asks. */
export function checkKeysAddress(text: string, rules: AddressRules): AddressVerdict {
  const url = parse(text);
  if (url === undefined || !text.includes("://"))
    return bad(["must be an address that begins with https://"]);
  const allowed = rules.loopbackOrigins.includes(url.origin);
  const faults = [
    ...(isLoopback(url) && !allowed
      ? [
          "is on this machine, which is allowed only for origins that EGRESS_LOOPBACK_ORIGINS lists, outside production",
        ]
      : []),
    ...(url.protocol === "https:" || allowed ? [] : ["must begin with https://"]),
    ...(KEYS_PORTS.includes(url.port) || allowed ? [] : ["must be on port 443 or 8443"]),
    ...(url.username !== "" || url.password !== "" ? ["must hold no user name and no password"] : []),
    ...(text.includes("#") ? ["must have no fragment"] : []),
  ];
  if (faults.length > 0) return bad(faults);
  return text === url.href ? { ok: true, warning: undefined } : bad(["must be in its normal form"], url.href);
}

function parse(text: string): URL | undefined {
  const url = URL.parse(text.includes("://") ? text : `https://${text}`);
  if (url === null || /\s/.test(text) || !["https:", "http:"].includes(url.protocol)) return undefined;
  return /^([a-z0-9_.-]+|\[[0-9a-f:.]+\])$/.test(url.hostname) ? url : undefined;
}

const isLoopback = (url: URL): boolean =>
  url.hostname === "localhost" ||
  url.hostname.endsWith(".localhost") ||
  url.hostname === "[::1]" ||
  /^127\.\d+\.\d+\.\d+$/.test(url.hostname);

const portWarning = (url: URL): string | undefined =>
  url.port === ""
    ? undefined
    : `has port ${url.port}: iManage Work normally answers on 443. Check that browsers and the broker both reach it there`;

const bad = (faults: readonly string[], corrected?: string, lead = "give"): AddressVerdict => ({
  ok: false,
  fault: faults.join(", ") + (corrected === undefined ? "" : `: ${lead} ${corrected}`),
});
