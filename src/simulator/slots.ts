import { firstIndex } from "./places.ts";

/**
 * Which of a library's generated documents belong together. Indexes come in blocks of `size`; within a block each slot
 * has one index, another one in every block. What a slot decides (workspace, folder, who may see it) can therefore be
 * counted and found without looking at the documents before.
 */
export class Slots {
  /** A prime, so that every factor has an inverse. */
  readonly size: number;
  readonly #factor: number;
  readonly #inverse: number;
  readonly #step: number;

  constructor(least: number, random: (of: number) => number) {
    this.size = primeFrom(least);
    this.#factor = 1 + Math.floor(random(1) * (this.size - 1));
    this.#step = 1 + Math.floor(random(2) * (this.size - 1));
    this.#inverse = inverse(this.#factor, this.size);
  }

  slotOf(index: number): number {
    const block = Math.floor(index / this.size);
    return ((index % this.size) * this.#factor + block * this.#step) % this.size;
  }

  /** Where in the block the slot's index is. */
  position(slot: number, block: number): number {
    const shifted = (slot - ((block * this.#step) % this.size) + this.size) % this.size;
    return (shifted * this.#inverse) % this.size;
  }
}

/** The indexes of some slots, in their order. */
export interface Selection {
  has(slot: number): boolean;
  /** How many indexes below this one belong to it. */
  countBelow(index: number): number;
  /** The first one from here on. */
  next(index: number): number;
}

export const everySlot: Selection = { has: () => true, countBelow: (index) => index, next: (index) => index };

export class SomeSlots implements Selection {
  readonly #of: Slots;
  readonly #chosen: readonly number[];
  readonly #members: ReadonlySet<number>;
  /** Sorted positions in the block that was looked at last: a page seldom leaves it. */
  #last: { block: number; positions: readonly number[] } | undefined;

  constructor(of: Slots, chosen: readonly number[]) {
    this.#of = of;
    this.#chosen = chosen;
    this.#members = new Set(chosen);
  }

  has(slot: number): boolean {
    return this.#members.has(slot);
  }

  countBelow(index: number): number {
    const block = Math.floor(index / this.#of.size);
    const position = index % this.#of.size;
    let count = block * this.#chosen.length;
    if (position > 0)
      for (const slot of this.#chosen) if (this.#of.position(slot, block) < position) count += 1;
    return count;
  }

  next(index: number): number {
    if (this.#chosen.length === 0) return Number.POSITIVE_INFINITY;
    const block = Math.floor(index / this.#of.size);
    const from = index % this.#of.size;
    const positions = this.#positions(block);
    const found = positions[firstIndex(positions, (position) => position >= from)];
    return found === undefined
      ? (block + 1) * this.#of.size + this.#positions(block + 1)[0]!
      : block * this.#of.size + found;
  }

  #positions(block: number): readonly number[] {
    if (this.#last?.block !== block) {
      const positions = this.#chosen.map((slot) => this.#of.position(slot, block)).sort((a, b) => a - b);
      this.#last = { block, positions };
    }
    return this.#last.positions;
  }
}

export class AllSlotsBut implements Selection {
  readonly #of: Slots;
  readonly #left: SomeSlots;

  constructor(of: Slots, left: readonly number[]) {
    this.#of = of;
    this.#left = new SomeSlots(of, left);
  }

  has(slot: number): boolean {
    return !this.#left.has(slot);
  }

  countBelow(index: number): number {
    return index - this.#left.countBelow(index);
  }

  next(index: number): number {
    let at = index;
    // Bounded: should every slot be left out, none follows.
    for (let tried = 0; this.#left.has(this.#of.slotOf(at)); at++, tried++)
      if (tried > this.#of.size * 2) return Number.POSITIVE_INFINITY;
    return at;
  }
}

function primeFrom(least: number): number {
  for (let candidate = Math.max(least, 2); ; candidate++) {
    let prime = true;
    for (let divisor = 2; prime && divisor * divisor <= candidate; divisor++)
      prime = candidate % divisor !== 0;
    if (prime) return candidate;
  }
}

/** By Fermat: modulus is a prime below 2²⁶, so no product loses a digit. */
function inverse(of: number, modulus: number): number {
  let result = 1;
  let base = of % modulus;
  for (let exponent = modulus - 2; exponent > 0; exponent = Math.floor(exponent / 2)) {
    if (exponent % 2 === 1) result = (result * base) % modulus;
    base = (base * base) % modulus;
  }
  return result;
}
