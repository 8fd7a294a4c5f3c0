import type { AddressInfo } from "node:net";
import { createServer, type TLSSocket, type TlsOptions } from "node:tls";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { Secret } from "../../src/domain/secret.ts";
import { clientsOf, credentials, outboundTo, serverAt } from "../imanage/kit.ts";
import { type Authority, issue, makeAuthority } from "../kit/certificates.ts";

let authority: Authority;

beforeAll(() => {
  authority = makeAuthority("A firm's own CA");
});

/** Speaks TLS, answers everything with 200, and counts handshakes and the bytes of requests that came through. */
async function startTls(
  options: TlsOptions,
  connection: "close" | "keep" = "close",
): Promise<{ origin: string; received: { connections: number; bytes: number } }> {
  const received = { connections: 0, bytes: 0 };
  const sockets = new Set<TLSSocket>();
  const server = createServer(options, (socket) => {
    received.connections++;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      received.bytes += chunk.length;
      const end = connection === "close" ? "Connection: close\r\n" : "";
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${end}\r\nok`);
      if (connection === "close") socket.end();
    });
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { origin: `https://localhost:${(server.address() as AddressInfo).port}`, received };
}

const asPem = ({ certificate, key }: { certificate: string; key: string }): TlsOptions => ({
  cert: certificate,
  key,
});

const refreshAt = (origin: string) => ({
  method: "POST" as const,
  url: `${origin}/auth/oauth2/token`,
  headers: {},
  body: "refresh_token=secret",
});

const ask = (origin: string, trusted?: string) =>
  outboundTo([origin]).exchange({ ...refreshAt(origin), trusted });

test("T17 a private CA is accepted for its own server", async () => {
  const { origin } = await startTls(asPem(issue(authority, { hosts: ["localhost"] })));
  expect(await ask(origin, authority.certificate)).toMatchObject({
    kind: "answer",
    status: 200,
  });
});

test("T17 and for no other: another server with a certificate of the same CA is refused", async () => {
  const own = await startTls(asPem(issue(authority, { hosts: ["localhost"] })));
  const other = await startTls(asPem(issue(authority, { hosts: ["localhost"] })));
  const outbound = outboundTo([own.origin, other.origin]);
  expect(await outbound.exchange({ ...refreshAt(own.origin), trusted: authority.certificate })).toMatchObject(
    {
      kind: "answer",
    },
  );
  expect(await outbound.exchange(refreshAt(other.origin))).toEqual({
    kind: "not_sent",
    reason: "tls_untrusted",
  });
  expect(other.received.bytes).toBe(0);
});

test("T17 two firms at one address share no connection: a CA that one of them named serves the other nothing", async () => {
  const { origin, received } = await startTls(asPem(issue(authority, { hosts: ["localhost"] })), "keep");
  const outbound = outboundTo([origin]);
  const own = await outbound.exchange({ ...refreshAt(origin), trusted: authority.certificate });
  expect(own).toMatchObject({ kind: "answer" });
  const { bytes, connections } = received;
  expect(await outbound.exchange(refreshAt(origin))).toEqual({ kind: "not_sent", reason: "tls_untrusted" });
  expect(received.bytes).toBe(bytes);
  // The connection stays for the firm that named the CA.
  expect(await outbound.exchange({ ...refreshAt(origin), trusted: authority.certificate })).toMatchObject({
    kind: "answer",
  });
  expect(connections).toBe(1);
  expect(received.connections).toBe(connections);
});

test("T17 token calls, revocation and the API trust what the server's record holds, and nothing without it", async () => {
  const { origin, received } = await startTls(asPem(issue(authority, { hosts: ["localhost"] })));
  const { authorizationServer, api } = clientsOf(origin);
  const trustedCertificates = { pem: authority.certificate, certificates: [] };
  const token = new Secret("at-canary");
  const callAll = async (change: { readonly trustedCertificates?: typeof trustedCertificates }) => {
    const server = serverAt(origin, change);
    const call = { server, credentials: credentials() };
    return [
      await authorizationServer.refresh({ ...call, refreshToken: token }),
      await authorizationServer.revoke({ ...call, token }),
      await api.whoAmI(server, token),
    ];
  };
  expect(await callAll({})).toEqual([
    { kind: "not_sent", reason: "tls_untrusted" },
    { failed: "tls_untrusted" },
    { kind: "unavailable", reason: "tls_untrusted" },
  ]);
  expect(received.bytes).toBe(0);
  expect(await callAll({ trustedCertificates })).toMatchObject([
    { kind: "refused" },
    "revoked",
    { kind: "unavailable", reason: "not_json" },
  ]);
});

test("T17 an incomplete chain is refused, and mended by the certificate that was missing", async () => {
  const intermediate = makeAuthority("An intermediate", authority);
  const { origin, received } = await startTls(asPem(issue(intermediate, { hosts: ["localhost"] })));
  expect(await ask(origin, authority.certificate)).toEqual({ kind: "not_sent", reason: "tls_untrusted" });
  expect(received.bytes).toBe(0);
  expect(await ask(origin, authority.certificate + intermediate.certificate)).toMatchObject({
    kind: "answer",
  });
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
    expect(await ask(origin, authority.certificate)).toEqual({ kind: "not_sent", reason });
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
  expect(await ask(origin, authority.certificate)).toEqual({
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
