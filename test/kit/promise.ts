import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";

/** What must hold when one fault happens, or one threat is tried, and the tests that prove it. */
export interface ProvenPromise {
  readonly id: string;
  /** What holds, in one sentence. */
  readonly promise: string;
  readonly proofs: readonly Proof[];
  /** What the proofs leave open, in a sentence. As long as it is here, the id does not count as proven. */
  readonly open?: string;
  /** Where what is proven is not what was first asked for, and why. */
  readonly differs?: string;
}

/**
 * Tests, and the guard whose removal turns them red: a test that stays green without what it is about proves nothing.
 * `npm run verify:faults` and `verify:threats` run both; `scripts/test` sees to it that every entry still names a test
 * and a guard.
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

/** All promises of one kind, of which the numbers 01 to `known` were thought of. */
export interface Catalogue {
  readonly of: "faults" | "threats";
  readonly letter: "F" | "T";
  readonly known: number;
  readonly promises: readonly ProvenPromise[];
}

/** F01, F02, … */
export const idsOf = ({ letter, known }: Catalogue): readonly string[] =>
  Array.from({ length: known }, (_, i) => `${letter}${String(i + 1).padStart(2, "0")}`);

/** What `scripts/test` asks of a catalogue: that nothing it names has gone. */
export function describeCatalogue(catalogue: Catalogue): void {
  describe(`the catalogue of ${catalogue.of}`, () => {
    const ids = catalogue.promises.map(({ id }) => id);
    const known = idsOf(catalogue);

    it(`names each once, from ${known[0]} to ${known.at(-1)}`, () => {
      expect(ids).toEqual([...new Set(ids)]);
      expect(ids.filter((id) => !known.includes(id))).toEqual([]);
    });

    it("says of each either what proves it or what is open", () => {
      const silent = catalogue.promises.filter(
        ({ proofs, open }) => proofs.length === 0 && open === undefined,
      );
      expect(silent.map(({ id }) => id)).toEqual([]);
    });

    const proofs = catalogue.promises.flatMap(({ id, proofs }) => proofs.map((proof) => ({ id, ...proof })));
    it.each(proofs)("$id: $file holds “$title”, and its guard can be taken away", async (proof) => {
      expect(await readFile(proof.file, "utf8"), "the test's title").toContain(proof.title);
      const { file, replace, by, guard } = proof.without;
      expect((await readFile(file, "utf8")).split(replace).length - 1, `“${guard}” in ${file}`).toBe(1);
      expect(by).not.toBe(replace);
    });
  });
}
