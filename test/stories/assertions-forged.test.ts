import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { base64url, CompactSign, exportSPKI } from "jose";
import { expect, it, onTestFinished } from "vitest";
import {
  claimsOf,
  giveKeys,
  newJti,
  postAssertion,
  type SigningPair,
  sign,
  signingPair,
} from "../kit/assertions.ts";
import { Seeded } from "../kit/seeded.ts";
import { type World, world } from "../kit/world.ts";

/**
 * T31: assertions that nobody with the client's key has signed as they are. Each case starts from one that would be taken, and
 * says what was done to it.
 */
const CASES = Number(process.env.TEST_FORGERIES ?? 400);

interface Forgery {
  readonly text: string;
  readonly what: string;
}

interface Workshop {
  readonly here: World;
  readonly seeded: Seeded;
  readonly own: SigningPair;
  readonly foreign: readonly SigningPair[];
  /** An address that counts who asks it. */
  readonly bait: string;
  readonly spki: string;
}

type Craft = (workshop: Workshop) => Promise<Forgery> | Forgery;

const json = (value: unknown): string => base64url.encode(JSON.stringify(value));
const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** One letter of the text is another: whichever part it falls in, and in the last letter of a part its spare bits too. */
const letter: Craft = async ({ here, seeded, own }) => {
  const text = await sign(claimsOf(here), own);
  let at = seeded.below(text.length);
  while (text[at] === ".") at = seeded.below(text.length);
  let other = seeded.pick([...BASE64URL]);
  while (other === text[at]) other = seeded.pick([...BASE64URL]);
  return { text: text.slice(0, at) + other + text.slice(at + 1), what: `letter ${at}` };
};

const spareBits: Craft = async ({ here, seeded, own }) => {
  const parts = (await sign({ ...claimsOf(here), more: "x".repeat(seeded.below(3)) }, own)).split(".");
  const part = seeded.below(3);
  const last = parts[part]!.at(-1)!;
  // Neighbours in the alphabet differ in the lowest bits, which a careless decoder drops.
  const other = BASE64URL[BASE64URL.indexOf(last) ^ (1 + seeded.below(3))]!;
  parts[part] = parts[part]!.slice(0, -1) + other;
  return { text: parts.join("."), what: `last letter of part ${part}` };
};

const spelling: Craft = async ({ here, seeded, own }) => {
  const text = await sign(claimsOf(here), own);
  const change = seeded.pick<[string, (text: string) => string]>([
    ["padding", (t) => `${t}=`],
    ["a blank in front", (t) => ` ${t}`],
    ["a line break", (t) => t.replace(".", ".\n")],
    ["a fourth part", (t) => `${t}.`],
    ["five parts", (t) => `${t}.a.b`],
    ["no signature", (t) => t.replace(/[^.]+$/, "")],
    ["two parts", (t) => t.replace(/\.[^.]+$/, "")],
    ["a cut end", (t) => t.slice(0, -1 - seeded.below(40))],
    ["base64 instead", (t) => t.replaceAll("-", "+").replaceAll("_", "/").concat("=")],
    ["twice", (t) => `${t}${t}`],
  ]);
  return { text: change[1](text), what: change[0] };
};

/** Signed by the right key, with something in it that is never taken. */
const said: Craft = async ({ here, seeded, own }) => {
  const now = Math.floor(here.broker.clock.now() / 1_000);
  const id = here.credentials.id;
  const change = seeded.pick<[string, Record<string, unknown>]>([
    ["aud is the token endpoint", { aud: `${here.base}/oauth2/token` }],
    ["aud is a list", { aud: [here.base] }],
    ["aud is two", { aud: [here.base, "https://other.example"] }],
    ["aud with a slash", { aud: `${here.base}/` }],
    ["aud with a blank", { aud: `${here.base} ` }],
    ["aud in capitals", { aud: here.base.toUpperCase() }],
    ["aud is an object", { aud: { 0: here.base } }],
    ["no aud", { aud: undefined }],
    ["no exp", { exp: undefined }],
    ["exp is text", { exp: String(now + 60) }],
    ["exp is over", { exp: now - 31 - seeded.below(10_000) }],
    ["exp too late", { exp: now + 302 + seeded.below(10_000_000) }],
    ["exp without end", { exp: 1e300 }],
    ["iat to come", { iat: now + 40 + seeded.below(1_000) }],
    ["iat is text", { iat: "now" }],
    ["nbf to come", { nbf: now + 40 + seeded.below(1_000) }],
    ["no jti", { jti: undefined }],
    ["empty jti", { jti: "" }],
    ["long jti", { jti: "j".repeat(129) }],
    ["jti is a number", { jti: 7 }],
    ["sub is another", { sub: id.replace(/.$/, (c) => (c === "0" ? "1" : "0")) }],
    ["iss is another", { iss: "https://idp.example" }],
    ["iss and sub are another", { iss: `${id}x`, sub: `${id}x` }],
    ["iss in capitals", { iss: id.toUpperCase(), sub: id.toUpperCase() }],
    ["sub is a list", { iss: [id], sub: [id] }],
  ]);
  const claims = { ...claimsOf(here), ...change[1] };
  const signed = new CompactSign(new TextEncoder().encode(JSON.stringify(claims)));
  return {
    text: await signed.setProtectedHeader({ alg: own.algorithm, kid: own.kid }).sign(own.privateKey),
    what: change[0],
  };
};

const headed: Craft = async ({ here, seeded, own, foreign, bait }) => {
  const thief = seeded.pick(foreign.filter(({ algorithm }) => algorithm === own.algorithm));
  const bring = seeded.pick<[string, Record<string, unknown>]>([
    ["jku", { jku: `${bait}/jwks.json` }],
    ["x5u", { x5u: `${bait}/cert.pem` }],
    ["jwk", { jwk: thief.jwk }],
    ["x5c", { x5c: ["MIIB"] }],
    ["kid as address", { kid: `${bait}/kid` }],
    ["kid as path", { kid: "../../../../etc/passwd" }],
    ["kid as query", { kid: "' OR 1=1 --" }],
    ["typ of another use", { typ: seeded.pick(["at+jwt", "logout+jwt", "dpop+jwt", "jwt+x", ""]) }],
    ["jku and its own kid", { jku: `${bait}/jwks.json`, kid: thief.kid }],
  ]);
  const signer = seeded.next() < 0.5 || bring[0].startsWith("kid") ? thief : own;
  return {
    text: await sign(claimsOf(here), { ...signer, kid: own.kid }, bring[1]),
    what: `${bring[0]} by ${signer === own ? "the client" : "a thief"}`,
  };
};

const critical: Craft = async ({ here, seeded, own }) => {
  const more = seeded.pick([{ crit: ["exp"], exp: 1 }, { crit: ["b64"], b64: true }, { b64: false }]);
  const header = { alg: own.algorithm, kid: own.kid, ...more };
  const signed = new CompactSign(new TextEncoder().encode(JSON.stringify(claimsOf(here)))).setProtectedHeader(
    header,
  );
  // Whoever knows the extension signs with it.
  const text = await signed
    .sign(own.privateKey, { crit: { exp: true, b64: true } })
    .catch(
      () =>
        `${json({ ...header, crit: [] })}.${json(claimsOf(here))}.${base64url.encode(new Uint8Array(64))}`,
    );
  return { text, what: `critical ${JSON.stringify(more)}` };
};

const unsigned: Craft = ({ here, seeded }) => {
  const alg = seeded.pick(["none", "None", "NONE", "nOnE", "", null, 0, ["ES256"], "ES256 "]);
  const signature = seeded.pick(["", "AA", base64url.encode(new Uint8Array(64))]);
  return { text: `${json({ alg })}.${json(claimsOf(here))}.${signature}`, what: `alg ${alg}` };
};

/** HMAC with what everybody knows: the public key in each of its spellings (RFC 8725 §2.1). */
const confused: Craft = async ({ here, seeded, own, spki }) => {
  const alg = seeded.pick(["HS256", "HS384", "HS512"]);
  const secret = seeded.pick([spki, spki.trim(), JSON.stringify(own.jwk), own.jwk.x ?? own.jwk.n ?? ""]);
  const signed = new CompactSign(new TextEncoder().encode(JSON.stringify(claimsOf(here))));
  const key = new TextEncoder().encode(secret.padEnd(64, "\0"));
  return { text: await signed.setProtectedHeader({ alg, kid: own.kid }).sign(key), what: alg };
};

/** By a key of somebody else's, under the client's name, by each algorithm. */
const foreignKey: Craft = async ({ here, seeded, own, foreign }) => {
  const thief = seeded.pick(foreign);
  const kid = seeded.pick([own.kid, thief.kid]);
  return {
    text: await sign(claimsOf(here), { ...thief, kid }),
    what: `${thief.algorithm} of a thief, kid ${kid}`,
  };
};

/** What one assertion was signed for, put under another's signature. */
const spliced: Craft = async ({ here, seeded, own }) => {
  const one = (await sign(claimsOf(here), own)).split(".");
  const two = (await sign(claimsOf(here), own, { typ: "JWT" })).split(".");
  const at = seeded.below(3);
  return { text: one.map((part, i) => (i === at ? two[i] : part)).join("."), what: `part ${at} of another` };
};

const bytes: Craft = ({ here, seeded, own }) => {
  const header = json({ alg: own.algorithm, kid: own.kid });
  const body = json(claimsOf(here));
  const noise = base64url.encode(
    Uint8Array.from({ length: seeded.pick([0, 1, 63, 64, 65, 256]) }, () => seeded.below(256)),
  );
  return seeded.pick<Forgery>([
    { text: `${header}.${body}.${noise}`, what: "an invented signature" },
    { text: `${header}.${body}.${base64url.encode(new Uint8Array(64))}`, what: "r and s are zero" },
    { text: `${header}.${base64url.encode(Uint8Array.of(0xff, 0xfe, 0x7b))}.${noise}`, what: "no UTF-8" },
    { text: `${json([1])}.${body}.${noise}`, what: "a list as header" },
    { text: `${header}.${json("text")}.${noise}`, what: "text as claims" },
    { text: `${header}.${base64url.encode("{")}.${noise}`, what: "no JSON" },
    {
      text: `${json({ alg: own.algorithm, pad: "x".repeat(9_000) })}.${body}.${noise}`,
      what: "more than 8 KiB",
    },
    { text: `${header}.${json(JSON.parse(`${"[".repeat(500)}${"]".repeat(500)}`))}.${noise}`, what: "deep" },
    { text: "", what: "nothing" },
  ]);
};

const CRAFTS: readonly Craft[] = [
  letter,
  letter,
  spareBits,
  spelling,
  said,
  said,
  headed,
  critical,
  unsigned,
  confused,
  foreignKey,
  spliced,
  bytes,
];

it(
  `of ${CASES} forged assertions none is taken, and nothing is fetched for any (T31)`,
  async () => {
    const seeded = new Seeded();
    console.info(`TEST_SEED=${seeded.seed}`);
    const here = await world({ settings: { TRUSTED_PROXY_CIDRS: "127.0.0.1/32" } });
    let asked = 0;
    const listener = createServer((_request, response) => {
      asked += 1;
      response.end("{}");
    });
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void listener.close());
    const bait = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
    const owns = await Promise.all(
      (["ES256", "PS256", "RS256", "Ed25519"] as const).map((a) => signingPair(a, `own-${a}`)),
    );
    const foreign = await Promise.all(
      (["ES256", "ES384", "PS256", "RS256", "Ed25519"] as const).map((a) => signingPair(a, `thief-${a}`)),
    );
    await giveKeys(here, { jwks: owns.map(({ jwk }) => jwk) }, ["ES256", "PS256", "RS256", "Ed25519"]);
    const spkis = await Promise.all(owns.map(({ publicKey }) => exportSPKI(publicKey)));

    const taken: string[] = [];
    const statuses = new Map<number, number>();
    let next = 0;
    const forger = async (): Promise<void> => {
      while (next < CASES) {
        const i = next++;
        const at = seeded.below(owns.length);
        const workshop = { here, seeded, own: owns[at]!, foreign, bait, spki: spkis[at]! };
        const { text, what } = await seeded.pick(CRAFTS)(workshop);
        // Ten at one address, and it is not looked at any more (T35): each comes from one of its own.
        const from = `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;
        const { status } = await postAssertion(here.base, text, {}, { "x-forwarded-for": from });
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        if (status === 200) taken.push(`${what}: ${text}`);
      }
    };
    await Promise.all(Array.from({ length: 4 }, forger));
    expect(taken).toEqual([]);
    expect([...statuses]).toEqual([[401, CASES]]);
    expect(asked).toBe(0);
    // What was looked at is whole: the same client is known by an assertion that nobody has touched.
    expect(
      (await postAssertion(here.base, await sign({ ...claimsOf(here), jti: newJti() }, owns[0]!))).status,
    ).toBe(200);
  },
  60_000 + CASES * 20,
);
