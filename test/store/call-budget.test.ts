import { beforeEach, expect, it } from "vitest";
import type { ServerId } from "../../src/domain/id.ts";
import { minutes, seconds } from "../../src/domain/instant.ts";
import type { CallPriority } from "../../src/domain/server-gate.ts";
import { serverGateKey } from "../../src/store/keys.ts";
import { RedisCallBudget } from "../../src/store/redis-call-budget.ts";
import type { RedisStore } from "../../src/store/redis-store.ts";
import { identities, redisFor } from "../sync/kit.ts";

/** iManage's side as the simulator does it: a fixed window, told in whole seconds. */
class Window {
  refused = 0;
  readonly times: number[] = [];
  #endsAt = 0;
  #left = 0;

  readonly limit: number;
  readonly lengthMs: number;
  readonly headers: boolean;

  constructor(limit: number, lengthMs: number, headers = true) {
    this.limit = limit;
    this.lengthMs = lengthMs;
    this.headers = headers;
  }

  get left(): number {
    return this.#left;
  }

  call(now: number) {
    if (now >= this.#endsAt) {
      this.#endsAt = now + this.lengthMs;
      this.#left = this.limit;
    }
    const resetMs = Math.max(seconds(1), Math.ceil((this.#endsAt - now) / 1_000) * 1_000);
    const refused = this.#left === 0;
    if (refused) this.refused += 1;
    else this.#left -= 1;
    this.times.push(now);
    return {
      ...(refused && { waitMs: resetMs }),
      ...(this.headers && { window: { remaining: this.#left, resetMs } }),
    };
  }
}

let offset: { ms: number };
let store: RedisStore;
let server: ServerId;
let budgets: RedisCallBudget[];
let calls = 0;

beforeEach(async () => {
  offset = { ms: 0 };
  ({ store } = await redisFor(offset));
  server = identities().server;
  // Two replicas.
  budgets = [new RedisCallBudget(store), new RedisCallBudget(store)];
});

const wish = (call: string, priority: CallPriority, patienceMs: number) => ({
  call,
  asker: call,
  priority,
  patienceMs,
});

interface Caller {
  readonly priority: CallPriority;
  /** Asks again so long after its answer. */
  readonly everyMs: number;
  readonly answerMs: number;
}

/** Callers in shifted time, each with one call at a time, as a run is; answers when each was let go. */
async function during(lengthMs: number, at: Window, callers: readonly Caller[]) {
  const began = performance.now() + offset.ms;
  const gone = callers.map((): number[] => []);
  const waited = callers.map((): number[] => []);
  const queue = callers.map((caller, i) => ({ at: 0, i, caller, wantedAt: 0, call: "", sent: false }));
  for (;;) {
    queue.sort((a, b) => a.at - b.at);
    const next = queue[0]!;
    if (next.at >= lengthMs) return { gone, waited };
    const now = performance.now() + offset.ms - began;
    offset.ms += Math.max(0, next.at - now);
    const budget = budgets[next.i % 2]!;
    if (next.sent) {
      await budget.tell(server, next.call, at.call(next.at));
      Object.assign(next, {
        sent: false,
        at: next.at + next.caller.everyMs,
        wantedAt: next.at + next.caller.everyMs,
      });
      continue;
    }
    next.call = `call-${calls++}`;
    const answer = await budget.ask(server, {
      call: next.call,
      asker: `scan ${next.i}`,
      priority: next.caller.priority,
      patienceMs: seconds(1),
    });
    if (answer.kind === "go") {
      gone[next.i]!.push(next.at + answer.afterMs);
      waited[next.i]!.push(next.at + answer.afterMs - next.wantedAt);
      Object.assign(next, { sent: true, at: next.at + answer.afterMs + next.caller.answerMs });
    } else {
      next.at += Math.max(1, answer.waitMs);
    }
  }
}

const scan: Caller = { priority: "scan", everyMs: 1, answerMs: 40 };

it("eight scans spread what remains of a window, leave what is kept for people, and are never refused", async () => {
  const window = new Window(50, seconds(15));
  const lows: number[] = [];
  const watched = Object.assign(Object.create(window) as Window, {
    call(now: number) {
      const said = window.call(now);
      lows.push(window.left);
      return said;
    },
  });
  const { gone } = await during(
    seconds(30),
    watched,
    Array.from({ length: 8 }, () => scan),
  );
  const first = window.times.filter((at) => at < seconds(15));
  const half = first.filter((at) => at < seconds(7.5)).length;
  console.log(
    `figure: 50 calls each quarter of a minute, 8 scans, two windows: ${window.times.length} calls, ${window.refused} refused, ` +
      `${half} of ${first.length} in the first half, never fewer than ${Math.min(...lows)} left`,
  );
  expect(window.refused).toBe(0);
  expect(Math.min(...lows)).toBeGreaterThanOrEqual(50 * 0.2);
  // Nearly all that they may have, and not at once.
  expect(window.times.length).toBeGreaterThan(2 * 50 * 0.7 * 0.8);
  expect(half / first.length).toBeLessThan(0.62);
  const shares = gone.map((times) => times.length);
  expect(Math.max(...shares)).toBeLessThanOrEqual(2 * Math.min(...shares));
});

it("beside eight scans a short call waits a second at most, those of whom somebody waits not at all, and nothing is refused although these use the same window", async () => {
  const window = new Window(100, seconds(15));
  const { waited } = await during(seconds(30), window, [
    { priority: "quick", everyMs: seconds(2.5), answerMs: 40 },
    { priority: "interactive", everyMs: seconds(1.5), answerMs: 40 },
    ...Array.from({ length: 8 }, () => scan),
  ]);
  console.log(
    `figure: beside 8 scans a short call waited ${Math.max(...waited[0]!)} ms at most, ${window.refused} refused`,
  );
  expect(waited[0]!.length).toBeGreaterThan(10);
  expect(Math.max(...waited[0]!)).toBeLessThanOrEqual(seconds(1));
  expect(Math.max(...waited[1]!)).toBe(0);
  expect(window.refused).toBe(0);
});

it("short calls that want more than there is leave a part to the scans", async () => {
  const window = new Window(75, seconds(15));
  const { gone } = await during(seconds(30), window, [
    ...Array.from({ length: 5 }, (): Caller => ({ ...scan, priority: "quick" })),
    ...Array.from({ length: 3 }, () => scan),
  ]);
  const scans = gone.slice(5).reduce((sum, times) => sum + times.length, 0);
  expect(scans / window.times.length).toBeGreaterThan(0.04);
  expect(window.refused).toBe(0);
});

it("a 429 that tells nothing of the window makes calls rarer until few are refused (F07)", async () => {
  const window = new Window(30, seconds(30), false);
  await during(
    minutes(2),
    window,
    Array.from({ length: 6 }, () => scan),
  );
  console.log(
    `figure: 429 alone, 30 each half minute, four of them: ${window.times.length} calls, ${window.refused} refused`,
  );
  expect(window.refused).toBeLessThanOrEqual(4 * 5);
  expect(window.times.length).toBeGreaterThan(4 * 30 * 0.5);
});

it("a 429 holds everyone until its time is over, and not longer (F07)", async () => {
  const [budget, other] = budgets as [RedisCallBudget, RedisCallBudget];
  const inFlight = await budget.ask(server, wish("in flight", "quick", 0));
  expect(inFlight).toEqual({ kind: "go", afterMs: 0 });
  await budget.ask(server, wish("refused", "scan", 0));
  await budget.tell(server, "refused", { waitMs: seconds(70) });
  // What had left before is answered well, and another 429 asks for less: neither cuts it short.
  await other.tell(server, "in flight", {});
  await other.tell(server, "another", { waitMs: seconds(5) });
  for (const priority of ["interactive", "quick", "scan"] as const) {
    const answer = await other.ask(server, wish("later", priority, seconds(1)));
    expect(answer).toMatchObject({ kind: "wait", why: "throttled" });
    expect(Math.abs((answer.kind === "wait" ? answer.waitMs : 0) - seconds(70))).toBeLessThan(seconds(1));
  }
  offset.ms += seconds(70);
  for (const priority of ["interactive", "quick", "scan"] as const)
    expect(await other.ask(server, wish(`then ${priority}`, priority, seconds(1)))).toMatchObject({
      kind: "go",
    });
});

it("calls whose process died give their places back", async () => {
  const [budget] = budgets as [RedisCallBudget, RedisCallBudget];
  const asked = [];
  for (let i = 0; i < 6; i++) asked.push(await budget.ask(server, wish(`dead ${i}`, "scan", seconds(1))));
  expect(asked.filter(({ kind }) => kind === "go")).toHaveLength(4);
  expect(asked.at(-1)).toMatchObject({ kind: "wait", why: "busy" });
  // A short one finds a place all the same.
  expect(await budget.ask(server, wish("short", "quick", seconds(1)))).toMatchObject({ kind: "go" });
  offset.ms += minutes(3);
  expect(await budget.ask(server, wish("next", "scan", seconds(1)))).toMatchObject({ kind: "go" });
});

it("a server that tells its limits no more is asked as one that never did", async () => {
  const [budget] = budgets as [RedisCallBudget, RedisCallBudget];
  await budget.ask(server, wish("a", "quick", 0));
  await budget.tell(server, "a", { window: { remaining: 1, resetMs: seconds(60) } });
  expect(await budget.ask(server, wish("b", "scan", 0))).toMatchObject({ kind: "wait" });
  await budget.tell(server, "b", {});
  expect(await budget.ask(server, wish("c", "scan", 0))).toMatchObject({ kind: "go" });
  expect(await store.call((redis) => redis.hget(serverGateKey(server), "left"))).toBeNull();
});

it("a scan's next page takes over the place of the one that is under way, so that a scan never has two", async () => {
  const [budget] = budgets as [RedisCallBudget];
  const one = new RedisCallBudget(store, { scanCalls: 1 });
  expect(await one.ask(server, wish("first", "scan", 1_000))).toMatchObject({ kind: "go" });
  expect(await one.ask(server, wish("other", "scan", 1_000))).toMatchObject({ kind: "wait", why: "busy" });
  expect(await one.ask(server, { ...wish("next", "scan", 1_000), follows: "first" })).toMatchObject({
    kind: "go",
  });
  await budget.tell(server, "first", {});
  expect(await one.ask(server, wish("other", "scan", 1_000))).toMatchObject({ kind: "wait", why: "busy" });
  await budget.tell(server, "next", {});
  expect(await one.ask(server, wish("other", "scan", 1_000))).toMatchObject({ kind: "go" });
});

it("whoever follows a call that has ended has a place only if there is one", async () => {
  const one = new RedisCallBudget(store, { scanCalls: 1 });
  await one.ask(server, wish("first", "scan", 1_000));
  await one.tell(server, "first", {});
  await one.ask(server, wish("other", "scan", 1_000));
  expect(await one.ask(server, { ...wish("next", "scan", 1_000), follows: "first" })).toMatchObject({
    kind: "wait",
    why: "busy",
  });
});

it("a place that is given back counts neither as under way nor in what iManage's window has left", async () => {
  const one = new RedisCallBudget(store, { scanCalls: 1 });
  await one.ask(server, wish("first", "scan", 1_000));
  await one.tell(server, "first", { window: { remaining: 500, resetMs: minutes(1) } });
  const left = () => store.call((redis) => redis.hget(serverGateKey(server), "left"));
  await one.ask(server, wish("unused", "scan", 1_000));
  expect(await left()).toBe("499");
  await one.giveBack(server, "unused");
  await one.giveBack(server, "unused");
  expect(await left()).toBe("500");
  expect(await one.ask(server, wish("other", "scan", 1_000))).toMatchObject({ kind: "go" });
});
