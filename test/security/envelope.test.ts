import { createSecretKey } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { KeyOwner, SealContext, Sealed } from "../../src/domain/sealed.ts";
import { Secret } from "../../src/domain/secret.ts";
import { associatedData } from "../../src/security/associated-data.ts";
import { deriveKey } from "../../src/security/derive-key.ts";
import {
  type DataKey,
  encrypt,
  formatOf,
  makeEnvelopes,
  parseEnvelope,
  SECRET_BYTES_MAX,
} from "../../src/security/envelope.ts";
import { NonceSequence } from "../../src/security/nonce-sequence.ts";
import { systemRandom } from "../../src/security/random.ts";
import { CONTEXT, faceOf, INTEGRITY_FAILURE, OWNER } from "./kit.ts";

const dataKey = (owner: KeyOwner = OWNER): DataKey => ({
  owner,
  id: Buffer.from(systemRandom.bytes(9)).toString("base64url"),
  key: createSecretKey(systemRandom.bytes(32)),
});
const KEY = dataKey();
const HOT: SealContext = { ...CONTEXT, kind: "access-token" };
const KINDS = [
  "refresh-token",
  "access-token",
  "client-secret",
  "authorization-code",
  "code-verifier",
  "change",
  "library-rights",
] as const;
const envelopes = makeEnvelopes({ random: systemRandom });

/** What somebody sees who tries to open `sealed`: parsed and opened as the sealer does it. */
const open = async (sealed: string, context: SealContext, key = KEY) =>
  envelopes.open(parseEnvelope(sealed), context, key).reveal();

describe("an envelope", () => {
  it.each(KINDS)("of a %s opens to what was sealed", async (kind) => {
    const context = { ...CONTEXT, kind };
    for (const text of ["", "x", "täglich 🔑", "a".repeat(SECRET_BYTES_MAX)]) {
      const sealed = envelopes.seal(new Secret(text), context, KEY);
      expect(sealed).toMatch(/^(r1|h1)\.[\w-]{12}\.[\w-]{22}\.[\w-]{16}\.[\w-]{22,}$/);
      expect(sealed.startsWith(`${formatOf(kind)}.${KEY.id}.`)).toBe(true);
      expect(await open(sealed, context)).toBe(text);
    }
  });

  it("takes the hot form for access tokens and changes alone", () => {
    expect(KINDS.filter((kind) => formatOf(kind) === "h1")).toEqual(["access-token", "change"]);
  });

  it("is opened by another process that has the same data key, hot or not", () => {
    const elsewhere = makeEnvelopes({ random: systemRandom });
    for (const context of [CONTEXT, HOT]) {
      const sealed = envelopes.seal(new Secret("token"), context, KEY);
      expect(elsewhere.open(parseEnvelope(sealed), context, KEY).reveal()).toBe("token");
    }
  });

  it("holds at most 16 KiB, and nothing that would come back altered", () => {
    expect(() => envelopes.seal(new Secret("a".repeat(SECRET_BYTES_MAX + 1)), CONTEXT, KEY)).toThrow(
      /16 KiB/,
    );
    expect(() => envelopes.seal(new Secret("é".repeat(SECRET_BYTES_MAX / 2 + 1)), CONTEXT, KEY)).toThrow(
      /16 KiB/,
    );
    expect(() => envelopes.seal(new Secret("half \ud83d"), CONTEXT, KEY)).toThrow(/well-formed/);
  });
});

describe("T22: an altered envelope", () => {
  /** Ten of each form, long and short, the empty one included. */
  const samples = Array.from({ length: 20 }, (_, i) => {
    const context = { ...(i % 2 === 0 ? CONTEXT : HOT), attempt: i };
    return { context, sealed: envelopes.seal(new Secret("s".repeat(i * 2)), context, KEY) };
  });

  it("does not open with any single bit of its text flipped, and the error is always the same", async () => {
    const faces = new Map<string, number>();
    for (const { context, sealed } of samples) {
      const text = Buffer.from(sealed, "latin1");
      for (let bit = 0; bit < text.length * 8; bit++) {
        text[bit >> 3]! ^= 1 << (bit & 7);
        const face = await faceOf(open(text.toString("latin1"), context));
        faces.set(face, (faces.get(face) ?? 0) + 1);
        text[bit >> 3]! ^= 1 << (bit & 7);
      }
      expect(await open(sealed, context)).toBeDefined();
    }
    expect([...faces.keys()]).toEqual([INTEGRITY_FAILURE]);
    expect(faces.get(INTEGRITY_FAILURE)).toBeGreaterThan(15_000);
  });

  it("does not open with any single bit of salt, nonce, ciphertext or tag flipped", async () => {
    const faces = new Set<string>();
    for (const { context, sealed } of samples) {
      const parts = sealed.split(".");
      for (const part of [2, 3, 4]) {
        const bytes = Buffer.from(parts[part]!, "base64url");
        for (let bit = 0; bit < bytes.length * 8; bit++) {
          bytes[bit >> 3]! ^= 1 << (bit & 7);
          faces.add(await faceOf(open(parts.with(part, bytes.toString("base64url")).join("."), context)));
          bytes[bit >> 3]! ^= 1 << (bit & 7);
        }
      }
    }
    expect([...faces]).toEqual([INTEGRITY_FAILURE]);
  });

  it("does not open with a tag of 0 to 15 bytes, nor with a longer one", async () => {
    const faces = new Set<string>();
    for (const { context, sealed } of samples) {
      const parts = sealed.split(".");
      const body = Buffer.from(parts[4]!, "base64url");
      for (let length = 0; length <= 15; length++) {
        const cut = body.subarray(0, body.length - 16 + length).toString("base64url");
        faces.add(await faceOf(open(parts.with(4, cut).join("."), context)));
      }
      const grown = Buffer.concat([body, Buffer.alloc(1)]).toString("base64url");
      faces.add(await faceOf(open(parts.with(4, grown).join("."), context)));
    }
    expect([...faces]).toEqual([INTEGRITY_FAILURE]);
  });

  it("does not open in another writing of the same bytes", async () => {
    const faces = new Set<string>();
    for (const { context, sealed } of samples) {
      const parts = sealed.split(".");
      // 16 bytes leave 4 spare bits in the last letter of the salt: Node decodes all sixteen alike.
      for (const last of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
        if (!parts[2]!.endsWith(last))
          faces.add(await faceOf(open(parts.with(2, parts[2]!.slice(0, -1) + last).join("."), context)));
      }
      for (const other of [
        `${sealed}=`,
        `${sealed} `,
        `${sealed}\n`,
        ` ${sealed}`,
        `${sealed}.`,
        sealed.replace(".", ".."),
      ]) {
        faces.add(await faceOf(open(other, context)));
      }
    }
    expect([...faces]).toEqual([INTEGRITY_FAILURE]);
  });

  it.each([
    "",
    ".",
    "....",
    "r1",
    "x1.a.b.c.d",
    "r1.a.b.c.d",
    "r2",
    "null",
    "{}",
    "h1.....",
    "h1.".repeat(10_000),
  ])("of another shape is refused with the same error: %.20s", async (text) => {
    expect(await faceOf(open(text, CONTEXT))).toBe(INTEGRITY_FAILURE);
  });

  it("does not open when it claims the other form", async () => {
    for (const { context, sealed } of samples) {
      const relabelled = (sealed.startsWith("r1") ? "h1" : "r1") + sealed.slice(2);
      expect(await faceOf(open(relabelled, context))).toBe(INTEGRITY_FAILURE);
    }
  });

  it("that is longer than any we write is refused before it is decoded", async () => {
    const longest = envelopes.seal(new Secret("a".repeat(SECRET_BYTES_MAX)), CONTEXT, KEY);
    expect(await open(longest, CONTEXT)).toHaveLength(SECRET_BYTES_MAX);
    // Sealed correctly by somebody who has the key, and still refused.
    const [form, id, salt, nonce] = longest.split(".");
    const key = deriveKey(KEY.key, Buffer.from(salt!, "base64url"), "imb/data/1/r1");
    const aad = associatedData(form!, id!, CONTEXT);
    const sealed = (bytes: number) => {
      const body = encrypt(key, Buffer.from(nonce!, "base64url"), aad, Buffer.alloc(bytes, "a"));
      return [form, id, salt, nonce, body.toString("base64url")].join(".");
    };
    expect(await open(sealed(SECRET_BYTES_MAX), CONTEXT)).toHaveLength(SECRET_BYTES_MAX);
    expect(await faceOf(open(sealed(SECRET_BYTES_MAX + 1), CONTEXT))).toBe(INTEGRITY_FAILURE);
  });
});

describe("T23: nonces", () => {
  const keyAndNonce = (sealed: Sealed) => sealed.slice(3, 3 + 12 + 1 + 22 + 1 + 16);

  /** The whole count is for `npm run verify:threats`. */
  const SEALS = Number(process.env.THREAT_SEALS ?? 50_000);

  it(`of ${SEALS} hot seals under three data keys no (key, nonce) is repeated`, {
    timeout: 30_000 + SEALS,
  }, () => {
    const keys = [KEY, dataKey("o:bbbbbbbbbb"), dataKey("s:cccccccccc")];
    const seen = new Set<string>();
    const secret = new Secret("");
    for (let i = 0; i < SEALS; i++) {
      const key = keys[i % 3]!;
      seen.add(keyAndNonce(envelopes.seal(secret, { ...HOT, owner: key.owner }, key)));
    }
    expect(seen.size).toBe(SEALS);
  });

  it("of 10,000 cold seals neither salt nor nonce is repeated", () => {
    const salts = new Set<string>();
    const nonces = new Set<string>();
    for (let i = 0; i < 10_000; i++) {
      const [, , salt, nonce] = envelopes.seal(new Secret(""), CONTEXT, KEY).split(".");
      salts.add(salt!);
      nonces.add(nonce!);
    }
    expect([salts.size, nonces.size]).toEqual([10_000, 10_000]);
  });

  it("end at the limit: a new salt is taken, and what was sealed before still opens", async () => {
    const few = makeEnvelopes({ random: systemRandom, sealsPerSalt: 100 });
    const sealed = Array.from({ length: 1_001 }, (_, i) => few.seal(new Secret(`${i}`), HOT, KEY));
    expect(new Set(sealed.map((one) => one.split(".")[2])).size).toBe(11);
    expect(new Set(sealed.map(keyAndNonce)).size).toBe(1_001);
    for (const [i, one] of sealed.entries()) expect(await open(one, HOT)).toBe(`${i}`);
  });

  it("go on where they were when a derived key was forgotten and is derived again", () => {
    const forgetful = makeEnvelopes({ random: systemRandom, subKeysMax: 1 });
    const keys = [KEY, dataKey("o:bbbbbbbbbb")];
    const seen = new Set<string>();
    for (let i = 0; i < 1_000; i++) {
      const key = keys[i % 2]!;
      seen.add(keyAndNonce(forgetful.seal(new Secret(""), { ...HOT, owner: key.owner }, key)));
    }
    expect(seen.size).toBe(1_000);
  });

  it("of two processes stand under different salts, and so under different keys", () => {
    const salts = Array.from(
      { length: 1_000 },
      () =>
        makeEnvelopes({ random: systemRandom, subKeysMax: 1 }).seal(new Secret(""), HOT, KEY).split(".")[2],
    );
    expect(new Set(salts).size).toBe(1_000);
  });

  it("are never wrapped: a spent sequence throws", () => {
    const two = new NonceSequence("salt", 2);
    expect([two.take(), two.take()].map((nonce) => nonce.toString("hex"))).toEqual([
      "000000000000000000000000",
      "000000000000000000000001",
    ]);
    expect(two.spent).toBe(true);
    expect(() => two.take()).toThrow(/spent/);
    expect(() => two.take()).toThrow(/spent/);
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 48 + 1, Number.POSITIVE_INFINITY])(
    "cannot be counted up to %s",
    (limit) => {
      expect(() => new NonceSequence("salt", limit)).toThrow(RangeError);
    },
  );
});
