import type { LookupAddress } from "node:dns";
import { type AddressInfo, connect, createServer, type LookupFunction } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { outboundTo, startListener } from "../imanage/kit.ts";
import { issue, makeAuthority } from "../kit/certificates.ts";
import { startDns } from "./dns-server.ts";

const RUNS = 100;
/** A public address. Nothing is sent there: the dial below stands for the network. */
const PUBLIC = "93.184.216.34";

/** What a name says after it was public once. */
const REBOUND = [
  ["127.0.0.1"],
  ["127.0.0.1", PUBLIC],
  [PUBLIC, "127.0.0.1"],
  [PUBLIC, "::1"],
  ["::1"],
] as const;

test("T14 in a hundred runs of DNS rebinding, TTL 0, not one request reaches loopback", async () => {
  const canary = await startListener((socket) => socket.destroy());
  const port = canary.port;
  const authority = makeAuthority("The attacker's");
  const hosts = Array.from({ length: RUNS }, (_, run) => `run-${run}.rebinding.example`);
  const { certificate: cert, key } = issue(authority, { hosts });
  const attacker = { requests: 0 };
  const server = createTlsServer({ cert, key }, (socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      attacker.requests++;
      // Closed, so that the next request has to look the name up again.
      socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const attackerPort = (server.address() as AddressInfo).port;

  const dns = await startDns((name, asked) =>
    asked === 1 ? [PUBLIC] : REBOUND[Number(/\d+/.exec(name)?.[0]) % REBOUND.length]!,
  );

  // The network: public addresses lead to the attacker's server, loopback is loopback. It does what `net.connect` does with
  // a `lookup`, so whoever resolves again here is led astray.
  const dial = ((options: { host: string; port: number; lookup: LookupFunction }) => {
    let first: string | undefined;
    options.lookup(options.host, { all: true }, (_error, addresses) => {
      first = (addresses as LookupAddress[])[0]?.address;
    });
    if (first !== PUBLIC) return connect({ port: options.port, host: first ?? "127.0.0.1" });
    const socket = connect({ port: attackerPort, host: "127.0.0.1" });
    Object.defineProperty(socket, "remoteAddress", { value: PUBLIC });
    return socket;
  }) as unknown as typeof connect;

  const outbound = outboundTo([], { ports: [port], lookup: dns.lookup, dial });
  const outcomes = new Map<string, number>();
  for (const host of hosts) {
    for (let request = 1; request <= 3; request++) {
      const exchange = await outbound.exchange({
        method: "POST",
        url: `https://${host}:${port}/auth/oauth2/token`,
        headers: {},
        body: "refresh_token=canary",
        trusted: authority.certificate,
      });
      const outcome = `${request}: ${exchange.kind === "not_sent" ? exchange.reason : exchange.kind}`;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  }
  expect(Object.fromEntries(outcomes)).toEqual({
    "1: answer": RUNS,
    "2: address_denied": RUNS,
    "3: address_denied": RUNS,
  });
  expect(attacker.requests).toBe(RUNS);
  expect(canary.counts).toEqual({ connections: 0, bytes: 0 });
  // Each connection asked once for each kind of address, and nothing was remembered.
  expect(dns.asked()).toBe(RUNS * 3 * 2);
});

test("T14 the same names lead a program that trusts its first look to loopback: the runs have teeth", async () => {
  const counts = { requests: 0 };
  const loopback = createServer((socket) => {
    counts.requests++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => loopback.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void loopback.close());
  const dns = await startDns((_name, asked) => [asked === 1 ? PUBLIC : "127.0.0.1"]);
  const [checked] = await dns.lookup("run-0.rebinding.example");
  expect(checked?.address).toBe(PUBLIC);
  const [used] = await dns.lookup("run-0.rebinding.example");
  await new Promise<void>((resolve) => {
    connect({ host: used!.address, port: (loopback.address() as AddressInfo).port })
      .on("error", () => {})
      .on("close", () => resolve());
  });
  expect(counts.requests).toBe(1);
});
