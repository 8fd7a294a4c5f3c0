import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { type ClientId, makeId } from "../../src/domain/id.ts";
import { Secret } from "../../src/domain/secret.ts";
import { makeBrokerTokens } from "../../src/security/broker-tokens.ts";
import { equalInConstantTime } from "../../src/security/compare.ts";
import { systemRandom } from "../../src/security/random.ts";
import {
  addRootKey,
  parseRootKeyset,
  promoteRootKey,
  retireRootKey,
} from "../../src/security/root-keyset.ts";
import { CLIENT, NOW, newKeysetText } from "./kit.ts";

// Files share what they have loaded (vitest.config.ts): what is spied upon is loaded anew.
vi.hoisted(() => vi.resetModules());
vi.mock("../../src/security/compare.ts", { spy: true });

const LIFE_MS = 300_000;
const text = newKeysetText();
const clock = { at: NOW };
const at = (keyset: string) =>
  makeBrokerTokens({ rootKeyset: parseRootKeyset(keyset), random: systemRandom, now: () => clock.at });
const tokens = at(text);

describe("broker tokens", () => {
  it("say who, which generation and until when, and nothing to the eye", () => {
    const token = tokens.issue(CLIENT, 3, LIFE_MS);
    expect(token.reveal()).toMatch(/^imb_at_[A-Za-z0-9_-]+$/);
    expect(token.reveal()).not.toContain(CLIENT.slice(4, 20));
    expect(tokens.read(token)).toEqual({ client: CLIENT, generation: 3, expiresAt: NOW + LIFE_MS });
  });

  it("come back as they were issued, for every client, generation and life", () => {
    const generation = fc.oneof(fc.nat(5), fc.nat(), fc.constant(2 ** 48 - 1));
    const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(bytes, generation, fc.integer({ min: 1, max: 2 ** 40 }), (random, generation, lifeMs) => {
        const client: ClientId = makeId("cli", undefined, NOW, random);
        expect(tokens.read(tokens.issue(client, generation, lifeMs))).toEqual({
          client,
          generation,
          expiresAt: NOW + lifeMs,
        });
      }),
      { numRuns: 500 },
    );
  });

  it("may be bound to a certificate, and then say to which: bound and unbound are not taken for one another", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (digest) => {
        const thumbprint = Buffer.from(digest).toString("base64url");
        const token = tokens.issue(CLIENT, 3, LIFE_MS, thumbprint);
        expect(tokens.read(token)).toEqual({
          client: CLIENT,
          generation: 3,
          expiresAt: NOW + LIFE_MS,
          thumbprint,
        });
        const bytes = Buffer.from(token.reveal().slice("imb_at_".length), "base64url");
        for (const version of [0, 1, 3]) {
          bytes[0] = version;
          expect(tokens.read(new Secret(`imb_at_${bytes.toString("base64url")}`))).toBeUndefined();
        }
      }),
      { numRuns: 100 },
    );
    expect(() => tokens.issue(CLIENT, 3, LIFE_MS, "short")).toThrow(RangeError);
  });

  it("are never alike, even for the same client at the same moment", () => {
    const seen = new Set(Array.from({ length: 5_000 }, () => tokens.issue(CLIENT, 1, LIFE_MS).reveal()));
    expect(seen.size).toBe(5_000);
  });

  it("are over at the moment they name, by the clock that was given", () => {
    const token = tokens.issue(CLIENT, 1, LIFE_MS);
    clock.at = NOW + LIFE_MS - 1;
    expect(tokens.read(token)).toBeDefined();
    clock.at = NOW + LIFE_MS;
    expect(tokens.read(token)).toBeUndefined();
    clock.at = NOW;
  });

  it("T35: with any bit of their text flipped are not ours, and are compared in constant time", () => {
    vi.mocked(equalInConstantTime).mockClear();
    const token = Buffer.from(tokens.issue(CLIENT, 1, LIFE_MS).reveal(), "latin1");
    const accepted: string[] = [];
    for (let bit = 0; bit < token.length * 8; bit++) {
      const flipped = Buffer.from(token);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      if (tokens.read(new Secret(flipped.toString("latin1"))) !== undefined) accepted.push(`bit ${bit}`);
    }
    expect(accepted).toEqual([]);
    expect(equalInConstantTime).toHaveBeenCalled();
  });

  it("cut short, grown, padded or empty are not ours", () => {
    const token = tokens.issue(CLIENT, 1, LIFE_MS).reveal();
    const others = [
      ...Array.from({ length: token.length }, (_, length) => token.slice(0, length)),
      `${token}A`,
      `${token}=`,
      `${token}\n`,
      ` ${token}`,
      token.replace("imb_at_", "imb_sk_"),
      `imb_at_${"A".repeat(5_000)}`,
    ];
    for (const other of others) expect(tokens.read(new Secret(other))).toBeUndefined();
  });

  it("outlive the promotion of another root key, and end with the retirement of their own", () => {
    const token = tokens.issue(CLIENT, 1, LIFE_MS);
    const added = addRootKey(text, systemRandom, NOW);
    const promoted = promoteRootKey(added.text.reveal(), added.id).reveal();
    expect(at(promoted).read(token)).toMatchObject({ client: CLIENT });
    // A process that knows the new key but has not promoted it reads what the others sign already.
    expect(at(added.text.reveal()).read(at(promoted).issue(CLIENT, 1, LIFE_MS))).toMatchObject({
      client: CLIENT,
    });
    const retired = retireRootKey(promoted, parseRootKeyset(text).primary).reveal();
    expect(at(retired).read(token)).toBeUndefined();
  });

  it("of another firm's keyset are not ours, even under the same key id", () => {
    const renamed = JSON.parse(newKeysetText());
    renamed.keys[0].id = parseRootKeyset(text).primary;
    expect(tokens.read(at(JSON.stringify(renamed)).issue(CLIENT, 1, LIFE_MS))).toBeUndefined();
  });

  it.each([
    [CLIENT, -1, LIFE_MS],
    [CLIENT, 0.5, LIFE_MS],
    [CLIENT, 2 ** 48, LIFE_MS],
    [CLIENT, 1, Number.NaN],
    ["cli_short" as ClientId, 1, LIFE_MS],
  ])("are not issued for what they could not carry: %s %s %s", (client, generation, lifeMs) => {
    expect(() => tokens.issue(client, generation, lifeMs)).toThrow(RangeError);
  });
});
