import type { Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { Secret } from "../../src/domain/secret.ts";
import { ImanageApi } from "../../src/imanage/imanage-api.ts";
import { ImanageAuthorizationServer } from "../../src/imanage/imanage-authorization-server.ts";
import { credentials, outboundTo, serverAt, startListener, startServer } from "./kit.ts";

const MiB = 1024 * 1024;
const CHUNK = Buffer.alloc(64 * 1024, 0x61);
const BOMB = gzipSync(Buffer.alloc(64 * MiB));
const DEEP = Buffer.from("[".repeat(100_000));
const WIDE = Buffer.from(`{${Array.from({ length: 20_000 }, (_, i) => `"k${i}":{}`).join(",")}}`);

/** Writes `bytes` of body as fast as they are taken. */
function pour(socket: Socket, bytes: number): void {
  let left = bytes;
  const more = (): void => {
    while (left > 0 && !socket.destroyed) {
      left -= CHUNK.length;
      if (!socket.write(CHUNK)) return void socket.once("drain", more);
    }
  };
  more();
}

const whole =
  (body: Buffer, ...headers: string[]) =>
  (socket: Socket) =>
    socket.write(
      Buffer.concat([
        Buffer.from(
          ["HTTP/1.1 200 OK", `Content-Length: ${body.length}`, "Connection: close", ...headers, "", ""].join(
            "\r\n",
          ),
        ),
        body,
      ]),
    );

/** Each with what a token call makes of it and what a call of the API does. */
const HOSTILE: readonly [string, (socket: Socket) => void, string, string][] = [
  [
    "a body of 64 MiB",
    (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${64 * MiB}\r\n\r\n`);
      pour(socket, 64 * MiB);
    },
    "unknown",
    "unavailable",
  ],
  [
    "a body without end, in chunks",
    (socket) => {
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40000000\r\n");
      pour(socket, 64 * MiB);
    },
    "unknown",
    "unavailable",
  ],
  [
    "one byte at a time",
    (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{"a":"');
      const drip = setInterval(() => socket.write("a"), 20);
      socket.on("close", () => clearInterval(drip));
    },
    "unknown",
    "unavailable",
  ],
  [
    "a head, one byte at a time",
    (socket) => {
      socket.write("HTTP/1.1 200 OK\r\nx: ");
      const drip = setInterval(() => socket.write("a"), 20);
      socket.on("close", () => clearInterval(drip));
    },
    "unknown",
    "unavailable",
  ],
  ["a gzip bomb of 64 MiB", whole(BOMB, "Content-Encoding: gzip"), "refused", "unavailable"],
  ["JSON of depth 100,000", whole(DEEP), "refused", "unavailable"],
  ["JSON of 20,000 members", whole(WIDE), "refused", "unavailable"],
  [
    "a head of 10 MiB",
    (socket) => {
      socket.write("HTTP/1.1 200 OK\r\nx: ");
      pour(socket, 10 * MiB);
    },
    "unknown",
    "unavailable",
  ],
  [
    "a hundred thousand headers",
    (socket) => socket.write(`HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(100_000)}\r\n`),
    "unknown",
    "unavailable",
  ],
  [
    "1xx without end",
    (socket) => socket.write("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(20_000)),
    "unknown",
    "unavailable",
  ],
];

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** What never ends by itself ends at the deadline, here at a hundredth of what it is; the others are not hurried. */
const DEADLINE_MS = 600;
const ENDLESS = ["one byte at a time", "a head, one byte at a time", "1xx without end"];

test("T16 hostile answers cost neither memory nor anybody else's answers", async () => {
  const honest = await startServer((_seen, _req, res) => res.end("{}"));
  const hostile: { title: string; origin: string; token: string; apiKind: string }[] = [];
  for (const [title, act, token, apiKind] of HOSTILE) {
    const { port } = await startListener((socket) => socket.once("data", () => act(socket)));
    hostile.push({ title, origin: `http://127.0.0.1:${port}`, token, apiKind });
  }
  const outbound = outboundTo([honest.origin, ...hostile.map(({ origin }) => origin)]);
  const secret = new Secret("canary");
  const deadlineOf = (title: string) => (ENDLESS.includes(title) ? DEADLINE_MS : 60_000);
  const refreshAt = (origin: string, title: string) =>
    new ImanageAuthorizationServer(outbound, { providerDeadlineMs: deadlineOf(title) }).refresh({
      server: serverAt(origin),
      credentials: credentials(),
      refreshToken: secret,
    });

  const round = async () => {
    const calls = hostile.map(async ({ title, origin, token }) => {
      expect({ title, ...(await refreshAt(origin, title)) }).toMatchObject({ title, kind: token });
    });
    // While all of them go on, another server answers as ever.
    for (let i = 0; i < 5; i++) expect((await refreshAt(honest.origin, "honest")).kind).toBe("refused");
    await Promise.all(calls);
  };

  for (let i = 0; i < 3; i++) await round();
  collectGarbage();
  const before = process.memoryUsage();
  // What is held, garbage left out: when that is collected depends on how busy the machine is. The resident size has it, so
  // its bound is wider: less than one of the bodies.
  let [held, resident] = [0, 0];
  const watch = setInterval(() => {
    resident = Math.max(resident, process.memoryUsage.rss());
    collectGarbage();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    held = Math.max(held, heapUsed + arrayBuffers);
  }, 50);
  for (let i = 0; i < 5; i++) await round();
  clearInterval(watch);
  collectGarbage();
  const after = process.memoryUsage();
  const kept = (after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers) / MiB;
  const grown = (held - before.heapUsed - before.arrayBuffers) / MiB;
  const rss = (resident - before.rss) / MiB;
  console.log(
    `T16 five rounds of ${hostile.length} hostile answers: at their height ${grown.toFixed(1)} MiB held and ${rss.toFixed(1)} MiB resident more, ${kept.toFixed(1)} MiB kept`,
  );
  expect(kept).toBeLessThan(5);
  expect(grown).toBeLessThan(20);
  expect(rss).toBeLessThan(64);

  // The API reads pages of up to 16 MiB, so it is bounded there.
  for (const { title, origin, apiKind } of hostile) {
    const api = new ImanageApi(outbound, { deadlineMs: deadlineOf(title) });
    expect({ title, ...(await api.whoAmI(serverAt(origin), secret)) }).toMatchObject({
      title,
      kind: apiKind,
    });
  }
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  expect((heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers) / MiB).toBeLessThan(5);
}, 120_000);
