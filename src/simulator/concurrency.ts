/** How many are inside at once, by key. */
export class Concurrency {
  readonly #inside = new Map<string, number>();

  inside(key: string): number {
    return this.#inside.get(key) ?? 0;
  }

  /** `told` hears how many are inside now; what is returned leaves. */
  enter(key: string, told: (inside: number) => void): () => void {
    const inside = (this.#inside.get(key) ?? 0) + 1;
    this.#inside.set(key, inside);
    told(inside);
    return () => {
      const left = (this.#inside.get(key) ?? 1) - 1;
      if (left === 0) this.#inside.delete(key);
      else this.#inside.set(key, left);
    };
  }
}
