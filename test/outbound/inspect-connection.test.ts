import type { AddressInfo } from "node:net";
import { createServer, type TlsOptions } from "node:tls";
import { describe, expect, it, onTestFinished } from "vitest";
import { outboundTo, startListener } from "../imanage/kit.ts";
import { issue, makeAuthority, makeIntermediate } from "../kit/certificates.ts";

const root = makeAuthority("A firm's own CA");
const issuing = makeIntermediate(root, "Issuing CA 2");
const DAY = 86_400_000;

/** Speaks TLS and counts what comes over it. */
async function startTls(options: TlsOptions): Promise<{ origin: string; received: { bytes: number } }> {
  const received = { bytes: 0 };
  const server = createServer(options, (socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      received.bytes += chunk.length;
    });
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { origin: `https://localhost:${(server.address() as AddressInfo).port}`, received };
}

const inspect = (origin: string, trusted?: string) => outboundTo([origin]).inspect(origin, trusted);

describe("what is seen of a certificate", () => {
  const own = (change: { hosts?: string[]; from?: number; until?: number } = {}) =>
    issue(issuing, { hosts: ["localhost"], ...change });
  const chain = (of: { certificate: string; key: string }, ...more: string[]): TlsOptions => ({
    cert: [of.certificate, ...more].join("\n"),
    key: of.key,
  });

  it.each<[string, () => TlsOptions, { ended: string; failure: string | undefined }, string[]]>([
    [
      "complete, of a CA that is trusted for this server",
      () => chain(own(), issuing.certificate),
      { ended: "open", failure: undefined },
      ["localhost", "Issuing CA 2"],
    ],
    [
      "without its intermediate",
      () => chain(own()),
      { ended: "tls", failure: "tls_untrusted" },
      ["localhost"],
    ],
    [
      "that is over",
      () => chain(own({ from: Date.now() - 9 * DAY, until: Date.now() - DAY }), issuing.certificate),
      { ended: "tls", failure: "tls_expired" },
      ["localhost", "Issuing CA 2"],
    ],
    [
      "of another host",
      () => chain(own({ hosts: ["other.example"] }), issuing.certificate),
      { ended: "tls", failure: "tls_wrong_host" },
      ["other.example", "Issuing CA 2"],
    ],
  ])("%s", async (_what, options, expected, subjects) => {
    const { origin, received } = await startTls(options());
    const seen = await inspect(origin, root.certificate);
    expect(seen).toMatchObject({ host: "localhost", addresses: ["127.0.0.1"], proxied: false, ...expected });
    expect(seen.tls?.chain.map(({ subject }) => subject)).toEqual(subjects);
    expect(seen.tls?.chain[0]?.fingerprint).toMatch(/^[0-9A-F]{2}(:[0-9A-F]{2}){31}$/);
    // What may be used is told alike by a connection that is used.
    const used = await outboundTo([origin]).exchange({
      method: "GET",
      url: origin,
      headers: {},
      trusted: root.certificate,
      deadlineMs: 500,
    });
    expect(used.kind === "not_sent" ? used.reason : undefined).toBe(expected.failure);
    if (expected.ended === "tls") expect(received.bytes).toBe(0);
  });

  it("nothing is sent on a connection that is only looked at, trusted or not", async () => {
    const { origin, received } = await startTls(chain(own(), issuing.certificate));
    await inspect(origin, root.certificate);
    await inspect(origin);
    expect(received.bytes).toBe(0);
  });

  it("a root of its own that is sent along is named as such", async () => {
    const { origin } = await startTls(chain(own(), issuing.certificate, root.certificate));
    const { tls, failure } = await inspect(origin);
    expect([failure, tls?.chain.at(-1)]).toMatchObject([
      "tls_untrusted",
      { subject: "A firm's own CA", selfSigned: true },
    ]);
  });

  it("what speaks no TLS is told so", async () => {
    const { port } = await startListener((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    expect(await inspect(`https://127.0.0.1:${port}`)).toMatchObject({
      ended: "tls",
      failure: "tls_handshake",
      tls: undefined,
    });
  });
});

describe("the guard stands before each step", () => {
  it.each([
    ["http://dms.firm.example", { ended: "url", failure: "url_scheme" }],
    ["https://dms.firm.example:22", { ended: "url", failure: "url_port" }],
    ["https://169.254.169.254", { ended: "egress", denied: ["169.254.169.254"] }],
    ["not a url", { ended: "url", failure: "url_malformed" }],
  ])("%s", async (url, expected) => {
    const dialled: unknown[] = [];
    const outbound = outboundTo([], { dial: ((to: unknown) => dialled.push(to)) as never });
    expect(await outbound.inspect(url, undefined)).toMatchObject(expected);
    expect(dialled).toEqual([]);
  });

  it("a name of which one address is closed is not dialled, and that address is named", async () => {
    const dialled: unknown[] = [];
    const outbound = outboundTo([], {
      lookup: async () => [
        { address: "203.0.113.9", family: 4 },
        { address: "10.0.0.1", family: 4 },
      ],
      dial: ((to: unknown) => dialled.push(to)) as never,
    });
    expect(await outbound.inspect("https://dms.firm.example", undefined)).toMatchObject({
      ended: "egress",
      denied: expect.arrayContaining(["10.0.0.1"]),
    });
    expect(dialled).toEqual([]);
  });

  it("a name that is not found", async () => {
    const outbound = outboundTo([], { lookup: () => Promise.reject(new Error("ENOTFOUND")) });
    expect(await outbound.inspect("https://none.invalid", undefined)).toMatchObject({ ended: "dns" });
  });

  it("through a proxy the name is the proxy's to find", async () => {
    const proxy = await startListener((socket) => socket.end("HTTP/1.1 403 Forbidden\r\n\r\n"));
    const lookups: string[] = [];
    const outbound = outboundTo([], {
      proxy: { url: `http://127.0.0.1:${proxy.port}` },
      lookup: async (name) => {
        lookups.push(name);
        return [];
      },
    });
    expect(await outbound.inspect("https://dms.firm.example", undefined)).toMatchObject({
      ended: "connect",
      failure: "proxy_refused",
      proxied: true,
    });
    expect(lookups).toEqual([]);
  });
});
