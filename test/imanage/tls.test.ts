import type { AddressInfo } from "node:net";
import { createServer, type TlsOptions } from "node:tls";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { type Authority, issue, makeAuthority } from "./certificates.ts";
import { outboundTo } from "./kit.ts";

let authority: Authority;

beforeAll(() => {
  authority = makeAuthority("A firm's own CA");
});

/** Speaks TLS, answers everything with 200, and counts the bytes of requests that came through. */
async function startTls(options: TlsOptions): Promise<{ origin: string; received: { bytes: number } }> {
  const received = { bytes: 0 };
  const server = createServer(options, (socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      received.bytes += chunk.length;
      socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    });
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
  });
  return { origin: `https://localhost:${(server.address() as AddressInfo).port}`, received };
}

const asPem = ({ certificate, key }: { certificate: string; key: string }): TlsOptions => ({
  cert: certificate,
  key,
});

const ask = (origin: string, trusted: Record<string, string> = {}) =>
  outboundTo([origin], { certificateAuthorities: new Map(Object.entries(trusted)) }).exchange({
    method: "POST",
    url: `${origin}/auth/oauth2/token`,
    headers: {},
    body: "refresh_token=secret",
  });

test("T17 a private CA is accepted for its own server", async () => {
  const { origin } = await startTls(asPem(issue(authority, { hosts: ["localhost"] })));
  expect(await ask(origin, { [origin]: authority.certificate })).toMatchObject({
    kind: "answer",
    status: 200,
  });
});

test("T17 and for no other: another server with a certificate of the same CA is refused", async () => {
  const { origin, received } = await startTls(asPem(issue(authority, { hosts: ["localhost"] })));
  const elsewhere = { "https://localhost:1": authority.certificate };
  expect(await ask(origin, elsewhere)).toEqual({ kind: "not_sent", reason: "tls_untrusted" });
  expect(received.bytes).toBe(0);
});

test.each([
  ["self-signed", () => issue("self", { hosts: ["localhost"] }), "tls_untrusted"],
  ["of another CA", () => issue(makeAuthority("Another"), { hosts: ["localhost"] }), "tls_untrusted"],
  ["for another host", () => issue(authority, { hosts: ["other.example"] }), "tls_wrong_host"],
  [
    "that expired",
    () => issue(authority, { hosts: ["localhost"], from: Date.now() - 9e7, until: Date.now() - 1e6 }),
    "tls_expired",
  ],
  [
    "that is not valid yet",
    () => issue(authority, { hosts: ["localhost"], from: Date.now() + 1e6, until: Date.now() + 9e7 }),
    "tls_expired",
  ],
] as const)(
  "T17 a certificate %s is refused before a byte of the request leaves",
  async (_title, make, reason) => {
    const { origin, received } = await startTls(asPem(make()));
    expect(await ask(origin, { [origin]: authority.certificate })).toEqual({ kind: "not_sent", reason });
    expect(received.bytes).toBe(0);
  },
);

test("T17 TLS 1.1 is refused", async () => {
  const { origin, received } = await startTls({
    ...asPem(issue(authority, { hosts: ["localhost"] })),
    minVersion: "TLSv1",
    maxVersion: "TLSv1.1",
    ciphers: "DEFAULT@SECLEVEL=0",
  });
  expect(await ask(origin, { [origin]: authority.certificate })).toEqual({
    kind: "not_sent",
    reason: "tls_handshake",
  });
  expect(received.bytes).toBe(0);
});

test("T17 NODE_TLS_REJECT_UNAUTHORIZED=0 opens nothing", async () => {
  const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  onTestFinished(() => {
    if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
  });
  const { origin, received } = await startTls(asPem(issue("self", { hosts: ["localhost"] })));
  expect(await ask(origin)).toEqual({ kind: "not_sent", reason: "tls_untrusted" });
  expect(received.bytes).toBe(0);
});
