import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { Secret } from "../../src/domain/secret.ts";
import type { OutboundOptions } from "../../src/outbound/outbound.ts";
import { outboundTo, startListener, startServer } from "../imanage/kit.ts";
import { type Authority, issue, makeAuthority } from "../kit/certificates.ts";

let authority: Authority;
beforeAll(() => {
  authority = makeAuthority("A firm's own CA");
});

interface Asked {
  readonly target: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** A proxy that speaks CONNECT and leads every tunnel to one local port, keeping what went through it towards the server. */
async function startProxy(leadTo: number) {
  const asked: Asked[] = [];
  const passed: Buffer[] = [];
  const other: string[] = [];
  const sockets = new Set<Socket>();
  const server = createHttpServer((request, response) => {
    other.push(`${request.method} ${request.url}`);
    response.writeHead(405).end();
  });
  server.on("connect", (request, client: Socket, head: Buffer) => {
    asked.push({ target: request.url, headers: request.headers });
    const upstream = connect(leadTo, "127.0.0.1", () => {
      client.write("HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n");
      passed.push(head);
      client.on("data", (chunk: Buffer) => passed.push(chunk));
      client.pipe(upstream).pipe(client);
    });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {});
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, asked, other, passed: () => Buffer.concat(passed) };
}

/** Answers 200 over TLS and keeps the text of requests. */
async function startImanage(hosts: readonly string[]) {
  const seen: string[] = [];
  const { certificate: cert, key } = issue(authority, { hosts });
  const server = createTlsServer({ cert, key }, (socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      seen.push(chunk.toString());
      socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    });
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, seen };
}

const refreshAt = (url: string) => ({
  method: "POST" as const,
  url,
  headers: {},
  body: "refresh_token=rt-canary",
  trusted: authority.certificate,
});

/** Whoever looks a name up fails the test: behind a proxy that is not ours to do. */
const through = (proxy: OutboundOptions["proxy"], options: OutboundOptions = {}) =>
  outboundTo([], {
    proxy,
    lookup: () => Promise.reject(new Error("looked up")),
    connectTimeoutMs: 2_000,
    ...options,
  });

describe("T14 an operator's proxy", () => {
  test("is asked by CONNECT for host and port, and sees nothing else", async () => {
    const imanage = await startImanage(["dms.firm.example"]);
    const proxy = await startProxy(imanage.port);
    const outbound = through({ url: proxy.url });
    expect(await outbound.exchange(refreshAt("https://dms.firm.example/auth/oauth2/token"))).toMatchObject({
      kind: "answer",
      status: 200,
    });
    expect(proxy.asked.map(({ target }) => target)).toEqual(["dms.firm.example:443"]);
    expect(Object.keys(proxy.asked[0]?.headers ?? {}).sort()).toEqual(["connection", "host"]);
    expect(proxy.other).toEqual([]);
    expect(imanage.seen.join()).toContain("rt-canary");
    expect(proxy.passed().includes("rt-canary")).toBe(false);
    expect(proxy.passed().length).toBeGreaterThan(100);
  });

  test("gets its password, and no server does", async () => {
    const imanage = await startImanage(["dms.firm.example"]);
    const proxy = await startProxy(imanage.port);
    const url = proxy.url.replace("//", "//broker@");
    const outbound = through({ url, password: new Secret("proxy-canary") });
    await outbound.exchange(refreshAt("https://dms.firm.example:8443/"));
    expect(proxy.asked[0]?.headers["proxy-authorization"]).toBe(`Basic ${btoa("broker:proxy-canary")}`);
    expect(imanage.seen.join().toLowerCase()).not.toContain("proxy-authorization");
  });

  test("changes nothing about certificates", async () => {
    const imanage = await startImanage(["other.example"]);
    const proxy = await startProxy(imanage.port);
    const outbound = through({ url: proxy.url });
    const request = refreshAt("https://dms.firm.example/");
    expect(await outbound.exchange(request)).toEqual({ kind: "not_sent", reason: "tls_wrong_host" });
    expect(await outbound.exchange({ ...request, trusted: undefined })).toEqual({
      kind: "not_sent",
      reason: "tls_untrusted",
    });
    expect(imanage.seen).toEqual([]);
  });

  test.each([
    "https://127.0.0.1/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://[::1]/",
    "https://[::ffff:7f00:1]/",
    "https://10.0.0.1/",
    "https://169.254.169.254/",
    "https://localhost/",
    "https://LOCALHOST./",
    "https://a.localhost/",
    "https://metadata.google.internal/",
    "https://instance-data/",
    "https://dms.firm.example:6379/",
    "http://dms.firm.example/",
  ])("is not even asked for %s", async (url) => {
    const { port, counts } = await startListener();
    const outbound = through({ url: `http://127.0.0.1:${port}` });
    expect(await outbound.exchange(refreshAt(url))).toMatchObject({ kind: "not_sent" });
    expect(counts.connections).toBe(0);
  });

  test("is not used for the simulator's origin on loopback", async () => {
    const { port, counts } = await startListener();
    const { origin } = await startServer((_seen, _req, res) => res.end("ok"));
    const outbound = outboundTo([origin], { proxy: { url: `http://127.0.0.1:${port}` } });
    expect(await outbound.exchange(refreshAt(origin))).toMatchObject({ kind: "answer" });
    expect(counts.connections).toBe(0);
  });

  const answers: readonly [string, string, string][] = [
    ["that refuses", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "proxy_refused"],
    ["that asks who we are", "HTTP/1.1 407 Who?\r\nProxy-Authenticate: NTLM\r\n\r\n", "proxy_refused"],
    ["that cannot reach it", "HTTP/1.1 502 Bad Gateway\r\n\r\n", "proxy_refused"],
    ["that speaks no HTTP", "SSH-2.0-OpenSSH_9.2\r\n", "proxy_failed"],
    ["that speaks before the server can", "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "proxy_failed"],
    ["with a huge head", `HTTP/1.1 200 OK\r\nx: ${"a".repeat(1 << 20)}\r\n\r\n`, "proxy_failed"],
    ["that redirects", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n", "proxy_refused"],
  ];
  test.each(answers)("%s: not sent", async (_title, answer, reason) => {
    const { port } = await startListener((socket) => socket.once("data", () => socket.write(answer)));
    const exchange = await through({ url: `http://127.0.0.1:${port}` }).exchange(
      refreshAt("https://dms.firm.example/"),
    );
    expect(exchange).toEqual({ kind: "not_sent", reason });
  });

  test("that hangs up, is silent, or is not there: not sent", async () => {
    const ends = await startListener((socket) => socket.once("data", () => socket.end()));
    const silent = await startListener();
    const ask = (port: number) =>
      through({ url: `http://127.0.0.1:${port}` }, { connectTimeoutMs: 100 }).exchange(
        refreshAt("https://dms.firm.example/"),
      );
    expect(await ask(ends.port)).toEqual({ kind: "not_sent", reason: "proxy_failed" });
    expect(await ask(silent.port)).toEqual({ kind: "not_sent", reason: "connect_timeout" });
    expect(await ask(1)).toEqual({ kind: "not_sent", reason: "proxy_failed" });
  });
});
