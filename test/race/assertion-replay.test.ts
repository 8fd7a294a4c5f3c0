import { expect, it } from "vitest";
import { authenticateByAssertion } from "../../src/broker/clients/authenticate-by-assertion.ts";
import { RecentClients } from "../../src/broker/clients/recent-clients.ts";
import type { ClientId } from "../../src/domain/id.ts";
import { Secret } from "../../src/domain/secret.ts";
import { claimsOf, giveKeys, postAssertion, sign, signingPair } from "../kit/assertions.ts";
import { brokerProcesses } from "../kit/broker-process.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { world } from "../kit/world.ts";

/** T30: one assertion, shown everywhere at once. */
const REPLAYS = Number(process.env.TEST_REPLAYS ?? 240);
const PROCESSES = Number(process.env.TEST_REPLAY_PROCESSES ?? 0);

/** Addresses of four brokers on one Redis: in this process, or each in one of its own. */
async function replicas(here: Awaited<ReturnType<typeof world>>): Promise<string[]> {
  const issuer = { PUBLIC_BASE_URL: here.base, TRUSTED_PROXY_CIDRS: "127.0.0.1/32" };
  if (PROCESSES > 0) return (await brokerProcesses(here, PROCESSES, "http", issuer)).map(({ base }) => base);
  const more = await Promise.all([1, 2, 3].map(() => here.replica(issuer)));
  return [here.base, ...more.map(({ base }) => base)];
}

it(
  `one jti shown ${REPLAYS} times at several brokers at once is taken exactly once (T30)`,
  async () => {
    const here = await world({ settings: { TRUSTED_PROXY_CIDRS: "127.0.0.1/32" } });
    const pair = await signingPair();
    await giveKeys(here, { jwks: [pair.jwk] });
    const bases = await replicas(here);
    const assertion = await sign(claimsOf(here), pair);
    const statuses = new Map<number, number>();
    let next = 0;
    const thief = async (): Promise<void> => {
      while (next < REPLAYS) {
        const i = next++;
        // From everywhere, so that each is looked at (T35).
        const from = { "x-forwarded-for": `10.9.${(i >> 8) & 255}.${i & 255}` };
        const { status } = await postAssertion(bases[i % bases.length]!, assertion, {}, from);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: 32 }, thief));
    expect(Object.fromEntries(statuses)).toEqual({ 200: 1, 401: REPLAYS - 1 });
  },
  60_000 + REPLAYS * 20,
);

it("while Redis is away no assertion is taken, and one that was used stays used when it is back (T30)", async () => {
  const redis = await ownRedisForThisTest();
  const here = await world({ redisUrl: redis.url });
  const pair = await signingPair();
  await giveKeys(here, { jwks: [pair.jwk] });
  const used = await sign(claimsOf(here), pair);
  expect((await postAssertion(here.base, used)).status).toBe(200);
  const client = await here.broker.configuration.findClient(here.credentials.id as ClientId);
  await redis.kill();

  for (const assertion of [used, await sign(claimsOf(here), pair)]) {
    const { status, body } = await postAssertion(here.base, assertion);
    expect([status, body.code]).toEqual([503, "store_unavailable"]);
  }
  // All the store was needed for until then is known: that nobody has shown it before is not.
  const known = { findClient: async () => client, findStanding: async () => client };
  const ports = { ...here.broker.clients, recentClients: new RecentClients(known, here.broker.clock) };
  const fresh = new Secret(await sign(claimsOf(here), pair));
  await expect(
    authenticateByAssertion(ports, fresh, undefined, { requestId: "req_test", address: "10.0.0.1" }),
  ).rejects.toMatchObject({ code: "store_unavailable" });

  await redis.restart();
  await expect.poll(async () => (await postAssertion(here.base, used)).status).toBe(401);
  expect((await postAssertion(here.base, await sign(claimsOf(here), pair))).status).toBe(200);
});
