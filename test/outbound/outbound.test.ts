import type { LookupFunction, Socket } from "node:net";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { describe, expect, onTestFinished, test } from "vitest";
import { Secret } from "../../src/domain/secret.ts";
import { clientsOf, credentials, json, outboundTo, startListener, startServer } from "../imanage/kit.ts";

const post = (url: string) => ({
  method: "POST" as const,
  url,
  headers: {},
  body: "grant_type=refresh_token",
});
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

describe("T14 nothing reaches loopback but the exact origins that were named", () => {
  test.each([
    ["only loopback", ["127.0.0.1"]],
    ["a public one and loopback", ["93.184.216.34", "127.0.0.1"]],
    ["a public one and loopback in IPv6", ["93.184.216.34", "::1"]],
    ["a private one", ["10.0.0.1"]],
    ["none", []],
  ])("a name that resolves to %s makes no connection", async (_title, addresses) => {
    const { port, counts } = await startListener();
    const outbound = outboundTo([], {
      ports: [port],
      lookup: async () => addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    });
    expect(await outbound.exchange(post(`https://rebinding.example:${port}/`))).toEqual({
      kind: "not_sent",
      reason: addresses.length === 0 ? "dns" : "address_denied",
    });
    expect(counts.connections).toBe(0);
  });

  test("a name is resolved once: what it says afterwards is not asked", async () => {
    const answers = [["93.184.216.34"], ["127.0.0.1"]];
    const dialled: unknown[] = [];
    const { port, counts } = await startListener();
    const outbound = outboundTo([], {
      ports: [port],
      lookup: async () => (answers.shift() ?? []).map((address) => ({ address, family: 4 })),
      dial: ((options: { lookup: LookupFunction }) => {
        options.lookup("rebinding.example", { all: true }, (_, addresses) => dialled.push(addresses));
        return connect({ port: 1, host: "127.0.0.1" });
      }) as unknown as typeof connect,
    });
    await outbound.exchange(post(`https://rebinding.example:${port}/`));
    expect(dialled).toEqual([[{ address: "93.184.216.34", family: 4 }]]);
    expect(counts.connections).toBe(0);
  });

  test("a socket that arrived somewhere else is closed before a byte is written to it", async () => {
    const closed = Promise.withResolvers<void>();
    const { port, counts } = await startListener((socket) => socket.on("close", () => closed.resolve()));
    const outbound = outboundTo([], {
      ports: [port],
      lookup: async () => [{ address: "93.184.216.34", family: 4 }],
      dial: (() => connect({ port, host: "127.0.0.1" })) as unknown as typeof connect,
    });
    expect(await outbound.exchange(post(`https://firm.example:${port}/`))).toEqual({
      kind: "not_sent",
      reason: "address_denied",
    });
    await closed.promise;
    expect(counts).toEqual({ connections: 1, bytes: 0 });
  });

  test.each([301, 302, 303, 307, 308])("a %i is an answer and is not followed", async (status) => {
    const canary = await startListener();
    const { origin } = await startServer((_seen, _req, res) => {
      res.writeHead(status, { location: `http://127.0.0.1:${canary.port}/` }).end();
    });
    expect(await outboundTo([origin]).exchange(post(`${origin}/`))).toMatchObject({ kind: "answer", status });
    expect(canary.counts.connections).toBe(0);
  });

  test("a proxy in the environment is not used", async () => {
    const canary = await startListener();
    const names = [
      "HTTP_PROXY",
      "HTTPS_PROXY",
      "http_proxy",
      "https_proxy",
      "ALL_PROXY",
      "NODE_USE_ENV_PROXY",
    ];
    const before = names.map((name) => [name, process.env[name]] as const);
    for (const name of names) process.env[name] = `http://127.0.0.1:${canary.port}`;
    process.env.NODE_USE_ENV_PROXY = "1";
    onTestFinished(() => {
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    });
    const { origin } = await startServer((_seen, _req, res) => res.end("ok"));
    expect(await outboundTo([origin]).exchange(post(`${origin}/`))).toMatchObject({ kind: "answer" });
    expect(canary.counts.connections).toBe(0);
  });
});

describe("F01 what surely did not leave is told apart from what may have been acted upon", () => {
  const clientAt = (port: number, scheme = "http") => {
    const origin = `${scheme}://127.0.0.1:${port}`;
    return { origin, outbound: outboundTo([origin], { connectTimeoutMs: 60 }) };
  };

  test("refused connection: not sent", async () => {
    const { port } = await freePort();
    const { origin, outbound } = clientAt(port);
    expect(await outbound.exchange(post(origin))).toEqual({ kind: "not_sent", reason: "connection_refused" });
  });

  test("a handshake that is reset: not sent", async () => {
    const { port } = await startListener((socket) => socket.once("data", () => socket.resetAndDestroy()));
    const { origin, outbound } = clientAt(port, "https");
    expect(await outbound.exchange(post(origin))).toEqual({ kind: "not_sent", reason: "connection_reset" });
  });

  test("something that is not TLS: not sent", async () => {
    const { port } = await startListener((socket) => socket.write("SSH-2.0-OpenSSH_9.2\r\n"));
    const { origin, outbound } = clientAt(port, "https");
    expect(await outbound.exchange(post(origin))).toEqual({ kind: "not_sent", reason: "tls_handshake" });
  });

  test("a handshake that never ends: not sent", async () => {
    const { port } = await startListener();
    const { origin, outbound } = clientAt(port, "https");
    expect(await outbound.exchange(post(origin))).toEqual({ kind: "not_sent", reason: "connect_timeout" });
  });

  test("the deadline passed before there was a connection: not sent, and it stays so when one comes", async () => {
    const { origin, seen } = await startServer((_seen, _req, res) => res.end("ok"));
    const connection = Promise.withResolvers<void>();
    const name = origin.replace("127.0.0.1", "localhost");
    const outbound = outboundTo([name], {
      lookup: async () => {
        await connection.promise;
        return [{ address: "127.0.0.1", family: 4 }];
      },
    });
    expect(await outbound.exchange({ ...post(name), deadlineMs: 20 })).toEqual({
      kind: "not_sent",
      reason: "deadline",
    });
    connection.resolve();
    // The same pool serves this one behind the one that was given up: had that one been sent, it would have come first.
    expect(await outbound.exchange({ ...post(name), body: "second" })).toMatchObject({ kind: "answer" });
    expect(seen.map(({ form }) => form.toString())).toEqual(["second="]);
  });

  test.each([
    ["reset once the request is there", (socket: Socket) => socket.resetAndDestroy(), "connection_reset"],
    ["closed without an answer", (socket: Socket) => socket.end(), "connection_closed"],
    ["answered with something else", (socket: Socket) => socket.end("+OK ready\r\n"), "malformed_answer"],
  ] as const)("%s: unknown", async (_title, act, reason) => {
    const { port } = await startListener((socket) => socket.once("data", () => act(socket)));
    const { origin, outbound } = clientAt(port);
    expect(await outbound.exchange(post(origin))).toMatchObject({ kind: "unanswered", reason });
  });

  test("silence: unknown, at the header timeout and at the deadline", async () => {
    const { port } = await startListener();
    const { origin, outbound } = clientAt(port);
    expect(await outbound.exchange({ ...post(origin), headersTimeoutMs: 20 })).toMatchObject({
      kind: "unanswered",
      reason: "headers_timeout",
    });
    expect(await outbound.exchange({ ...post(origin), deadlineMs: 20 })).toMatchObject({
      kind: "unanswered",
      reason: "deadline",
    });
  });

  test("lengths come from the clock that was given", async () => {
    const { port } = await startListener((socket) => socket.once("data", () => socket.end()));
    const origin = `http://127.0.0.1:${port}`;
    let at = 1_000;
    const outbound = outboundTo([origin], {
      monotonicMs: () => {
        at += 250;
        return at;
      },
    });
    expect(await outbound.exchange(post(origin))).toMatchObject({ elapsedMs: 250 });
  });

  test("a connection that a server closed between two requests costs nothing", async () => {
    const { origin, seen } = await startServer((_seen, _req, res) =>
      res.writeHead(200, { connection: "close" }).end("ok"),
    );
    const outbound = outboundTo([origin]);
    for (let i = 0; i < 5; i++)
      expect(await outbound.exchange(post(origin))).toMatchObject({ kind: "answer" });
    expect(seen.length).toBe(5);
  });
});

describe("T16 a hostile answer is bounded", () => {
  test("a huge body is cut at the limit, kept until there, and the connection ended", async () => {
    const chunk = Buffer.alloc(64 * 1024, 0x61);
    const sent = { bytes: 0 };
    const closed = Promise.withResolvers<void>();
    const { port } = await startListener((socket) => {
      socket.on("close", () => closed.resolve());
      socket.once("data", () => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${64 * 1024 * 1024}\r\n\r\n`);
        const more = () => {
          while (sent.bytes < 64 * 1024 * 1024 && !socket.destroyed) {
            sent.bytes += chunk.length;
            if (!socket.write(chunk)) return void socket.once("drain", more);
          }
        };
        more();
      });
    });
    const origin = `http://127.0.0.1:${port}`;
    const exchange = await outboundTo([origin]).exchange(post(origin));
    expect(exchange).toMatchObject({ kind: "answer", cutBy: "body_too_large" });
    if (exchange.kind !== "answer") throw new Error("unreachable");
    expect(exchange.body.length).toBe(256 * 1024);
    await closed.promise;
    expect(sent.bytes).toBeLessThan(32 * 1024 * 1024);
  });

  test("a drip ends at the deadline, other servers are not held up, and what dripped is kept", async () => {
    const { port } = await startListener((socket) => {
      socket.once("data", () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{"refresh_token":"rt-1",');
        const drip = setInterval(() => socket.write(" "), 5);
        socket.on("close", () => clearInterval(drip));
      });
    });
    const other = await startServer((_seen, _req, res) => res.end("ok"));
    const origin = `http://127.0.0.1:${port}`;
    const outbound = outboundTo([origin, other.origin]);
    const dripping = outbound.exchange({ ...post(origin), deadlineMs: 60 });
    expect(await outbound.exchange(post(other.origin))).toMatchObject({ kind: "answer", cutBy: undefined });
    const exchange = await dripping;
    expect(exchange).toMatchObject({ kind: "answer", cutBy: "deadline" });
    if (exchange.kind !== "answer") throw new Error("unreachable");
    expect(Buffer.from(exchange.body).toString()).toMatch(/^{"refresh_token":"rt-1", *$/);
  });

  test("a head of 10 MB is refused", async () => {
    const { port } = await startListener((socket) => {
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\n");
        for (let i = 0; i < 160 && !socket.destroyed; i++) socket.write(`x-${i}: ${"a".repeat(65_536)}\r\n`);
      });
    });
    const origin = `http://127.0.0.1:${port}`;
    expect(await outboundTo([origin]).exchange(post(origin))).toMatchObject({
      kind: "unanswered",
      reason: "headers_too_large",
    });
  });

  test("compression is not asked for, and not undone here", async () => {
    const packed = gzipSync("ok");
    const { origin, seen } = await startServer((_seen, _req, res) =>
      res.writeHead(200, { "content-encoding": "gzip" }).end(packed),
    );
    const exchange = await outboundTo([origin]).exchange(post(origin));
    if (exchange.kind !== "answer") throw new Error(exchange.kind);
    expect(Buffer.from(exchange.body)).toEqual(packed);
    expect(seen[0]?.headers["accept-encoding"]).toBe("identity");
  });

  test("1xx is not the answer yet", async () => {
    const { port } = await startListener((socket) =>
      socket.once("data", () => socket.end(`HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${OK}`)),
    );
    const origin = `http://127.0.0.1:${port}`;
    expect(await outboundTo([origin]).exchange(post(origin))).toMatchObject({ kind: "answer", status: 200 });
  });
});

describe("a token call tells the same, by its outcome", () => {
  const refreshAt = (origin: string, providerDeadlineMs?: number) => {
    const { authorizationServer, server } = clientsOf(
      origin,
      providerDeadlineMs === undefined ? {} : { providerDeadlineMs },
    );
    return authorizationServer.refresh({
      server,
      credentials: credentials(),
      refreshToken: new Secret("rt-canary"),
    });
  };

  test("F01 refused connection: not_sent; a token cut in the middle: unknown", async () => {
    const { port } = await freePort();
    expect(await refreshAt(`http://127.0.0.1:${port}`)).toEqual({
      kind: "not_sent",
      reason: "connection_refused",
    });
    const listener = await startListener((socket) =>
      socket.once("data", () =>
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"access_token":"at-1'),
      ),
    );
    expect(await refreshAt(`http://127.0.0.1:${listener.port}`)).toMatchObject({ kind: "unknown" });
  });

  test("F01 silence ends at the provider's deadline as unknown", async () => {
    const { port } = await startListener();
    expect(await refreshAt(`http://127.0.0.1:${port}`, 30)).toMatchObject({
      kind: "unknown",
      reason: "deadline",
    });
  });

  test.each([307, 308])(
    "T14 a %i with the secret in the body is not followed: not one byte of it",
    async (status) => {
      const canary = await startListener();
      const { origin } = await startServer((_seen, _req, res) => {
        res.writeHead(status, { location: `http://127.0.0.1:${canary.port}/token` }).end();
      });
      expect(await refreshAt(origin)).toMatchObject({ kind: "refused", refusal: "upstream", status });
      expect(canary.counts).toEqual({ connections: 0, bytes: 0 });
    },
  );

  test("T36 what a hostile server echoes is in no outcome and no error", async () => {
    const { origin } = await startServer(({ form }, _req, res) =>
      res.writeHead(400).end(json({ error: "invalid_grant", error_description: form.toString() })),
    );
    const outcome = await refreshAt(origin);
    expect(JSON.stringify(outcome)).toBe('{"kind":"refused","refusal":"invalid_grant","status":400}');
  });

  test("T12 a server that offers metadata and redirects to it is asked for nothing but the token", async () => {
    const { origin, seen } = await startServer((_seen, _req, res) =>
      res.writeHead(200, { link: '</.well-known/openid-configuration>; rel="issuer"' }).end(
        json({
          issuer: "https://evil.example",
          token_endpoint: "https://evil.example/token",
          jwks_uri: "x",
        }),
      ),
    );
    expect(await refreshAt(origin)).toMatchObject({ kind: "refused" });
    expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual(["POST /auth/oauth2/token"]);
  });

  test("credentials go in the body and nowhere else", async () => {
    const { origin, seen } = await startServer((_seen, _req, res) => res.end("{}"));
    await refreshAt(origin);
    expect(Object.fromEntries(seen[0]?.form ?? [])).toEqual({
      grant_type: "refresh_token",
      refresh_token: "rt-canary",
      client_id: "token-broker",
      client_secret: "sim_secret_token-broker",
    });
    expect(seen[0]?.headers.authorization).toBeUndefined();
  });
});

async function freePort(): Promise<{ port: number }> {
  const { createServer } = await import("node:net");
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve({ port }));
    });
  });
}
