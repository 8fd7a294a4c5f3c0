import { spawnSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock, systemTimers } from "../../src/ops/clock.ts";

describe("the system's clock", () => {
  it("is shifted as the test says, and lengths are not", () => {
    let offset = 0;
    const clock = systemClock(() => offset);
    const before = clock.monotonicMs();
    offset = 86_400_000;
    expect(clock.now() - Date.now()).toBeGreaterThan(86_399_000);
    expect(clock.monotonicMs() - before).toBeLessThan(60_000);
  });
});

describe("the system's timers", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("repeat a task until told otherwise", () => {
    const task = vi.fn();
    const stop = systemTimers().every(5, task);
    vi.advanceTimersByTime(15);
    stop();
    vi.advanceTimersByTime(15);
    expect(task).toHaveBeenCalledTimes(3);
  });

  it("go on after a task failed, now or later, and tell of it", async () => {
    const told: unknown[] = [];
    const timers = systemTimers((error) => {
      told.push(error);
      throw new Error("who is told has errors of his own");
    });
    let runs = 0;
    timers.every(5, () => {
      runs++;
      if (runs === 1) throw new Error("now");
      if (runs === 2) return Promise.reject(new Error("later")) as unknown as undefined;
    });
    await vi.advanceTimersByTimeAsync(15);
    expect(runs).toBe(3);
    expect(told.map((error) => (error as Error).message)).toEqual(["now", "later"]);
  });

  it("elapse once, and not when cancelled", async () => {
    const elapsed: string[] = [];
    const timers = systemTimers();
    void timers.after(5).elapsed.then(() => elapsed.push("first"));
    const second = timers.after(5);
    void second.elapsed.then(() => elapsed.push("second"));
    second.cancel();
    void timers.after(-1).elapsed.then(() => elapsed.push("past"));
    await vi.advanceTimersByTimeAsync(10);
    expect(elapsed).toEqual(["past", "first"]);
  });

  it.each([Number.NaN, 2 ** 31, Number.POSITIVE_INFINITY])(
    "refuse %s, which Node takes for a millisecond",
    (ms) => {
      expect(() => systemTimers().after(ms)).toThrow(RangeError);
      expect(() => systemTimers().every(ms, () => {})).toThrow(RangeError);
    },
  );

  it("do not keep a process alive", () => {
    const script = `
      import { systemTimers } from ${JSON.stringify(new URL("../../src/ops/clock.ts", import.meta.url).href)};
      systemTimers().every(600_000, () => {});
      systemTimers().after(600_000);
    `;
    const { status, signal } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      timeout: 20_000,
    });
    expect({ status, signal }).toEqual({ status: 0, signal: null });
  });
});
