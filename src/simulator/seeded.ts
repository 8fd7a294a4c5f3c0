/** A number in [0, 2³²) that depends on nothing but its arguments (MurmurHash3's finalizer over each). */
export function seeded(seed: number, ...of: readonly number[]): number {
  let hash = seed | 0;
  for (const part of of) {
    hash = Math.imul(hash ^ part, 0x85eb_ca6b) + 0x9e37_79b9;
    hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
    hash ^= hash >>> 16;
  }
  return hash >>> 0;
}

/** The same in [0, 1). */
export const fraction = (seed: number, ...of: readonly number[]): number => seeded(seed, ...of) / 2 ** 32;

export const pick = <T>(from: readonly T[], seed: number, ...of: readonly number[]): T =>
  from[seeded(seed, ...of) % from.length]!;
