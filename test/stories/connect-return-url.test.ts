import { expect, it } from "vitest";
import { beginConnect } from "../../src/broker/authorization/begin-connect.ts";
import type { ClientId } from "../../src/domain/id.ts";
import { Problem } from "../../src/domain/problem.ts";
import { CLIENT_ISSUER } from "../../src/domain/subject.ts";
import { addOrganisation } from "../kit/additions.ts";
import { begin, expectProblem, returned, signInAtImanage, start, storedNouns } from "../kit/connecting.ts";
import { Seeded } from "../kit/seeded.ts";
import { AMELIA, world } from "../kit/world.ts";

/** In normal form, as they must be registered, and each with something that a careless writer would change. */
const REGISTERED = [
  "https://app.example.com/imanage/authorized",
  "https://app.example.com/back?next=a%20b&flag&q=~x(1)&plus=a+b",
  "https://app.example.com/",
  "https://app.example.com:8443/a/b;v=1/?",
  "https://tracker.example.com/cb?&a=1&a=2&",
  "https://xn--bcher-kva.example/%7Euser/r%C3%A9tour",
] as const;

async function withReturnUrls() {
  const built = await world();
  const firm = await addOrganisation(built, {
    servers: { dms: { simulator: built.simulator } },
    clients: { app: { returnUrls: REGISTERED } },
  });
  return { built, firm, where: { client: firm.clients.app, server: firm.servers.dms.id } };
}

it("T06 of ten thousand addresses that look like a registered one none is accepted", async () => {
  const { built, firm, where } = await withReturnUrls();
  const seeded = new Seeded();
  console.log(`return URLs: TEST_SEED=${seeded.seed}`);
  const variants = new Set<string>();
  while (variants.size < 10_000) {
    const variant = vary(seeded);
    if (!REGISTERED.some((registered) => registered === variant)) variants.add(variant);
  }
  const all = [...variants];
  const sample = all.filter((_, index) => index % 20 === 0);

  for (let at = 0; at < sample.length; at += 10) {
    const answers = await Promise.all(
      sample.slice(at, at + 10).map((returnUrl) => begin({ ...where, returnUrl })),
    );
    // Too long for the schema is refused before it is compared.
    for (const answer of answers)
      expectProblem(
        answer,
        answer.body.code === "invalid_request" ? "invalid_request" : "return_url_not_registered",
      );
  }

  const client = (await built.broker.configuration.findClient(where.client.id as ClientId))!;
  const asked = { server: firm.servers.dms.id, loginHint: undefined, address: "192.0.2.1" } as const;
  const subject = { type: "user", issuer: CLIENT_ISSUER, id: "u-1" } as const;
  const ask = (returnUrl: string) =>
    beginConnect(built.broker.authorization, client, { ...asked, subject, returnUrl }).then(
      () => `accepted ${JSON.stringify(returnUrl)}`,
      (error: unknown) => (error instanceof Problem ? error.code : error),
    );
  const answers = new Set<unknown>();
  for (let at = 0; at < all.length; at += 500)
    for (const answer of await Promise.all(all.slice(at, at + 500).map(ask))) answers.add(answer);
  expect([...answers]).toEqual(["return_url_not_registered"]);
  expect(await storedNouns(built, firm.organisation)).not.toHaveProperty("connect-session");
});

it("T06 the address that the browser is sent to is the registered one, letter by letter, with our two members behind it", async () => {
  const { where } = await withReturnUrls();
  for (const returnUrl of REGISTERED) {
    const started = await start({ ...where, returnUrl });
    const callback = await signInAtImanage(started);
    callback.searchParams.set("return_url", "https://evil.example/");
    callback.searchParams.set("redirect_uri", "//evil.example/");
    const location = (await started.browser.get(callback.href)).headers.get("location")!;
    const [, separator, session, completion] =
      /^([?&]?)connect_session=(cns_\w+)&completion=([\w-]{53})$/.exec(location.slice(returnUrl.length)) ??
      [];
    expect(location.startsWith(returnUrl), location).toBe(true);
    expect(session).toBe(started.session);
    expect(completion).toBeDefined();
    expect(`${returnUrl}${separator}`).toMatch(/[?&]$/);
  }
});

it("T06 the way back that a page offers is the registered address too", async () => {
  const { where } = await withReturnUrls();
  for (const returnUrl of REGISTERED) {
    const started = await start({ ...where, returnUrl });
    const denied = await started.browser.post(started.authorize.href, { action: "cancel" });
    const page = await started.browser.follow(denied, [where.client.base]);
    const href = /href="([^"]+)">Return to/.exec(page.body)?.[1]?.replaceAll("&amp;", "&");
    const separator = /[?&]$/.test(returnUrl) ? "" : returnUrl.includes("?") ? "&" : "?";
    expect(href).toBe(
      `${returnUrl}${separator}connect_session=${started.session}&error=authorization_denied`,
    );
  }
});

it("T06 every registered address is accepted, so that the comparison is not refusing everything", async () => {
  const { where } = await withReturnUrls();
  for (const returnUrl of REGISTERED) {
    const { completion } = await returned({ ...where, returnUrl }, AMELIA).catch(() => ({ completion: "" }));
    expect(completion, returnUrl).not.toBe("");
  }
});

/** One to three of what has fooled comparers of addresses (T06), applied to a registered one. */
function vary(seeded: Seeded): string {
  let url: string = seeded.pick(REGISTERED);
  for (let n = 1 + seeded.below(3); n > 0; n--) url = seeded.pick(TRICKS)(url, seeded);
  return url;
}

type Trick = (url: string, seeded: Seeded) => string;

const insert =
  (texts: readonly string[]): Trick =>
  (url, seeded) => {
    const at = seeded.below(url.length + 1);
    return url.slice(0, at) + seeded.pick(texts) + url.slice(at);
  };
const inHost =
  (change: (host: string, seeded: Seeded) => string): Trick =>
  (url, seeded) => {
    const [, scheme = "", host = "", rest = ""] = /^([^/]*\/\/)([^/?#]*)(.*)$/s.exec(url) ?? [];
    return host === "" ? `//${url}` : scheme + change(host, seeded) + rest;
  };

const TRICKS: readonly Trick[] = [
  insert(["\t", "\r", "\n", "\r\n", " ", "\u0000", "%09", "%0d%0a", "%00", "\u200b", "\ufeff", "\u00ad"]),
  insert([
    "/",
    "//",
    "/./",
    "/../",
    "/%2e%2e/",
    "%2f",
    "%5c",
    "\\",
    "/\\",
    "\u2215",
    "\uff0f",
    "\u2044",
    ";/",
  ]),
  insert(["?", "&", "#", "@", ":", "*", ".", "%", "%25", "\ud800", "é", "\u202e"]),
  inHost((host) => `evil.example@${host}`),
  inHost((host) => `${host}@evil.example`),
  inHost((host) => `${host}.evil.example`),
  inHost((host) => `evil-${host}`),
  inHost((host) => `evil.${host}`),
  inHost((host) => `${host}.`),
  inHost((host) => `${host}:443`),
  inHost((host, seeded) => `${host}:${1 + seeded.below(65_535)}`),
  inHost((host) => host.toUpperCase()),
  inHost((host) => host.replace(/[a-z]/, (letter) => String.fromCodePoint(letter.codePointAt(0)! + 0xfee0))),
  inHost((host) => host.replace("a", "а").replace("e", "е")),
  inHost((host) => host.replace(".", "。")),
  inHost((host) => host.split(".").reverse().join(".")),
  (url) => url.replace("https:", "http:"),
  (url) => url.replace("https:", "HTTPS:"),
  (url) => url.replace("https:", "javascript:"),
  (url) => url.replace("https:", "data:"),
  (url) => url.replace("https:", ""),
  (url) => url.replace("://", ":/\\"),
  (url) => url.replace("://", ":\\\\"),
  (url) => url.replace("://", ":/\t/"),
  (url) => url.replace("://", ":///"),
  (url) => url.toUpperCase(),
  (url) => `${url}/`,
  (url) => url.slice(0, -1),
  (url) => ` ${url}`,
  (url) => `${url}#`,
  (url) => `${url}?x=1`,
  (url, seeded) => `https://evil.example/?${url.slice(seeded.below(9))}`,
  (url) => `https://evil.example\\@${url.slice(8)}`,
  (url) => `https://evil.example#@${url.slice(8)}`,
  (url) => encodeURI(url.toWellFormed()),
  (url) =>
    url.replaceAll(/%[0-9a-f]{2}/gi, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16))),
  (url) =>
    url.replace(
      /%(..)/,
      (_, hex: string) => `%${hex === hex.toUpperCase() ? hex.toLowerCase() : hex.toUpperCase()}`,
    ),
  (url) => url.replaceAll("+", "%20"),
  (url) => `${url}*`,
];
