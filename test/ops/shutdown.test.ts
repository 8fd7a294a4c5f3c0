import { EventEmitter } from "node:events";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { LogFields } from "../../src/broker/ports.ts";
import { makeShutdown, onSignals, type SignalledProcess } from "../../src/ops/shutdown.ts";

function logOf() {
  const lines: (LogFields & { message: string })[] = [];
  const write = (fields: LogFields, message: string) => void lines.push({ ...fields, message });
  return { lines, info: write, warn: write, error: write };
}

class FakeProcess extends EventEmitter implements SignalledProcess {
  readonly exits: number[] = [];
  exit(code: number): void {
    this.exits.push(code);
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("shutdown", () => {
  it("walks what was started backwards, one after the other", async () => {
    const shutdown = makeShutdown(logOf());
    const seen: string[] = [];
    for (const name of ["redis", "worker", "listener"]) {
      shutdown.push(name, async () => {
        seen.push(`${name} ends`);
        await Promise.resolve();
        seen.push(`${name} ended`);
      });
    }
    expect(await shutdown.close()).toEqual({ unclean: [] });
    expect(seen).toEqual([
      "listener ends",
      "listener ended",
      "worker ends",
      "worker ended",
      "redis ends",
      "redis ended",
    ]);
  });

  it("goes on behind what hangs, throws or rejects, and says which", async () => {
    const log = logOf();
    const shutdown = makeShutdown(log);
    const last = vi.fn();
    shutdown.push("redis", last);
    shutdown.push("throws", () => {
      throw new Error("canary");
    });
    shutdown.push("rejects", () => Promise.reject(new Error("canary")));
    shutdown.push("hangs", () => new Promise(() => {}), 1_000);
    const closed = shutdown.close();
    await vi.advanceTimersByTimeAsync(999);
    expect(last).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(await closed).toEqual({ unclean: ["hangs", "rejects", "throws"] });
    expect(last).toHaveBeenCalledOnce();
    expect(log.lines).toMatchObject([
      { detail: "hangs", outcome: "hung", elapsedMs: 1_000 },
      { detail: "rejects", outcome: "failed" },
      { detail: "throws", outcome: "failed" },
    ]);
    expect(JSON.stringify(log.lines)).not.toContain("canary");
  });

  it("ends nothing twice, and also what is started while it is under way", async () => {
    const shutdown = makeShutdown(logOf());
    const first = vi.fn();
    const late = vi.fn();
    const tooLate = vi.fn();
    shutdown.push("first", first);
    shutdown.push("starts another", () => shutdown.push("late", late));
    await Promise.all([shutdown.close(), shutdown.close()]);
    shutdown.push("too late", tooLate);
    await shutdown.close();
    for (const close of [first, late, tooLate]) expect(close).toHaveBeenCalledOnce();
  });

  it("leaves no timer behind", async () => {
    const before = vi.getTimerCount();
    const shutdown = makeShutdown(logOf());
    shutdown.push("quick", () => {});
    await shutdown.close();
    expect(vi.getTimerCount()).toBe(before);
  });
});

describe("a signal", () => {
  it.each(["SIGTERM", "SIGINT"])("%s ends what was started, then the process with 0", async (signal) => {
    const [log, target] = [logOf(), new FakeProcess()];
    const shutdown = makeShutdown(log);
    const close = vi.fn();
    shutdown.push("listener", close);
    onSignals({ shutdown, log, process: target });
    target.emit(signal, signal);
    expect(target.exits).toEqual([]);
    await vi.advanceTimersByTimeAsync(0);
    expect(close).toHaveBeenCalledOnce();
    expect(target.exits).toEqual([0]);
  });

  it("ends with 1 where something hung", async () => {
    const [log, target] = [logOf(), new FakeProcess()];
    const shutdown = makeShutdown(log);
    shutdown.push("hangs", () => new Promise(() => {}), 10);
    onSignals({ shutdown, log, process: target });
    target.emit("SIGTERM", "SIGTERM");
    await vi.advanceTimersByTimeAsync(10);
    expect(target.exits).toEqual([1]);
  });

  it("the second one ends the process at once with 1", async () => {
    const [log, target] = [logOf(), new FakeProcess()];
    const shutdown = makeShutdown(log);
    const close = vi.fn(() => new Promise(() => {}));
    shutdown.push("hangs", close);
    onSignals({ shutdown, log, process: target });
    target.emit("SIGTERM", "SIGTERM");
    target.emit("SIGINT", "SIGINT");
    expect(target.exits).toEqual([1]);
    expect(close).toHaveBeenCalledOnce();
  });

  it("is no longer heard once that is wished", () => {
    const [log, target] = [logOf(), new FakeProcess()];
    onSignals({ shutdown: makeShutdown(log), log, process: target })();
    expect(target.eventNames()).toEqual([]);
  });
});
