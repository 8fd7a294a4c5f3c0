import { createServer, get, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import { expect, onTestFinished, test } from "vitest";
import { sendLines } from "../../src/http/send-lines.ts";

const LINE = { text: "x".repeat(10_000) };
const deps = {
  settings: { publicBaseUrl: "https://broker.example.com", supportContact: "us" },
  log: { error() {} },
};

/** Lines without end, and how many were asked for. */
async function lines(stalledMs?: number) {
  const seen = { told: 0, ended: Promise.withResolvers<void>() };
  const app = express().get("/", async (_request, response) => {
    const closed = new AbortController();
    response.once("close", () => closed.abort());
    async function* endless() {
      while (!closed.signal.aborted) {
        seen.told++;
        yield LINE;
      }
    }
    await sendLines(deps as never, response, endless(), stalledMs);
    seen.ended.resolve();
  });
  const server = createServer(app).listen(0, "127.0.0.1");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise((resolve) => server.once("listening", resolve));
  const answer = await new Promise<IncomingMessage>((resolve) =>
    get({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" }, resolve),
  );
  return { seen, answer };
}

/** Until nothing more is asked for, however often others have had their turn. */
async function settled(seen: { told: number }): Promise<number> {
  for (let quiet = 0, last = -1; quiet < 200; quiet = last === seen.told ? quiet + 1 : 0) {
    last = seen.told;
    await new Promise(setImmediate);
  }
  return seen.told;
}

test("a reader who takes nothing is told no more than the sockets hold, and everything once he reads", async () => {
  const { seen, answer } = await lines();
  const held = await settled(seen);
  // Tens of megabytes would be thousands of lines.
  expect(held).toBeLessThan(2_000);
  let read = 0;
  for await (const chunk of answer) {
    read += chunk.length;
    if (read > 2 * held * 10_000) break;
  }
  expect(seen.told).toBeGreaterThan(held);
  await seen.ended.promise;
});

test("a reader who takes nothing for too long is let go", async () => {
  const { seen, answer } = await lines(50);
  answer.on("error", () => {});
  await seen.ended.promise;
  const told = seen.told;
  expect(await settled(seen)).toBe(told);
});
