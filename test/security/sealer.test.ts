import { describe, expect, it } from "vitest";
import type { ConnectSessionId, GrantId, ServerId } from "../../src/domain/id.ts";
import type { KeyOwner, SealContext, Sealed, SecretKind } from "../../src/domain/sealed.ts";
import { Secret } from "../../src/domain/secret.ts";
import { DATA_KEY_AGE_MAX_MS } from "../../src/security/data-key-cache.ts";
import { addDataKey, rewrapDataKeys, rootKeysNamedBy } from "../../src/security/data-keys.ts";
import { systemRandom } from "../../src/security/random.ts";
import {
  addRootKey,
  parseRootKeyset,
  promoteRootKey,
  retireRootKey,
} from "../../src/security/root-keyset.ts";
import { makeSealer } from "../../src/security/sealer.ts";
import {
  CONTEXT,
  DataKeysInMemory,
  faceOf,
  INTEGRITY_FAILURE,
  NOW,
  OWNER,
  sealerKit,
  seeded,
} from "./kit.ts";

const NEIGHBOUR: KeyOwner = "o:bbbbbbbbbb";
const TOKEN = new Secret("refresh-token");
const FIELDS = ["owner", "record", "server", "tokenOrigin", "consentGeneration", "attempt"] as const;

describe("T15 T21: a sealed secret in another place", () => {
  it("does not open: all pairwise swaps among 50 records, each field alone and all together", async () => {
    const random = seeded("T21 swaps");
    const { sealer } = sealerKit();
    const kinds: readonly SecretKind[] = ["refresh-token", "access-token", "client-secret", "change"];
    const records: { context: SealContext; sealed: Sealed }[] = [];
    for (let i = 0; i < 50; i++) {
      const tail = `${String(i).padStart(2, "0")}${Math.floor(random.next() * 2 ** 32).toString(32)}`;
      const context: SealContext = {
        kind: kinds[Math.floor(random.next() * kinds.length)]!,
        owner: `o:${tail}`,
        record: `grt_${tail}` as GrantId,
        server: `srv_${tail}` as ServerId,
        tokenOrigin: `https://${tail}.example`,
        consentGeneration: i,
        attempt: 1_000 + i,
      };
      await sealer.prepare(context.owner);
      records.push({ context, sealed: await sealer.seal(new Secret(`token ${i}`), context) });
    }

    let swaps = 0;
    const faces = new Set<string>();
    const swap = async (sealed: Sealed, context: SealContext) => {
      swaps += 1;
      faces.add(await faceOf(sealer.open(sealed, context)));
    };
    for (const mine of records) {
      for (const theirs of records) {
        if (mine === theirs) continue;
        for (const field of FIELDS)
          await swap(mine.sealed, { ...mine.context, [field]: theirs.context[field] });
        if (mine.context.kind !== theirs.context.kind) {
          await swap(mine.sealed, { ...mine.context, kind: theirs.context.kind });
        }
        await swap(mine.sealed, theirs.context);
      }
    }
    expect(swaps).toBeGreaterThanOrEqual(15_000);
    expect([...faces]).toEqual([INTEGRITY_FAILURE]);
    for (const [i, { context, sealed }] of records.entries()) {
      expect((await sealer.open(sealed, context)).reveal()).toBe(`token ${i}`);
    }
  });

  it("does not open when the whole organisation's data keys are copied along", async () => {
    const { sealer, dataKeys } = sealerKit();
    await sealer.prepare(OWNER);
    const sealed = await sealer.seal(TOKEN, CONTEXT);
    dataKeys.kept.set(NEIGHBOUR, dataKeys.kept.get(OWNER)!);
    const face = await faceOf(sealer.open(sealed, { ...CONTEXT, owner: NEIGHBOUR }));
    expect(face).toBe(INTEGRITY_FAILURE);
    // Nor is anything new sealed with the borrowed key: the wrapping itself is bound to its owner.
    expect(await faceOf(sealer.seal(TOKEN, { ...CONTEXT, owner: NEIGHBOUR }))).toBe(INTEGRITY_FAILURE);
    expect(await faceOf(sealer.fingerprint(NEIGHBOUR, TOKEN))).toBe(INTEGRITY_FAILURE);
  });

  it("does not open when its data key is put under another name, or exchanged with the fingerprint key", async () => {
    const { sealer, dataKeys } = sealerKit();
    await sealer.prepare(OWNER);
    const sealed = await sealer.seal(TOKEN, CONTEXT);
    const { current, wrapped } = dataKeys.kept.get(OWNER)!;
    const other = "AAAABBBBCCCC";
    dataKeys.kept.set(OWNER, { v: 1, current: other, wrapped: { ...wrapped, [other]: wrapped[current]! } });
    sealer.forget(OWNER);
    expect(await faceOf(sealer.open(sealed.replace(current, other) as Sealed, CONTEXT))).toBe(
      INTEGRITY_FAILURE,
    );
    expect(await faceOf(sealer.seal(TOKEN, CONTEXT))).toBe(INTEGRITY_FAILURE);

    dataKeys.kept.set(OWNER, {
      v: 1,
      current,
      wrapped: { [current]: wrapped.fingerprint!, fingerprint: wrapped[current]! },
    });
    sealer.forget(OWNER);
    expect(await faceOf(sealer.open(sealed, CONTEXT))).toBe(INTEGRITY_FAILURE);
    expect(await faceOf(sealer.fingerprint(OWNER, TOKEN))).toBe(INTEGRITY_FAILURE);
  });

  it.each(["__proto__", "constructor", "fingerprint", "toString", ""])(
    "does not open when its data key is said to be %j",
    async (name) => {
      const { sealer, dataKeys } = sealerKit();
      await sealer.prepare(OWNER);
      const { current } = dataKeys.kept.get(OWNER)!;
      const sealed = (await sealer.seal(TOKEN, CONTEXT)).replace(current, name) as Sealed;
      expect(await faceOf(sealer.open(sealed, CONTEXT))).toBe(INTEGRITY_FAILURE);
    },
  );

  it("T22: a wrapped data key with any bit of its text flipped does not open", async () => {
    const { sealer, dataKeys } = sealerKit();
    await sealer.prepare(OWNER);
    const sealed = await sealer.seal(TOKEN, CONTEXT);
    const keys = dataKeys.kept.get(OWNER)!;
    const text = Buffer.from(keys.wrapped[keys.current]!, "latin1");
    const faces: string[] = [];
    for (let bit = 0; bit < text.length * 8; bit++) {
      const flipped = Buffer.from(text);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      dataKeys.kept.set(OWNER, {
        ...keys,
        wrapped: { ...keys.wrapped, [keys.current]: flipped.toString("latin1") },
      });
      sealer.forget(OWNER);
      faces.push(await faceOf(sealer.open(sealed, CONTEXT)));
    }
    // A flip in front makes another root key's id of it: that one is named. All others look alike.
    expect(faces.filter((face) => !face.includes("integrity_failure"))).toEqual([]);
    expect(
      faces.filter((face) => face !== INTEGRITY_FAILURE && !/Root key [a-z0-9_-]+ is needed/.test(face)),
    ).toEqual([]);
  });
});

describe("T28: without its keys", () => {
  it("a record of a deleted owner does not open, and its neighbour's does", async () => {
    const { sealer, dataKeys } = sealerKit();
    const theirs = { ...CONTEXT, owner: NEIGHBOUR };
    await Promise.all([sealer.prepare(OWNER), sealer.prepare(NEIGHBOUR)]);
    const [gone, kept] = [await sealer.seal(TOKEN, CONTEXT), await sealer.seal(TOKEN, theirs)];
    dataKeys.kept.delete(OWNER);
    sealer.forget(OWNER);
    expect(await faceOf(sealer.open(gone, CONTEXT))).toBe(INTEGRITY_FAILURE);
    expect((await sealer.open(kept, theirs)).reveal()).toBe("refresh-token");
  });

  it("no record opens after a minute in a process that was not told", async () => {
    const { sealer, dataKeys, clock } = sealerKit();
    await sealer.prepare(OWNER);
    const sealed = await sealer.seal(TOKEN, CONTEXT);
    dataKeys.kept.delete(OWNER);
    clock.atMs = DATA_KEY_AGE_MAX_MS - 1;
    expect(await faceOf(sealer.open(sealed, CONTEXT))).toBe("opened");
    clock.atMs = DATA_KEY_AGE_MAX_MS;
    expect(await faceOf(sealer.open(sealed, CONTEXT))).toBe(INTEGRITY_FAILURE);
  });

  it("nothing is sealed and no key is made for an owner that has none", async () => {
    const { sealer, dataKeys } = sealerKit();
    await expect(sealer.seal(TOKEN, CONTEXT)).rejects.toMatchObject({ code: "integrity_failure" });
    await expect(sealer.fingerprint(OWNER, TOKEN)).rejects.toMatchObject({ code: "integrity_failure" });
    expect(dataKeys.kept.size).toBe(0);
  });

  it("a read that was on its way when the owner was forgotten does not bring its keys back", async () => {
    const { sealer, dataKeys, clock } = sealerKit();
    await sealer.prepare(OWNER);
    const sealed = await sealer.seal(TOKEN, CONTEXT);
    sealer.forget(OWNER);
    const early = sealer.open(sealed, CONTEXT);
    sealer.forget(OWNER);
    await early;
    dataKeys.kept.delete(OWNER);
    expect(clock.atMs).toBe(0);
    expect(await faceOf(sealer.open(sealed, CONTEXT))).toBe(INTEGRITY_FAILURE);
  });

  it("a copy of the store does not open without the root key it was written under, whose id is told", async () => {
    const { sealer, dataKeys, keysetText, clock, rootKeyset } = sealerKit();
    await sealer.prepare(OWNER);
    const sealed = await sealer.seal(TOKEN, CONTEXT);
    const added = addRootKey(keysetText, systemRandom, NOW);
    const promoted = promoteRootKey(added.text.reveal(), added.id).reveal();
    const retired = parseRootKeyset(retireRootKey(promoted, rootKeyset.primary).reveal());
    const later = makeSealer({ dataKeys, clock, random: systemRandom, rootKeyset: retired });
    await expect(later.open(sealed, CONTEXT)).rejects.toMatchObject({
      code: "integrity_failure",
      message: expect.stringContaining(rootKeyset.primary),
    });
    const restored = makeSealer({
      dataKeys,
      clock,
      random: systemRandom,
      rootKeyset: parseRootKeyset(promoted),
    });
    expect((await restored.open(sealed, CONTEXT)).reveal()).toBe("refresh-token");
  });
});

describe("rotating", () => {
  it("the root key: rewrapped data keys open under the new one alone, and nothing sealed is touched", async () => {
    const { sealer, dataKeys, keysetText, clock, rootKeyset } = sealerKit();
    await sealer.prepare(OWNER);
    const sealed = await sealer.seal(TOKEN, CONTEXT);
    const fingerprint = await sealer.fingerprint(OWNER, TOKEN);
    const added = addRootKey(keysetText, systemRandom, NOW);
    const promoted = promoteRootKey(added.text.reveal(), added.id).reveal();
    const both = { rootKeyset: parseRootKeyset(promoted), random: systemRandom };

    const old = dataKeys.kept.get(OWNER)!;
    expect(rootKeysNamedBy(old)).toEqual([rootKeyset.primary]);
    const rewrapped = rewrapDataKeys(both, OWNER, old);
    expect(rootKeysNamedBy(rewrapped)).toEqual([added.id]);
    expect(rewrapDataKeys(both, OWNER, rewrapped)).toBe(rewrapped);
    dataKeys.kept.set(OWNER, rewrapped);

    const alone = parseRootKeyset(retireRootKey(promoted, rootKeyset.primary).reveal());
    const later = makeSealer({ dataKeys, clock, random: systemRandom, rootKeyset: alone });
    expect((await later.open(sealed, CONTEXT)).reveal()).toBe("refresh-token");
    expect(await later.fingerprint(OWNER, TOKEN)).toBe(fingerprint);
  });

  it("a data key: a process that has not heard of it opens with it at once, and seals with it within a minute", async () => {
    const { sealer, dataKeys, clock, rootKeyset } = sealerKit();
    await sealer.prepare(OWNER);
    const before = await sealer.seal(TOKEN, CONTEXT);
    const fingerprint = await sealer.fingerprint(OWNER, TOKEN);
    const added = addDataKey({ rootKeyset, random: systemRandom }, OWNER, dataKeys.kept.get(OWNER)!);
    expect(added.keys.current).toBe(before.split(".")[1]);
    dataKeys.kept.set(OWNER, { ...added.keys, current: added.id });
    const other = makeSealer({ dataKeys, clock, random: systemRandom, rootKeyset });
    const after = await other.seal(TOKEN, CONTEXT);
    expect(after.split(".")[1]).toBe(added.id);
    expect((await sealer.open(after, CONTEXT)).reveal()).toBe("refresh-token");
    expect((await other.open(before, CONTEXT)).reveal()).toBe("refresh-token");
    expect(await other.fingerprint(OWNER, TOKEN)).toBe(fingerprint);
    clock.atMs += DATA_KEY_AGE_MAX_MS;
    expect((await sealer.seal(TOKEN, CONTEXT)).split(".")[1]).toBe(added.id);
  });
});

describe("data keys", () => {
  it("prepared a hundred times at once by three processes are one, and all seal with it", async () => {
    const { dataKeys, clock, rootKeyset, sealer } = sealerKit();
    const all = [
      sealer,
      ...[1, 2].map(() => makeSealer({ dataKeys, clock, rootKeyset, random: systemRandom })),
    ];
    await Promise.all(Array.from({ length: 100 }, (_, i) => all[i % 3]!.prepare(OWNER)));
    const stored = dataKeys.kept.get(OWNER)!;
    await Promise.all(all.map((one) => one.prepare(OWNER)));
    expect(dataKeys.kept.get(OWNER)).toBe(stored);
    for (const one of all) expect((await one.seal(TOKEN, CONTEXT)).split(".")[1]).toBe(stored.current);
  });

  it("are read once however many ask, and then for a minute not again", async () => {
    const { sealer, dataKeys, clock, rootKeyset } = sealerKit();
    await sealer.prepare(OWNER);
    const sealed = await sealer.seal(TOKEN, CONTEXT);
    const fresh = makeSealer({ dataKeys, clock, rootKeyset, random: systemRandom });
    dataKeys.finds = 0;
    await Promise.all(Array.from({ length: 100 }, () => fresh.open(sealed, CONTEXT)));
    await fresh.open(sealed, CONTEXT);
    expect(dataKeys.finds).toBe(1);
    clock.atMs += DATA_KEY_AGE_MAX_MS;
    await Promise.all(Array.from({ length: 100 }, () => fresh.open(sealed, CONTEXT)));
    expect(dataKeys.finds).toBe(2);
  });

  it("that could not be read are asked for again: the store's own error is passed on, and not remembered", async () => {
    const { sealer, dataKeys, clock, rootKeyset } = sealerKit();
    await sealer.prepare(OWNER);
    const sealed = await sealer.seal(TOKEN, CONTEXT);
    const fresh = makeSealer({ dataKeys, clock, rootKeyset, random: systemRandom });
    dataKeys.failure = new Error("Redis is away");
    const errors = await Promise.allSettled([
      fresh.open(sealed, CONTEXT),
      fresh.open(sealed, CONTEXT),
      fresh.prepare(OWNER),
    ]);
    expect(errors.map((error) => (error as PromiseRejectedResult).reason)).toEqual(
      Array(3).fill(dataKeys.failure),
    );
    dataKeys.failure = undefined;
    expect((await fresh.open(sealed, CONTEXT)).reveal()).toBe("refresh-token");
  });

  it("are remembered for a bounded number of owners; the others are read again", async () => {
    const { sealer, dataKeys } = sealerKit({ limits: { ownersMax: 2 } });
    const contexts = ["o:a", "o:b", "o:c"].map((owner) => ({ ...CONTEXT, owner: owner as KeyOwner }));
    for (const { owner } of contexts) await sealer.prepare(owner);
    dataKeys.finds = 0;
    for (const context of contexts) await sealer.open(await sealer.seal(TOKEN, context), context);
    expect(dataKeys.finds).toBe(3);
  });

  it("lie in the store wrapped by the primary root key, never bare", async () => {
    const { sealer, dataKeys, rootKeyset } = sealerKit();
    await sealer.prepare(OWNER);
    const { v, current, wrapped } = dataKeys.kept.get(OWNER)!;
    expect(v).toBe(1);
    expect(Object.keys(wrapped).sort()).toEqual([current, "fingerprint"].sort());
    for (const text of Object.values(wrapped)) {
      expect(text).toMatch(new RegExp(`^${rootKeyset.primary}\\.w1\\.[\\w-]{16}\\.[\\w-]{64}$`));
    }
  });

  it("T15: an absent owner's store is asked each time, an unknown data key's once", async () => {
    const { sealer, dataKeys } = sealerKit();
    await sealer.prepare(OWNER);
    const sealed = await sealer.seal(TOKEN, CONTEXT);
    const foreign = sealed.replace(sealed.split(".")[1]!, "AAAABBBBCCCC") as Sealed;
    dataKeys.finds = 0;
    expect(await faceOf(sealer.open(foreign, CONTEXT))).toBe(INTEGRITY_FAILURE);
    expect(dataKeys.finds).toBe(1);
    expect(await faceOf(sealer.open(sealed, { ...CONTEXT, owner: NEIGHBOUR }))).toBe(INTEGRITY_FAILURE);
    expect(dataKeys.finds).toBe(2);
  });
});

describe("fingerprints", () => {
  it("are 22 characters, the same for the same owner in every process, and another for another", async () => {
    const { sealer, dataKeys, clock, rootKeyset } = sealerKit();
    await Promise.all([sealer.prepare(OWNER), sealer.prepare(NEIGHBOUR)]);
    const one = await sealer.fingerprint(OWNER, TOKEN);
    expect(one).toMatch(/^[A-Za-z0-9_-]{22}$/);
    const elsewhere = makeSealer({ dataKeys, clock, rootKeyset, random: systemRandom });
    expect(await elsewhere.fingerprint(OWNER, new Secret("refresh-token"))).toBe(one);
    expect(await sealer.fingerprint(NEIGHBOUR, TOKEN)).not.toBe(one);
    expect(await sealer.fingerprint(OWNER, new Secret("another"))).not.toBe(one);
  });
});

describe("no server", () => {
  it("is a place of its own: what belongs to one does not open without it, nor the other way round", async () => {
    const { sealer } = sealerKit({ dataKeys: new DataKeysInMemory() });
    await sealer.prepare(OWNER);
    const session = { ...CONTEXT, server: undefined, record: "cns_x" as ConnectSessionId };
    const sealed = await sealer.seal(TOKEN, session);
    expect((await sealer.open(sealed, session)).reveal()).toBe("refresh-token");
    expect(await faceOf(sealer.open(sealed, { ...session, server: CONTEXT.server }))).toBe(INTEGRITY_FAILURE);
  });
});
