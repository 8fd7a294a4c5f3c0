import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import express, { Router } from "express";
import { describe, expect, it, onTestFinished } from "vitest";
import { accessLog } from "../../src/ops/access-log.ts";
import type { RequestLine } from "../../src/ops/log.ts";

async function listening() {
  const lines: RequestLine[] = [];
  const waiting: (() => void)[] = [];
  let monotonicMs = 1_000;
  const app = express();
  app.use(
    accessLog(
      {
        request(line) {
          lines.push(line);
          for (const wake of waiting.splice(0)) wake();
        },
      },
      { monotonicMs: () => (monotonicMs += 5) },
    ),
  );
  app.use((_req, res, next) => {
    res.locals.requestId = "req-1";
    next();
  });
  app.get("/v1/grants/:grant", (_req, res) => void res.json({}));
  app.get("/stuck", () => {});
  app.get("/broken", () => {
    throw Object.assign(new Error("canary"), { status: 500 });
  });
  const inner = Router({ mergeParams: true }).get("/", (_req, res) => void res.json({}));
  app.use("/v1/sessions/:handle", inner);
  app.use(((_error, _req, res, _next) => void res.status(500).json({})) as express.ErrorRequestHandler);
  const server = createServer(app).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const port = (server.address() as AddressInfo).port;
  const next = () => new Promise<void>((resolve) => waiting.push(resolve));
  return { lines, next, port, url: `http://127.0.0.1:${port}` };
}

describe("the access log", () => {
  it.each([
    ["/v1/grants/canary?code=canary", "/v1/grants/:grant", 200],
    ["/v1/sessions/CANARY_handle", "/v1/sessions/:", 200],
    ["/canary/../canary?x=canary", "unmatched", 404],
    ["/broken?canary", "/broken", 500],
  ])("tells of %s the pattern alone", async (path, route, status) => {
    const { lines, next, url } = await listening();
    const line = next();
    await fetch(url + path).then((answer) => answer.text());
    await line;
    expect(lines).toEqual([{ method: "GET", route, status, elapsedMs: 5, requestId: "req-1" }]);
    expect(JSON.stringify(lines).toLowerCase()).not.toContain("canary");
  });

  it("tells that a caller went away, once", async () => {
    const { lines, next, port } = await listening();
    const call = request({ port, host: "127.0.0.1", path: "/stuck" });
    call.on("error", () => {});
    call.on("socket", (socket) => socket.once("connect", () => setImmediate(() => call.destroy())));
    call.end();
    await next();
    expect(lines).toMatchObject([{ route: "/stuck", outcome: "aborted" }]);
  });
});
