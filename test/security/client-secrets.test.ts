import { describe, expect, it, vi } from "vitest";
import type { ClientSecret } from "../../src/domain/client.ts";
import { Secret } from "../../src/domain/secret.ts";
import { makeClientSecrets, rootKeyOfClientSecret } from "../../src/security/client-secrets.ts";
import { equalInConstantTime } from "../../src/security/compare.ts";
import { systemRandom } from "../../src/security/random.ts";
import {
  addRootKey,
  parseRootKeyset,
  promoteRootKey,
  retireRootKey,
} from "../../src/security/root-keyset.ts";
import { NOW, newKeysetText } from "./kit.ts";

// Files share what they have loaded (vitest.config.ts): what is spied upon is loaded anew.
vi.hoisted(() => vi.resetModules());
vi.mock("../../src/security/compare.ts", { spy: true });

const text = newKeysetText();
const rootKeyset = parseRootKeyset(text);
const secrets = makeClientSecrets({ rootKeyset, random: systemRandom });
const stored = (secret: Secret, expiresAt?: number, by = secrets): ClientSecret => ({
  hmac: by.hmac(secret),
  addedAt: NOW - 1_000,
  expiresAt,
});

describe("client secrets", () => {
  it("are recognisable, of one length, and never alike", () => {
    const made = Array.from({ length: 10_000 }, () => secrets.make().reveal());
    expect(new Set(made).size).toBe(made.length);
    for (const one of made) {
      if (!/^imb_sk_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}$/.test(one)) throw new Error("a secret of another shape");
      if (!secrets.isWellFormed(new Secret(one))) throw new Error("its own checksum does not fit");
    }
  });

  it("T35: the checksum rejects every typo of one letter and every swap of neighbours", () => {
    const made = secrets.make().reveal();
    const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
    const typos = new Set<string>();
    for (let at = 0; at < made.length; at++) {
      for (const letter of letters) typos.add(made.slice(0, at) + letter + made.slice(at + 1));
      if (at > 0) typos.add(made.slice(0, at - 1) + made[at] + made[at - 1] + made.slice(at + 1));
      typos.add(made.slice(0, at) + made.slice(at + 1));
    }
    typos.delete(made);
    expect(typos.size).toBeGreaterThan(3_500);
    expect([...typos].filter((typo) => secrets.isWellFormed(new Secret(typo)))).toEqual([]);
  });

  it("T35: what has no checksum of ours is turned away before any comparison", () => {
    vi.mocked(equalInConstantTime).mockClear();
    const live = [stored(secrets.make())];
    for (const guess of [
      "",
      "imb_sk_",
      "x".repeat(56),
      `${secrets.make().reveal()}\n`,
      secrets.make().reveal().toLowerCase(),
    ]) {
      expect(secrets.matches(new Secret(guess), live, NOW)).toBe(false);
    }
    expect(equalInConstantTime).not.toHaveBeenCalled();
  });

  it("T35: every live secret is compared in constant time, whichever fits", () => {
    const [first, second, third] = [secrets.make(), secrets.make(), secrets.make()];
    const live = [stored(first), stored(second), stored(third)];
    for (const candidate of [first, second, third, secrets.make()]) {
      vi.mocked(equalInConstantTime).mockClear();
      expect(secrets.matches(candidate, live, NOW)).toBe(
        candidate === first || candidate === second || candidate === third,
      );
      expect(equalInConstantTime).toHaveBeenCalledTimes(3);
    }
  });

  it("that expired are no longer accepted, from that moment on", () => {
    const secret = secrets.make();
    expect(secrets.matches(secret, [stored(secret, NOW + 1)], NOW)).toBe(true);
    expect(secrets.matches(secret, [stored(secret, NOW)], NOW)).toBe(false);
    expect(secrets.matches(secret, [stored(secret, NOW - 1)], NOW)).toBe(false);
    expect(secrets.matches(secret, [], NOW)).toBe(false);
  });

  it("are stored so that a reader of the store learns nothing that signs in", () => {
    const secret = secrets.make();
    const { hmac } = stored(secret);
    expect(hmac).toMatch(/^rk-2026-11-22-[0-9a-f]{8}\.[A-Za-z0-9_-]{43}$/);
    expect(hmac).not.toContain(secret.reveal().slice(7, 20));
    expect(secrets.matches(new Secret(hmac), [stored(secret)], NOW)).toBe(false);
    const elsewhere = makeClientSecrets({
      rootKeyset: parseRootKeyset(newKeysetText()),
      random: systemRandom,
    });
    expect(elsewhere.hmac(secret).split(".")[1]).not.toBe(hmac.split(".")[1]);
  });

  it("go on matching when another root key is promoted, and name the one that is missing once it is retired", () => {
    const secret = secrets.make();
    const before = stored(secret);
    const added = addRootKey(text, systemRandom, NOW);
    const promoted = promoteRootKey(added.text.reveal(), added.id).reveal();
    const after = makeClientSecrets({ rootKeyset: parseRootKeyset(promoted), random: systemRandom });
    expect(after.matches(secret, [before], NOW)).toBe(true);
    expect(rootKeyOfClientSecret(before.hmac)).toBe(rootKeyset.primary);
    expect(rootKeyOfClientSecret(after.hmac(secret))).toBe(added.id);

    const retired = parseRootKeyset(retireRootKey(promoted, rootKeyset.primary).reveal());
    const late = makeClientSecrets({ rootKeyset: retired, random: systemRandom });
    expect(() => late.matches(secret, [before], NOW)).toThrow(rootKeyset.primary);
    // A second secret under a key that is there still signs in.
    expect(late.matches(secret, [before, stored(secret, undefined, late)], NOW)).toBe(true);
  });

  it.each([
    "",
    ".",
    "nonsense",
    `${rootKeyset.primary}.`,
    `${rootKeyset.primary}.AAAA`,
    `${rootKeyset.primary}.${"A".repeat(42)}`,
  ])("never match a stored value that was spoilt: %j", (hmac) => {
    const spoilt = [{ hmac, addedAt: NOW, expiresAt: undefined }];
    let matched = false;
    try {
      matched = secrets.matches(secrets.make(), spoilt, NOW);
    } catch (error) {
      expect(error).toMatchObject({ code: "integrity_failure" });
    }
    expect(matched).toBe(false);
  });
});
