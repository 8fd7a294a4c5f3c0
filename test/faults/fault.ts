/** One fault of the catalogue: what must hold when it happens, and the tests that prove it. */
export interface Fault {
  readonly id: `F${number}`;
  /** What holds, in one sentence. */
  readonly promise: string;
  readonly proofs: readonly Proof[];
}

/**
 * Tests, and the guard whose removal turns them red: a test that stays green without what it is about proves nothing.
 * `npm run verify:faults` runs both; `scripts/test` sees to it that every entry still names a test and a guard.
 */
export interface Proof {
  /** A test file, from the top of the project. */
  readonly file: string;
  /** Part of the titles of its tests, as it stands there. All tests that match have to pass. */
  readonly title: string;
  /** Raises the sample that every run takes to the count that the figure asks for. */
  readonly full?: Readonly<Record<string, string>>;
  readonly without: Guard;
  /** Raises the sample as far as it takes for what is missing to show, where chance has a part in it. */
  readonly red?: Readonly<Record<string, string>>;
}

export interface Guard {
  /** What is taken away, in words. */
  readonly guard: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly replace: string;
  readonly by: string;
}
