import { expect, it } from "vitest";
import { jobStarts, judgeStart } from "../../src/domain/job-starts.ts";

it.each([
  [0, undefined, "run"],
  [1, undefined, "run_alone"],
  [2, undefined, "run_alone"],
  [3, undefined, "put_aside"],
  // While it is put aside, whoever asks for it again.
  [3, 1, "put_aside"],
  [3, jobStarts.coolDownMs, "put_aside"],
  // The time is over: one more try, and nobody beside it.
  [3, 0, "run_alone"],
  // That try ended as all before.
  [4, undefined, "put_aside"],
  [4, 0, "run_alone"],
] as const)(
  "after %i starts without an orderly end, %s ms left of the time aside: %s",
  (starts, asideMs, verdict) => {
    expect(judgeStart({ starts, asideMs, running: false })).toBe(verdict);
  },
);

it.each([0, 1, 2, 3, 4])("beside a run that lives nothing is said of its start, the last of %i", (starts) => {
  expect(judgeStart({ starts, asideMs: undefined, running: true })).toBe("leave");
});

it("the time aside ends long before the starts are forgotten, or the next try would begin anew", () => {
  expect(jobStarts.coolDownMs * 2).toBeLessThan(jobStarts.forgetMs);
});
