import { describe, expect, it } from "vitest";
import { readPrometheusText, sampleOf } from "../../../scripts/metrics/prometheus-text.ts";
import { CensusTaker } from "../../../src/broker/census/take-census.ts";
import type { GrantState } from "../../../src/domain/grant.ts";
import type { OrganisationId } from "../../../src/domain/id.ts";
import { days, minutes, seconds } from "../../../src/domain/instant.ts";
import { tellMetrics } from "../../../src/main/tell-metrics.ts";
import { grantEndsKey, grantsInKey } from "../../../src/store/keys.ts";
import { RedisCensusStore } from "../../../src/store/redis-census-store.ts";
import { ownRedisForThisTest } from "../../kit/redis.ts";
import { AMELIA, MOREAU, type World, world } from "../../kit/world.ts";

const organisationOf = (here: World) => here.organisation as OrganisationId;
const censusOf = (here: World) =>
  new RedisCensusStore(here.broker.stores.fast).ofOrganisation(organisationOf(here));

/** The same, by looking at every grant. */
async function counted(here: World) {
  const { broker } = here;
  const grants = await broker.grantStore.listGrants(organisationOf(here), undefined, 100);
  const now = await broker.stores.fast.now();
  const inState = (state: GrantState) => grants.filter((grant) => grant.state === state).length;
  const lives = grants.filter(({ state }) => state === "active" || state === "suspect");
  const endingIn = (ms: number) =>
    lives.filter(({ refreshTokenExpiresAt: at }) => at !== undefined && at >= now && at <= now + ms).length;
  return {
    grants: {
      active: inState("active"),
      suspect: inState("suspect"),
      reauthorization_required: inState("reauthorization_required"),
      paused: 0,
      revoked: inState("revoked"),
    },
    ending: { "1d": endingIn(days(1)), "7d": endingIn(days(7)), "30d": endingIn(days(30)) },
  };
}

const REFUSED = { answer: { status: 400, body: '{"error":"invalid_grant"}' } };

describe("the census", () => {
  it("counts grants by state, and who must renew when, as a look at every grant does, through a grant's whole life", async () => {
    const here = await world();
    const { client, server, simulator } = here;
    const ask = (person = AMELIA) =>
      client.accessToken({ server, subject: { type: "user", id: person.subject } });
    const seen: Record<string, unknown>[] = [];
    const look = async () => {
      await here.broker.refresher.settled();
      const { grants, ending } = await censusOf(here);
      expect({ grants, ending }).toEqual(await counted(here));
      seen.push({ ...Object.fromEntries(Object.entries(grants).filter(([, count]) => count > 0)) });
    };
    await look();
    await here.connect();
    await here.connect(MOREAU);
    await look();

    const fault = simulator.addFault({ on: { route: "token" }, do: REFUSED, times: "always" });
    for (let refused = 0; refused < 3; refused++) {
      here.advance(minutes(refused === 0 ? 31 : 2));
      await ask();
      await look();
    }
    // Whoever is warned of an end is not counted anew by it.
    here.advance(days(336));
    await here.broker.grantStore.warnOfExpiry(organisationOf(here), 10);
    await look();
    here.advance(-days(336));
    simulator.clearFaults(fault);
    await here.connect();
    await look();
    // Close to their end, where the forecast has them.
    for (const ahead of [days(340), days(20), days(5)]) {
      here.advance(ahead);
      await look();
    }
    const [grant] = await here.broker.grantStore.listGrants(organisationOf(here), undefined, 1);
    await client.call("DELETE", `/v1/grants/${grant!.id}`);
    await look();
    expect(seen.map((grants) => JSON.stringify(grants))).toEqual([
      "{}",
      '{"active":2}',
      '{"suspect":1,"active":1}',
      '{"suspect":1,"active":1}',
      '{"reauthorization_required":1,"active":1}',
      '{"reauthorization_required":1,"active":1}',
      '{"active":2}',
      '{"active":2}',
      '{"active":2}',
      '{"active":2}',
      '{"active":1}',
    ]);
  });

  it("counts what an earlier version has written, after a walk that begins where the last one ended", async () => {
    const here = await world();
    await here.connect();
    await here.connect(MOREAU);
    const store = here.broker.stores.fast;
    const before = await censusOf(here);
    await store.call((redis) => redis.del(grantEndsKey(organisationOf(here))));
    await store.call((redis) => redis.hdel(`b1:{o:${organisationOf(here).slice(4)}}:gate`, "indexed"));
    expect((await censusOf(here)).ending).toEqual({ "1d": 0, "7d": 0, "30d": 0 });
    const census = new RedisCensusStore(store);
    expect(await census.indexGrants(organisationOf(here), 1)).toBe(1);
    expect(await census.indexGrants(organisationOf(here), 1)).toBe(0);
    expect(await store.call((redis) => redis.zcard(grantEndsKey(organisationOf(here))))).toBe(2);
    expect((await censusOf(here)).grants).toEqual(before.grants);
    expect(await store.call((redis) => redis.scard(grantsInKey(organisationOf(here), "suspect")))).toBe(0);
  });

  it("is taken by one process for all, and says the same whichever is asked", async () => {
    const here = await world();
    await here.connect();
    const store = here.broker.stores.fast;
    const looked: string[] = [];
    const taker = () => {
      const kept = new RedisCensusStore(store);
      const ofOrganisation = kept.ofOrganisation.bind(kept);
      kept.ofOrganisation = (id) => {
        looked.push(id);
        return ofOrganisation(id);
      };
      return new CensusTaker({
        store: kept,
        organisations: { listOrganisationNames: async () => [{ id: organisationOf(here) }] },
        serversMax: 1,
        monotonicMs: () => performance.now(),
      });
    };
    here.advance(seconds(3_000));
    const first = await taker().read();
    const others = await Promise.all(Array.from({ length: 8 }, () => taker().read()));
    expect(others.map(({ census }) => census)).toEqual(others.map(() => first.census));
    expect(looked).toEqual([organisationOf(here)]);
  });
});

describe("the gauges", () => {
  it("are left out while Redis is away, and everything that was counted is told all the same, within two seconds or so", async () => {
    const redis = await ownRedisForThisTest();
    const here = await world({ redisUrl: redis.url });
    const text = tellMetrics(here.broker, []);
    redis.pause();
    const since = performance.now();
    const scrape = readPrometheusText(await text());
    expect(performance.now() - since).toBeLessThan(4_000);
    redis.resume();
    expect(sampleOf(scrape, "token_broker_redis_up")).toBe(0);
    expect(scrape.samples.filter(({ name }) => name === "token_broker_grants")).toEqual([]);
    expect(scrape.types.get("token_broker_grants")).toBe("gauge");
    expect(sampleOf(scrape, "token_broker_redis_call_seconds_count")).toBeGreaterThan(0);
  });

  it("name a server only while it is closed, and as many as the setting allows", async () => {
    const here = await world({
      redisUrl: (await ownRedisForThisTest()).url,
      settings: { METRICS_SERVERS_MAX: "1" },
    });
    await here.connect();
    here.simulator.addFault({ on: { route: "token" }, do: { answer: { status: 503 } }, times: "always" });
    here.advance(minutes(31));
    for (let asked = 0; asked < 5; asked++) {
      await here.client.accessToken({ server: here.server, subject: { type: "user", id: AMELIA.subject } });
      here.advance(seconds(3));
    }
    const scrape = readPrometheusText(await tellMetrics(here.broker, [])());
    const closed = scrape.samples.filter(({ name }) => name === "token_broker_server_closed_seconds");
    expect(closed.map(({ labels }) => labels)).toEqual([{ server: here.server, gate: "upstream" }]);
    expect(closed[0]!.value).toBeGreaterThan(2);
    expect(sampleOf(scrape, "token_broker_servers", { gate: "upstream" })).toBe(1);
    expect(sampleOf(scrape, "token_broker_redis_up")).toBe(1);
    expect(sampleOf(scrape, "token_broker_grants", { state: "active" })).toBe(1);
  });
});
