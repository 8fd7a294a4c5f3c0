import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { Writable } from "node:stream";
import { describe, expect, it, onTestFinished } from "vitest";
import { linesOf } from "../../src/domain/audit-entry.ts";
import { Secret } from "../../src/domain/secret.ts";
import { systemTimers } from "../../src/ops/clock.ts";
import { AuditHttpError, makeHttpAuditSink } from "../../src/ops/http-audit-sink.ts";
import { AuditStreamError, makeStreamAuditSink } from "../../src/ops/stream-audit-sink.ts";
import { batchOf } from "../kit/audit-batch.ts";

const BATCH = batchOf(
  "org_abcdefghjk",
  [7, 8].map((sequence) => ({ sequence, fields: { action: "token.issued", purpose: "für Zoë" } })),
);

/** A collector of a firm's: answers what it is told to, one after the other, and remembers what it got. */
async function collector(...answers: (number | "cut" | "silent")[]) {
  const got: { headers: IncomingMessage["headers"]; body: string; url: string | undefined }[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    request.setEncoding("utf8");
    for await (const chunk of request) body += chunk;
    got.push({ headers: request.headers, body, url: request.url });
    const answer = answers.length > 1 ? answers.shift()! : answers[0]!;
    if (answer === "cut") request.socket.destroy();
    else if (answer !== "silent") response.writeHead(answer, { location: "/elsewhere" }).end("ok");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { got, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/audit?x=1` };
}

let tokens = 0;
const sinkTo = (url: string, deadlineMs = 5_000) => {
  const sink = makeHttpAuditSink({
    url,
    token: async () => new Secret(`token-${++tokens}`),
    ca: undefined,
    timers: systemTimers(),
    deadlineMs,
    pauseMs: 1,
  });
  onTestFinished(() => sink.close());
  return sink;
};
const refusedBy = async (sink: ReturnType<typeof sinkTo>) =>
  sink.write(BATCH).catch((error: unknown) => error);

describe("the audit by HTTP", () => {
  it("is posted as JSON lines, with a name for the batch and a token that is read each time", async () => {
    const { got, url } = await collector(204);
    const sink = sinkTo(url);
    await sink.write(BATCH);
    await sink.write(BATCH);
    expect(got.map(({ body }) => body)).toEqual([linesOf(BATCH), linesOf(BATCH)]);
    const at = Number(got[0]!.headers.authorization?.slice("Bearer token-".length));
    expect(got.map(({ headers }) => headers.authorization)).toEqual([
      `Bearer token-${at}`,
      `Bearer token-${at + 1}`,
    ]);
    expect(got[0]).toMatchObject({
      url: "/audit?x=1",
      headers: { "content-type": "application/x-ndjson", "idempotency-key": "org_abcdefghjk:7-8" },
    });
  });

  it("comes again where the receiver was away, busy or cut off, and is acknowledged once it says so", async () => {
    const { got, url } = await collector(503, "cut", 200);
    await sinkTo(url).write(BATCH);
    expect(got).toHaveLength(3);
  });

  it.each([
    [401, 1, "HTTP_401"],
    [302, 1, "HTTP_302"],
    [429, 3, "HTTP_429"],
    [500, 3, "HTTP_500"],
    ["cut" as const, 3, "UND_ERR_SOCKET"],
  ])("%s acknowledges nothing", async (answer, tries, code) => {
    const { got, url } = await collector(answer);
    const error = await refusedBy(sinkTo(url));
    expect(error).toBeInstanceOf(AuditHttpError);
    expect(error).toMatchObject({ code, message: `the audit was not taken by AUDIT_HTTP_URL: ${code}` });
    expect(got).toHaveLength(tries);
  });

  it("waits for no answer longer than it may, and goes nowhere else", async () => {
    const { url } = await collector("silent");
    expect(await refusedBy(sinkTo(url, 50))).toBeInstanceOf(AuditHttpError);
    const { port } = new URL(url);
    expect(await refusedBy(sinkTo(`https://127.0.0.1:${port}/`))).toBeInstanceOf(AuditHttpError);
  });
});

describe("the audit on standard output", () => {
  it("is acknowledged when the stream has taken it, and not before", async () => {
    const taken: string[] = [];
    let take: () => void = () => {};
    const stream = new Writable({
      decodeStrings: false,
      write: (text: string, _encoding, done) => {
        taken.push(text);
        take = done;
      },
    });
    let acknowledged = false;
    const written = makeStreamAuditSink(stream)
      .write(BATCH)
      .then(() => {
        acknowledged = true;
      });
    await new Promise(setImmediate);
    expect([taken.join(""), acknowledged]).toEqual([linesOf(BATCH), false]);
    take();
    await written;
    expect(acknowledged).toBe(true);
  });

  it("is not acknowledged by a stream that breaks, and the process goes on", async () => {
    const stream = new Writable({
      write: (_text, _encoding, done) => done(Object.assign(new Error("canary"), { code: "EPIPE" })),
    });
    const error = await makeStreamAuditSink(stream)
      .write(BATCH)
      .catch((it: unknown) => it);
    expect(error).toBeInstanceOf(AuditStreamError);
    expect(error).toMatchObject({ code: "EPIPE" });
    expect(String(error)).not.toContain("canary");
  });
});
