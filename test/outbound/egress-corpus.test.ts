import { connect, createServer, type Server } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { Secret } from "../../src/domain/secret.ts";
import { endpointsOf } from "../../src/domain/server.ts";
import { ImanageApi } from "../../src/imanage/imanage-api.ts";
import { ImanageAuthorizationServer } from "../../src/imanage/imanage-authorization-server.ts";
import { makeWebhookSender } from "../../src/outbound/webhook-sender.ts";
import { credentials, outboundTo, serverAt } from "../imanage/kit.ts";
import { Seeded } from "../kit/seeded.ts";
import { addressesIn, DENIED_IPV4, DENIED_IPV6, spellingsOf, spellingsOfIpv6 } from "./addresses.ts";

const { seed: SEED } = new Seeded();

/** Canaries on one port of every loopback form: 127.0.0.0/8 with 0.0.0.0, and ::1 where this machine has it. */
async function startCanaries() {
  const counts = { connections: 0 };
  const servers: Server[] = [];
  const listen = (host: string, port: number) =>
    new Promise<number | undefined>((resolve) => {
      const server = createServer((socket) => {
        counts.connections++;
        socket.on("error", () => {});
        socket.destroy();
      });
      server.once("error", () => resolve(undefined));
      server.listen({ host, port, ipv6Only: host.includes(":") }, () => {
        servers.push(server);
        resolve((server.address() as { port: number }).port);
      });
    });
  onTestFinished(() => {
    for (const server of servers) server.close();
  });
  const port = await listen("0.0.0.0", 0);
  if (port === undefined) throw new Error("no port");
  const ipv6 = (await listen("::1", port)) !== undefined;
  return { port, ipv6, counts };
}

const touch = (host: string, port: number) =>
  new Promise<void>((resolve) => {
    connect({ host, port })
      .on("error", () => {})
      .on("close", () => resolve());
  });

test("T14 no spelling of a denied address makes a connection, whichever way it comes", async () => {
  const { port, ipv6, counts } = await startCanaries();

  // The canaries have teeth: each form reaches them when nobody looks.
  const forms = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "localhost",
    ...(ipv6 ? ["::1", "::ffff:127.0.0.1"] : []),
  ];
  for (const host of forms) await touch(host, port);
  expect(counts.connections).toBe(forms.length);
  counts.connections = 0;

  const seeded = new Seeded(SEED);
  const next = () => seeded.below(2 ** 32);
  const hosts = [
    ...DENIED_IPV4.flatMap((cidr) => addressesIn(cidr, 6, next)).flatMap(spellingsOf),
    ...DENIED_IPV6.flatMap((base) => spellingsOfIpv6(base, 6, next)),
  ];
  // What the URL parser takes for a name, some resolver takes for the address: this one leads all of them to loopback.
  const asked: string[] = [];
  const outbound = outboundTo([], {
    ports: [port],
    lookup: async (name) => {
      asked.push(name);
      return ipv6 && asked.length % 2 === 0
        ? [{ address: "::1", family: 6 }]
        : [{ address: "127.0.0.1", family: 4 }];
    },
  });

  const through: string[] = [];
  let tried = 0;
  for (const host of new Set(hosts)) {
    for (const url of [`https://${host}:${port}/`, `http://${host}:${port}/`, `https://${host}/`]) {
      tried++;
      const exchange = await outbound.exchange({ method: "POST", url, headers: {}, body: "secret" });
      if (exchange.kind !== "not_sent") through.push(`seed ${SEED}: ${url}`);
    }
    // The other way to a socket: an admin who asks what is wrong with his server.
    tried++;
    const seen = await outbound.inspect(`https://${host}:${port}`, undefined);
    if (seen.ended !== "egress" && seen.ended !== "url") through.push(`seed ${SEED}: look at ${host}`);
  }
  console.log(
    `T14 seed ${SEED}: ${new Set(hosts).size} spellings, ${tried} tries, ${asked.length} names led to loopback, ${counts.connections} connections`,
  );
  expect(through).toEqual([]);
  expect(new Set(hosts).size).toBeGreaterThan(5_000);
  expect(counts.connections).toBe(0);
});

test("T14 a server record with such an address is sent nothing: tokens, codes, revocation, API", async () => {
  const { port, counts } = await startCanaries();
  const seeded = new Seeded(SEED);
  const next = () => seeded.below(2 ** 32);
  const outbound = outboundTo([], {
    ports: [port],
    lookup: async () => [{ address: "127.0.0.1", family: 4 }],
  });
  const authorizationServer = new ImanageAuthorizationServer(outbound);
  const api = new ImanageApi(outbound);
  const secret = new Secret("canary");
  const user = { customerId: "1", userId: "u", name: "U", email: "u@firm.example" };
  const addresses = [...DENIED_IPV4.flatMap((cidr) => addressesIn(cidr, 1, next)), "firm.example", "[::1]"];
  for (const address of addresses) {
    const base = `https://${address}:${port}`;
    const server = serverAt(base, { endpoints: endpointsOf(base) });
    const call = { server, credentials: credentials() };
    const code = {
      code: secret,
      codeVerifier: secret,
      redirectUri: "https://broker.example/cb",
      issuer: undefined,
    };
    expect(
      [
        await authorizationServer.refresh({ ...call, refreshToken: secret }),
        await authorizationServer.redeemCode({ ...call, ...code }),
        await api.whoAmI(server, secret),
        await api.listLibraries(server, user, secret),
      ],
      `seed ${SEED}: ${address}`,
    ).toMatchObject([
      { kind: "not_sent", reason: "address_denied" },
      { kind: "not_sent", reason: "address_denied" },
      { kind: "unavailable", reason: "address_denied" },
      { kind: "unavailable", reason: "address_denied" },
    ]);
    expect(await authorizationServer.revoke({ ...call, token: secret })).toMatchObject({
      failed: expect.any(String),
    });
  }
  expect(counts.connections).toBe(0);
});

test("T18 a receiver of events at such an address is not taken, and not called if it is named all the same", async () => {
  const { port, ipv6, counts } = await startCanaries();
  await touch("127.0.0.1", port);
  expect(counts.connections).toBe(1);
  counts.connections = 0;
  const seeded = new Seeded(SEED);
  const next = () => seeded.below(2 ** 32);
  const hosts = new Set([
    ...DENIED_IPV4.flatMap((cidr) => addressesIn(cidr, 6, next)).flatMap(spellingsOf),
    ...DENIED_IPV6.flatMap((base) => spellingsOfIpv6(base, 6, next)),
    // Names that anybody may give to loopback, and change after he has subscribed.
    "hooks.firm.example",
    "metadata.google.internal",
  ]);
  let names = 0;
  const rules = { ports: [port] };
  const outbound = outboundTo([], {
    ...rules,
    lookup: async () => [
      names++ % 2 === 0 && ipv6 ? { address: "::1", family: 6 } : { address: "127.0.0.1", family: 4 },
    ],
  });
  const sender = makeWebhookSender(outbound, { now: () => Date.now(), rules });
  const secrets = [new Secret(`whsec_${Buffer.alloc(32, 7).toString("base64")}`)];
  const through: string[] = [];
  const taken = new Set<string>();
  for (const host of hosts) {
    for (const url of [`https://${host}:${port}/events`, `http://${host}:${port}/`, `https://${host}/`]) {
      if (sender.refusal(url) === undefined) taken.add(host);
      const sent = await sender.send({ url, id: "evt_1", body: "{}", secrets });
      if (sent.status !== undefined || sent.elapsedMs > 0) through.push(`seed ${SEED}: ${url}`);
    }
  }
  console.log(
    `T18 seed ${SEED}: ${hosts.size} spellings, ${hosts.size - taken.size} refused when they are named, ${names} names led to loopback, ${counts.connections} connections`,
  );
  expect(through).toEqual([]);
  expect(counts.connections).toBe(0);
  expect(hosts.size).toBeGreaterThan(5_000);
  // Every literal is refused at once; what is left are names, which only a look-up tells.
  expect([...taken].filter((host) => /^\d+(\.\d+){3}\.?$|^\[/.test(host))).toEqual([]);
  expect(taken).toContain("hooks.firm.example");
});
