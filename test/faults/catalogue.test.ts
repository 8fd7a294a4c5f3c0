import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { FAULTS_KNOWN, faults } from "./catalogue.ts";

describe("the catalogue of faults", () => {
  it("names each fault once, from F01 to F40", () => {
    const ids = faults.map(({ id }) => id);
    expect(ids).toEqual([...new Set(ids)]);
    const known = Array.from({ length: FAULTS_KNOWN }, (_, i) => `F${String(i + 1).padStart(2, "0")}`);
    expect(ids.filter((id) => !known.includes(id))).toEqual([]);
  });

  const proofs = faults.flatMap(({ id, proofs }) => proofs.map((proof) => ({ id, ...proof })));
  it.each(proofs)("$id: $file holds “$title”, and its guard can be taken away", async (proof) => {
    expect(await readFile(proof.file, "utf8"), "the test's title").toContain(proof.title);
    const { file, replace, by, guard } = proof.without;
    expect((await readFile(file, "utf8")).split(replace).length - 1, `“${guard}” in ${file}`).toBe(1);
    expect(by).not.toBe(replace);
  });
});
