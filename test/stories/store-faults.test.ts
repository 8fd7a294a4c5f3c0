import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunningCluster } from "../../scripts/redis/index.ts";
import type { ServerId } from "../../src/domain/id.ts";
import { endpointsOf } from "../../src/domain/server.ts";
import { serverKey } from "../../src/store/keys.ts";
import { egressTo, startSimulators } from "../kit/additions.ts";
import { expireSoon } from "../kit/expire.ts";
import { put } from "../kit/put-records.ts";
import { ownRedisCluster } from "../kit/redis.ts";
import { AMELIA, MOREAU, world } from "../kit/world.ts";

describe("a record that was altered in the store", () => {
  it("sends neither token nor secret to an address somebody wrote into it (T15)", async () => {
    const here = await world();
    await here.connect();
    const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
    const { grant } = (await here.client.accessToken(ask)).body;
    const evil = await world();

    const key = serverKey(here.server as ServerId);
    const store = here.broker.stores.fast;
    const stored = (await store.call((redis) => redis.get(key)))!;
    await store.call((redis) =>
      redis.set(key, stored.replaceAll(here.simulator.origin, evil.simulator.origin)),
    );
    await expireSoon(here, grant, -1);
    const before = evil.simulator.requests().length;
    // Another process, which never saw the true record.
    const { client } = await here.replica();
    expect(await client.accessToken(ask)).toMatchObject({
      status: 500,
      body: { code: "integrity_failure", remedy: "operator" },
    });
    expect(evil.simulator.requests().length).toBe(before);
    expect(here.lines.some((line) => line.includes("integrity_failure"))).toBe(true);

    await store.call((redis) => redis.set(key, stored));
    expect((await here.client.accessToken(ask)).status).toBe(200);
  });
});

describe("a record that bears a true MAC and another address", () => {
  it("T15 opens no token for that address: each is sealed for the one it was made at", async () => {
    const [evil] = await startSimulators(1);
    const here = await world();
    await here.connect();
    const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
    const { grant } = (await here.client.accessToken(ask)).body;
    const { configuration } = here.broker;
    const server = (await configuration.findServer(here.server))!;
    await put.server(configuration, { ...server, endpoints: endpointsOf(evil!.origin) });
    await expireSoon(here, grant, -1);
    const { client } = await here.replica(egressTo([here.simulator, evil!]));
    expect(await client.accessToken(ask)).toMatchObject({ status: 500, body: { code: "integrity_failure" } });
    expect(evil!.requests()).toEqual([]);
  });
});

describe("on a Redis Cluster of three nodes", () => {
  let cluster: RunningCluster;
  beforeAll(async () => {
    cluster = await ownRedisCluster();
  });
  afterAll(() => cluster.stop());

  it("the main story is the same: connect, token, refresh, list, delete", async () => {
    const here = await world({ redisUrl: cluster.nodes[0]!.url, clusterNodes: cluster.startupNodes });
    expect((await here.connect()).body.state).toBe("connected");
    expect((await here.connect(MOREAU)).body.state).toBe("connected");
    const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
    const first = await here.client.accessToken(ask);
    expect(first.status).toBe(200);

    await expireSoon(here, first.body.grant);
    const answers = await Promise.all(Array.from({ length: 50 }, () => here.client.accessToken(ask)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(here.simulator.counts().grant_types.refresh_token).toBe(1);

    const listed = await here.client.call<{ items: { id: string; owner: { user_id: string } }[] }>(
      "GET",
      `/v1/grants?organisation=${here.organisation}`,
    );
    expect(listed.body.items.map(({ owner }) => owner.user_id).sort()).toEqual(["amelia.hart", "e.moreau"]);

    expect((await here.client.call("DELETE", `/v1/grants/${first.body.grant}`)).status).toBe(204);
    expect(await here.client.accessToken(ask)).toMatchObject({
      status: 409,
      body: { code: "authorization_required" },
    });
    await here.broker.revoker.settled();
    expect(here.simulator.counts().routes.revoke).toBeGreaterThan(0);
  });
});
