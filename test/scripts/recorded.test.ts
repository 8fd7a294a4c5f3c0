import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { judge, readRecorded } from "../../scripts/bench/recorded.ts";
import { ROOT } from "./program.ts";

const RECORDED = {
  sync: { "of a loop": { measured: 0.7, better: "more", limit: 0.35 } },
  herd: {
    "p95 seconds": { measured: 0.4, better: "less", limit: 2 },
    errors: { measured: 0, better: "less", limit: 0 },
  },
} as const;

test("a short form fails when its figure is far worse than recorded, and not before", () => {
  expect(judge("sync", RECORDED, { "of a loop": 0.35 })).toEqual([]);
  expect(judge("sync", RECORDED, { "of a loop": 0.349 })).toEqual([
    "bench:sync: of a loop is 0.349, below 0.35, and was 0.7 when it was recorded.",
  ]);
  expect(judge("herd", RECORDED, { "p95 seconds": 2, errors: 0 })).toEqual([]);
  expect(judge("herd", RECORDED, { "p95 seconds": 2.01, errors: 1 })).toHaveLength(2);
});

test("a figure that was not measured, or that nobody recorded, is no good one", () => {
  expect(judge("sync", RECORDED, {})).toEqual(["bench:sync: of a loop was not measured."]);
  expect(judge("sync", RECORDED, { "of a loop": Number.NaN })).toHaveLength(1);
  expect(judge("scale", RECORDED, { bytes: 1 })).toEqual([
    "bench:scale: bytes is not in scripts/bench/recorded.json.",
  ]);
});

test("every bench that is recorded exists, and its limits lie on the worse side of what was measured", async () => {
  for (const [bench, figures] of Object.entries(await readRecorded())) {
    expect(existsSync(join(ROOT, `scripts/bench-${bench}.ts`)), bench).toBe(true);
    for (const [name, { measured, better, limit }] of Object.entries(figures))
      expect(better === "more" ? limit < measured : limit >= measured, `${bench}: ${name}`).toBe(true);
  }
});
