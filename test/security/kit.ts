import type { DataKeyStore, WrappedDataKeys } from "../../src/broker/ports.ts";
import type { ClientId, GrantId, ServerId } from "../../src/domain/id.ts";
import type { KeyOwner, SealContext } from "../../src/domain/sealed.ts";
import { systemRandom } from "../../src/security/random.ts";
import { createRootKeyset, parseRootKeyset } from "../../src/security/root-keyset.ts";
import { makeSealer, type SealerParts } from "../../src/security/sealer.ts";

export const NOW = Date.UTC(2026, 10, 22, 9);
export const CLIENT = "cli_01234567890123456789012345" as ClientId;
export const OWNER: KeyOwner = "o:abcdefghjk";
export const GRANT = "grt_abcdefghjk01234567890123456789012345" as GrantId;

export const CONTEXT: SealContext = {
  kind: "refresh-token",
  owner: OWNER,
  record: GRANT,
  server: "srv_abcdefghjk01234567890123456789012345" as ServerId,
  tokenOrigin: "https://firm.cloudimanage.com",
  consentGeneration: 1,
  attempt: 7,
};

export const newKeysetText = (): string => createRootKeyset(systemRandom, NOW).reveal();

/** A store of data keys in memory: as unkind as the real one, every answer comes later. */
export class DataKeysInMemory implements DataKeyStore {
  readonly kept = new Map<KeyOwner, WrappedDataKeys>();
  finds = 0;
  failure: Error | undefined;

  async find(owner: KeyOwner): Promise<WrappedDataKeys | undefined> {
    this.finds += 1;
    await new Promise((resolve) => setImmediate(resolve));
    if (this.failure !== undefined) throw this.failure;
    return this.kept.get(owner);
  }

  async insert(owner: KeyOwner, keys: WrappedDataKeys): Promise<WrappedDataKeys> {
    await new Promise((resolve) => setImmediate(resolve));
    if (!this.kept.has(owner)) this.kept.set(owner, keys);
    return this.kept.get(owner)!;
  }
}

/** A sealer over a store in memory, with a clock that the test sets. */
export function sealerKit(parts: Partial<SealerParts> = {}) {
  const dataKeys = new DataKeysInMemory();
  const clock = { atMs: 0, monotonicMs: () => clock.atMs };
  const keysetText = newKeysetText();
  const all = { dataKeys, clock, random: systemRandom, rootKeyset: parseRootKeyset(keysetText), ...parts };
  return { sealer: makeSealer(all), dataKeys, clock, keysetText, rootKeyset: all.rootKeyset };
}

/** Everything somebody could tell two failures apart by. */
export async function faceOf(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
    return "opened";
  } catch (error) {
    const { name, message, cause } = error as Error;
    return JSON.stringify({ ...(error as object), name, message, cause });
  }
}

export const INTEGRITY_FAILURE = JSON.stringify({
  code: "integrity_failure",
  details: {},
  name: "Problem",
  message: "A stored record does not open with its own identity.",
});

/** mulberry32: a seed and numbers in [0, 1), for choosing what to try; never for secrets. */
export function seeded(title: string): { readonly seed: number; readonly next: () => number } {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 32);
  console.info(`${title}: SEED=${seed}`);
  let state = seed;
  return {
    seed,
    next() {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    },
  };
}
