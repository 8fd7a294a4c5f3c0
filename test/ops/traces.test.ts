import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import { describe, expect, it, onTestFinished } from "vitest";
import type { GrantId } from "../../src/domain/id.ts";
import { Problem } from "../../src/domain/problem.ts";
import { makeOtelTracer } from "../../src/ops/otel-tracer.ts";
import { traceRequests } from "../../src/ops/trace-requests.ts";
import { brokerProcess } from "../kit/broker-process.ts";
import { type CollectedSpan, collector, pathOf } from "../kit/collector.ts";
import { expireSoon } from "../kit/expire.ts";
import { allDue } from "../kit/many-grants.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { AMELIA, world } from "../kit/world.ts";

/** What may stand in a trace, besides names. */
const ALLOWED = [
  ...["http.request.method", "http.route", "http.response.status_code"],
  ...["outcome", "code", "request", "grant", "server", "sync", "subscription", "count"].map(
    (it) => `broker.${it}`,
  ),
];
const NAMES =
  /^([A-Z]+ (\/[\w:.{}-]+)+|redis [a-z-]+|imanage (token|api|revoke)|webhook|outbound|(add|job) [a-z-]+)$/;
const CALLERS = "0af7651916cd43dd8448eb211c80319c";

async function ownTracer(ratio = 1) {
  const sink = await collector();
  const tracer = makeOtelTracer({ url: sink.url, ratio, role: "test" });
  onTestFinished(() => tracer.close());
  return { sink, tracer };
}

it("a token request is one trace from HTTP through Redis to iManage, a worker's refresh is one from the job's making on, and neither holds a token, a name or an address", {
  timeout: 60_000,
}, async () => {
  const sink = await collector();
  const here = await world({ redisUrl: (await ownRedisForThisTest()).url });
  const traces = { TRACES_URL: sink.url, TRACES_RATIO: "1", TRACES_ACCEPT_PARENT: "true" };
  const broker = await brokerProcess(here, "all", traces);
  await here.connect();
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const { grant } = (await here.client.accessToken(ask)).body;

  await expireSoon(here, grant, -1);
  const client = here.clientOf(broker.base);
  expect((await client.call("GET", "/v1/grants?state=never-shown")).status).toBe(400);
  const answer = await client.call("POST", "/v1/access-tokens", ask, {
    traceparent: `00-${CALLERS}-b7ad6b7169203331-01`,
  });
  expect(answer.status).toBe(200);
  const asked = await sink.trace(({ name }) => name === "POST /v1/access-tokens");
  const named = (spans: readonly CollectedSpan[], name: string) => spans.find((span) => span.name === name)!;
  const request = named(asked, "POST /v1/access-tokens");
  expect(request).toMatchObject({
    traceId: CALLERS,
    parentSpanId: "b7ad6b7169203331",
    role: "http+worker",
    attributes: {
      "http.route": "/v1/access-tokens",
      "http.response.status_code": 200,
      "broker.request": answer.headers.get("x-request-id"),
    },
  });
  for (const step of ["redis vend", "redis refresh-begin", "imanage token", "redis refresh-commit"])
    expect(pathOf(asked, named(asked, step))[0], step).toBe(request.name);
  expect(named(asked, "imanage token").attributes).toMatchObject({ "http.response.status_code": 200 });

  await allDue(here, [grant as GrantId]);
  await here.broker.reconcile();
  const refreshed = await sink.trace(({ name }) => name === "job refresh-grant");
  expect(named(refreshed, "job refresh-grant").attributes).toEqual({ "broker.grant": grant });
  for (const step of ["redis refresh-begin", "imanage token", "redis refresh-commit"])
    expect(pathOf(refreshed, named(refreshed, step))).toEqual([
      "add refresh-grant",
      "job refresh-grant",
      step,
    ]);
  // As it ends it sends what it has.
  await client.call("GET", "/v1/clients");
  broker.signal("SIGTERM");
  expect(await broker.exited).toBe(0);
  expect(sink.spans.some(({ name }) => name === "GET /v1/clients")).toBe(true);

  for (const { name, attributes } of sink.spans) {
    expect(name).toMatch(NAMES);
    for (const [key, value] of Object.entries(attributes)) {
      expect(ALLOWED).toContain(key);
      expect(String(value)).toMatch(/^[\w:./{}-]*$/);
    }
  }
  for (const secret of ["amelia", "never-shown", "sim_", "imb_", here.simulator.origin])
    expect(sink.bodies.join("\n")).not.toContain(secret);
});

describe("a caller's trace", () => {
  async function asked(acceptParent: boolean, traceparent: string) {
    const { sink, tracer } = await ownTracer();
    const app = express();
    app.use(traceRequests(tracer, acceptParent));
    app.get("/things/:id", (_request, response) => void response.end(tracer.parent));
    const server = createServer(app).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/things/7?token=x`;
    const answer = await fetch(url, { headers: { traceparent, connection: "close" } });
    const [span] = await Promise.all([
      sink.trace(({ name }) => name === "GET /things/:id").then((spans) => spans[0]!),
      tracer.close(),
    ]);
    return { span, underWay: await answer.text() };
  }
  const CALLER = `00-${CALLERS}-b7ad6b7169203331-01`;

  it("is gone on from where that is configured, and nowhere else", async () => {
    expect((await asked(true, CALLER)).span).toMatchObject({
      traceId: CALLERS,
      parentSpanId: "b7ad6b7169203331",
    });
    const { span, underWay } = await asked(false, CALLER);
    expect(span.traceId).not.toBe(CALLERS);
    expect(underWay).toBe(`00-${span.traceId}-${span.spanId}-01`);
  });

  it.each([
    ["another version", CALLER.replace("00-", "01-")],
    ["no trace", `00-${"0".repeat(32)}-b7ad6b7169203331-01`],
    ["capitals", CALLER.toUpperCase()],
    ["something else", "amelia.hart@firm.example"],
  ])("that is malformed (%s) begins one of our own", async (_, traceparent) => {
    const { span } = await asked(true, traceparent);
    expect(span.traceId).not.toBe(CALLERS);
    expect(span.parentSpanId ?? "").toBe("");
  });
});

describe("spans", () => {
  it("are made only within one that has begun, and none is sent of a trace that was not drawn", async () => {
    const { sink, tracer } = await ownTracer();
    await tracer.span("redis command", {}, async () => expect(tracer.parent).toBeUndefined());
    const never = await ownTracer(0);
    await never.tracer.span("add sync", {}, async () => expect(never.tracer.parent).toMatch(/-00$/), {
      kind: "producer",
    });
    await Promise.all([tracer.close(), never.tracer.close()]);
    expect([...sink.spans, ...never.sink.spans]).toEqual([]);
  });

  it("of work that failed say which problem, and never what a foreign error says", async () => {
    const { sink, tracer } = await ownTracer();
    const fail = (error: Error) =>
      expect(tracer.span("job sync", {}, () => Promise.reject(error), { kind: "consumer" })).rejects.toBe(
        error,
      );
    await fail(new Problem("store_unavailable"));
    await fail(new TypeError("fetch of https://x.example/?refresh_token=abc failed"));
    await tracer.close();
    expect(sink.spans.map(({ status }) => status.message)).toEqual(["store_unavailable", "TypeError"]);
    expect(sink.bodies.join("")).not.toContain("refresh_token");
  });

  it("that no collector takes cost the work nothing", async () => {
    const tracer = makeOtelTracer({
      url: "http://127.0.0.1:1/v1/traces",
      ratio: 1,
      role: "test",
      sendEveryMs: 1,
    });
    for (let i = 0; i < 20; i++)
      expect(await tracer.span("add sync", {}, async () => i, { kind: "producer" })).toBe(i);
    await tracer.close();
  });
});
