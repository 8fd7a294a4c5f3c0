import { expect, test } from "vitest";
import type { CallAnswer, CallWish, RateLimitSaid } from "../../src/broker/ports.ts";
import { Problem } from "../../src/domain/problem.ts";
import { Secret } from "../../src/domain/secret.ts";
import { type ApiCallPorts, callApi } from "../../src/imanage/api-call.ts";
import { CallPlaces } from "../../src/imanage/call-places.ts";
import { outboundTo, serverAt, startServer } from "./kit.ts";

const TOKEN = new Secret("sim_at_test");

/** A budget that answers as told, in turn; timers that note how long they were asked to wait. */
async function budgeted(
  answers: readonly (CallAnswer | Problem)[],
  given = { status: 200, headers: {} },
  takesMs = 0,
) {
  let [calls, nowMs] = [0, 0];
  const answer = { ...given };
  const iManage = await startServer((_seen, _req, res) => {
    nowMs += takesMs;
    res.writeHead(answer.status, answer.headers).end("{}");
  });
  const asked: CallWish[] = [];
  const told: RateLimitSaid[] = [];
  const waited: number[] = [];
  const left = [...answers];
  const givenBack: string[] = [];
  const kept: (() => void)[] = [];
  const ports: ApiCallPorts = {
    outbound: outboundTo([iManage.origin]),
    now: Date.now,
    deadlineMs: 5_000,
    places: new CallPlaces({
      monotonicMs: () => nowMs,
      makeCallId: () => `call-${++calls}`,
      timers: {
        after: (ms) => {
          // That long a place is kept that nobody came for: until the test says so.
          if (ms === 200) return { elapsed: new Promise((resolve) => kept.push(resolve)), cancel() {} };
          waited.push(ms);
          return { elapsed: Promise.resolve(), cancel() {} };
        },
      },
      calls: {
        async ask(_server, wish) {
          asked.push(wish);
          const next = left.shift() ?? wait(60_000);
          if (next instanceof Problem) throw next;
          return next;
        },
        async tell(_server, _call, said) {
          told.push(said);
        },
        async giveBack(_server, call) {
          givenBack.push(call);
        },
      },
    }),
  };
  const call = (priority: CallWish["priority"], path = "/libraries/ACTIVE/documents") =>
    callApi(ports, serverAt(iManage.origin), new URL(path, iManage.origin), TOKEN, priority);
  const pass = async (ms: number) => {
    nowMs += ms;
    if (ms > 200) for (const elapse of kept.splice(0)) elapse();
    await new Promise(setImmediate);
  };
  return { call, asked, told, waited, givenBack, pass, answer, iManage };
}

const go = (afterMs = 0): CallAnswer => ({ kind: "go", afterMs });
const wait = (waitMs: number): CallAnswer => ({ kind: "wait", waitMs, why: "paced" });

test("a call leaves when the budget lets it go, and tells what iManage said of its limits", async () => {
  const headers = { "x-ratelimit-remaining": "17", "x-ratelimit-reset": "40" };
  const kit = await budgeted([go(300)], { status: 200, headers });
  expect(await kit.call("scan")).toEqual({ kind: "ok", value: {} });
  expect(kit.waited).toEqual([300]);
  expect(kit.asked[0]).toMatchObject({ priority: "scan", asker: "/libraries/ACTIVE/documents" });
  expect(kit.told).toEqual([{ window: { remaining: 17, resetMs: 40_000 } }]);
});

test("a short wait is waited for; at a longer one nothing is sent, and the caller hears how long it is", async () => {
  const kit = await budgeted([wait(250), go(), wait(600), wait(30_000)]);
  expect((await kit.call("quick")).kind).toBe("ok");
  expect(kit.asked.map(({ patienceMs }) => patienceMs)).toEqual([1_000, 750]);
  expect(await kit.call("scan")).toEqual({ kind: "throttled", retryAfterMs: 30_000 });
  expect(kit.waited).toEqual([250, 600]);
  expect([kit.iManage.seen.length, kit.told.length]).toEqual([1, 1]);
});

test.each([
  ["Retry-After", { "retry-after": "70", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "9" }, 70_000],
  ["the end of the window", { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "9" }, 9_000],
  ["nothing", {}, 5_000],
])("F07 a 429 that says %s is a pause for everybody", async (_says, headers, waitMs) => {
  const kit = await budgeted([go()], { status: 429, headers });
  expect(await kit.call("quick")).toEqual({ kind: "throttled", retryAfterMs: waitMs });
  expect(kit.told).toMatchObject([{ waitMs }]);
});

test("with the store away whoever waits is served, and nobody else", async () => {
  const away = new Problem("store_unavailable");
  const kit = await budgeted([away, away]);
  expect((await kit.call("interactive")).kind).toBe("ok");
  await expect(kit.call("scan")).rejects.toThrow(away);
  expect(kit.iManage.seen).toHaveLength(1);
});

test("a call that fails gives its place back", async () => {
  const kit = await budgeted([go()], { status: 503, headers: {} });
  expect(await kit.call("scan")).toEqual({ kind: "unavailable", reason: "status_503" });
  expect(kit.told).toEqual([{}]);
});

test("the place of a scan's next page is asked for while this one is under way, takes over its place, and is used once", async () => {
  const kit = await budgeted([go(), go(), go(), wait(60_000)]);
  await kit.call("scan");
  expect(kit.asked.map(({ call, follows }) => [call, follows])).toEqual([
    ["call-1", undefined],
    ["call-2", "call-1"],
  ]);
  await kit.pass(190);
  await kit.call("scan");
  expect(kit.asked.map(({ call, follows }) => [call, follows]).slice(2)).toEqual([["call-3", "call-2"]]);
  expect(kit.iManage.seen).toHaveLength(2);
  await kit.call("quick", "/libraries/ACTIVE/documents/7");
  expect(kit.asked.slice(3)).toMatchObject([{ priority: "quick" }]);
});

test("a place that was asked for more than a fifth of a second ago, before whatever iManage said since, is given back and asked for anew", async () => {
  const kit = await budgeted([go(), go(), go()], undefined, 201);
  await kit.call("scan");
  await kit.call("scan");
  expect(kit.givenBack).toEqual(["call-2"]);
  expect(kit.asked[2]).toMatchObject({ call: "call-3" });
  expect(kit.asked[2]).not.toHaveProperty("follows");
});

test("the place behind the last page is given back", async () => {
  const kit = await budgeted([go(), go()]);
  await kit.call("scan");
  await kit.pass(199);
  expect(kit.givenBack).toEqual([]);
  await kit.pass(201);
  expect(kit.givenBack).toEqual(["call-2"]);
});

test("where no place can be had ahead, it is asked for when it is that page's turn", async () => {
  const kit = await budgeted([go(), wait(600), go(), new Problem("store_unavailable")]);
  await kit.call("scan");
  expect((await kit.call("scan")).kind).toBe("ok");
  expect(kit.asked.map(({ patienceMs }) => patienceMs)).toEqual([1_000, 250, 1_000, 250]);
  expect(kit.givenBack).toEqual([]);
});

test("F07 a place that was granted before a 429 came is given back, and the scan waits like everybody", async () => {
  const kit = await budgeted([go(), go(), go(), wait(60_000)]);
  await kit.call("scan");
  kit.answer.status = 429;
  await kit.call("quick", "/libraries/ACTIVE/documents/7");
  expect(kit.givenBack).toEqual(["call-2"]);
  expect(await kit.call("scan")).toEqual({ kind: "throttled", retryAfterMs: 60_000 });
  expect(kit.iManage.seen).toHaveLength(2);
});
