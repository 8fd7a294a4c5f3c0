import { randomBytes } from "node:crypto";
import { Cluster } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { NewConsent } from "../../src/broker/authorization/ports.ts";
import type { RefreshMaterial, RefreshResult } from "../../src/broker/refresh/ports.ts";
import {
  type GrantId,
  makeId,
  makeRoute,
  organisationId,
  type RegistrationId,
  type ServerId,
} from "../../src/domain/id.ts";
import { seconds } from "../../src/domain/instant.ts";
import type { Sealed } from "../../src/domain/sealed.ts";
import { defaultServerSettings, endpointsOf, type Server } from "../../src/domain/server.ts";
import { serverLimits } from "../../src/domain/server-gate.ts";
import { connectRedis, disconnect, type RedisConnection, whenReady } from "../../src/store/connect-redis.ts";
import { dueKey, grantKey, revocationsKey } from "../../src/store/keys.ts";
import { OutcomeListener } from "../../src/store/outcome-listener.ts";
import { RedisGrantStore } from "../../src/store/redis-grant-store.ts";
import { RedisRefreshStore } from "../../src/store/redis-refresh-store.ts";
import { RedisStore } from "../../src/store/redis-store.ts";
import { addressOf, serversOf } from "../kit/redis.ts";
import { Seeded } from "../kit/seeded.ts";

const NOTE = { actor: "test", requestId: "req_test" };
const TERMS = {
  leaseMs: seconds(15),
  providerDeadlineMs: seconds(60),
  rotation: "strict",
  configurationGeneration: 1,
  limits: { ...serverLimits, concurrency: 1e6, callsPerSecond: 1e6, burst: 1e6 } as never,
} as const;

/** A store of its own, as a process has it; `finds Redis changed` without a Redis that is restarted. */
interface Replica {
  readonly refreshes: RedisRefreshStore;
  findsRedisChanged(): Promise<{ offered: number; restored: number }>;
}

describe("commits that Redis has lost are offered again by those who made them (F32)", () => {
  const connections: RedisConnection[] = [];
  const replicas: Replica[] = [];
  let store: RedisStore;
  let grants: RedisGrantStore;

  beforeAll(async () => {
    for (let i = 0; i < 3; i++) {
      const connection = connectRedis(addressOf(), "durable");
      connections.push(connection);
      await whenReady(connection);
      replicas.push(await replicaOn(connection));
    }
    store = new RedisStore(connections[0]!);
    grants = new RedisGrantStore(store);
  });
  afterAll(() => connections.forEach(disconnect));

  async function newGrant() {
    const route = makeRoute(randomBytes(8));
    const id = <T extends "srv" | "reg" | "grt">(type: T) => makeId(type, route, Date.now(), randomBytes(16));
    const server: Server = {
      v: 1,
      id: id("srv") as ServerId,
      organisation: organisationId(route),
      name: "dms",
      displayName: "DMS",
      kind: "on-premises",
      endpoints: endpointsOf("https://dms.example"),
      registration: id("reg") as RegistrationId,
      customerId: "1",
      settings: defaultServerSettings,
      configurationGeneration: 1,
      createdAt: 0,
    };
    const consent: NewConsent = {
      grant: id("grt") as GrantId,
      server,
      user: { customerId: "1", userId: "amelia", name: "Amelia", email: undefined },
      consentGeneration: 1,
      refreshToken: "sealed-rt-0" as Sealed,
      refreshTokenFingerprint: "rt-0",
      refreshTokenLifeMs: seconds(10_000),
      accessToken: "sealed-at-0" as Sealed,
      accessTokenFingerprint: "at-0",
      accessTokenLifeMs: seconds(100),
      softMarginMs: seconds(20),
      keepAliveMs: seconds(2_500),
      receivedAgoMs: 0,
    };
    expect(await grants.putConsent(consent, undefined, NOTE)).toBe("stored");
    return { grant: consent.grant, server, consent };
  }

  async function begun({ refreshes }: Replica, grant: GrantId, attempt: string): Promise<RefreshMaterial> {
    const answer = await refreshes.begin(grant, attempt, { why: "expired", minTtlMs: seconds(1_000) }, TERMS);
    if (answer.kind !== "begun") throw new Error(`${attempt}: ${answer.kind}`);
    expect(await refreshes.markSent(grant, attempt, TERMS.leaseMs)).toBe(true);
    return answer.material;
  }

  const answered = (server: Server, material: RefreshMaterial, token: string): RefreshResult => ({
    consentGeneration: material.consentGeneration,
    attempt: material.attempt,
    server: server.id,
    registration: server.registration,
    parent: material.parent,
    refreshToken: `sealed-rt-${token}` as Sealed,
    refreshTokenFingerprint: `rt-${token}`,
    refreshTokenLifeMs: seconds(10_000),
    refreshExtendsLife: true,
    accessToken: `sealed-at-${token}` as Sealed,
    accessTokenFingerprint: `at-${token}`,
    accessTokenLifeMs: seconds(100),
    softMarginMs: seconds(20),
    keepAliveMs: seconds(2_500),
    jitter: 0,
    receivedAt: material.begunAt,
  });

  async function refresh(by: Replica, grant: GrantId, server: Server, token: string): Promise<void> {
    const attempt = `attempt-${token}`;
    const material = await begun(by, grant, attempt);
    await by.refreshes.commit(grant, attempt, answered(server, material, token));
  }

  /** What Redis holds of a grant, to be put back: the past that a Redis without the end of its file comes back with. */
  async function past(grant: GrantId, server: Server) {
    const dump = await store.call((redis) => redis.dumpBuffer(grantKey(grant)));
    const due = await store.call((redis) => redis.zscore(dueKey(server.organisation), grant));
    return () =>
      store.call(async (redis) => {
        await redis.restore(grantKey(grant), 0, dump!, "REPLACE");
        await redis.zadd(dueKey(server.organisation), due!, grant);
      });
  }

  /** A Redis that was away comes back after more than the milliseconds that these tests take. */
  const came = (grant: GrantId, when: "earlier" | "later") =>
    store.call((redis) => redis.hincrby(grantKey(grant), "refreshed_at", when === "later" ? 1_000 : -1_000));

  const read = (grant: GrantId) => store.call((redis) => redis.hgetall(grantKey(grant)));
  const sparesOf = (record: Record<string, string>) =>
    (JSON.parse(record.spares ?? "[]") as { fp: string }[]).map(({ fp }) => fp);

  it("whatever was lost of a chain of refreshes, and whoever offers first, the newest token is back and nothing older is kept", async () => {
    const seeded = new Seeded();
    console.log(`seed ${seeded.seed}: what Redis lost, and in which order it was offered`);
    for (let round = 0; round < 60; round++) {
      const { grant, server } = await newGrant();
      const length = 1 + seeded.below(5);
      const lostFrom = seeded.below(length);
      let goBack = await past(grant, server);
      for (let i = 1; i <= length; i++) {
        if (i <= lostFrom) goBack = await past(grant, server);
        await refresh(seeded.pick(replicas), grant, server, `${round}.${i}`);
      }
      await goBack();
      for (const replica of shuffled(replicas, seeded)) await replica.findsRedisChanged();
      const record = await read(grant);
      const of = `seed ${seeded.seed}, round ${round}: ${length} refreshes, lost from ${lostFrom + 1}`;
      expect(record, of).toMatchObject({
        rt_fp: `rt-${round}.${length}`,
        rt: `sealed-rt-${round}.${length}`,
        at_fp: `at-${round}.${length}`,
        att: String(length),
        state: "active",
      });
      expect(sparesOf(record), of).toEqual([]);
      expect(Number(await store.call((redis) => redis.zscore(dueKey(server.organisation), grant)))).toBe(
        Number(record.due_at),
      );
      expect(record.lease, of).toBeUndefined();
      // And once more: it is known now.
      for (const replica of replicas) expect((await replica.findsRedisChanged()).restored, of).toBe(0);
      expect(await read(grant), of).toEqual(record);
    }
  });

  it("a commit that was under way when its predecessor was lost does not stay behind it", async () => {
    const [one, two] = replicas as [Replica, Replica];
    const { grant, server } = await newGrant();
    const goBack = await past(grant, server);
    await refresh(one, grant, server, "lost");
    const material = await begun(two, grant, "attempt-under-way");
    await goBack();
    // Sent again by itself before anybody has offered anything: its parent is not there.
    expect(await two.refreshes.commit(grant, "attempt-under-way", answered(server, material, "newest"))).toBe(
      "spare",
    );
    await one.findsRedisChanged();
    const record = await read(grant);
    expect(record).toMatchObject({ rt_fp: "rt-newest", rt: "sealed-rt-newest", rt_att: "2" });
    expect(sparesOf(record)).toEqual([]);
    // Its access token was not kept: the next refresh goes at once.
    expect(Number(record.due_at)).toBeLessThanOrEqual(await store.now());
  });

  it("what another has fetched since stays, and what is offered is kept behind it", async () => {
    const [one, two] = replicas as [Replica, Replica];
    const { grant, server } = await newGrant();
    const goBack = await past(grant, server);
    await refresh(one, grant, server, "a");
    await refresh(one, grant, server, "b");
    await goBack();
    await refresh(two, grant, server, "since");
    await came(grant, "later");
    await one.findsRedisChanged();
    const record = await read(grant);
    expect(record).toMatchObject({ rt_fp: "rt-since", at_fp: "at-since" });
    expect(sparesOf(record)).toEqual(["rt-b"]);
    // The next attempt has a number that nobody has sealed anything under.
    expect(Number(record.att)).toBe(2);
  });

  it("an offer that is newer takes the place of what another has fetched, and that is kept behind it", async () => {
    const [one, two] = replicas as [Replica, Replica];
    const { grant, server } = await newGrant();
    const goBack = await past(grant, server);
    await refresh(one, grant, server, "a");
    await refresh(one, grant, server, "b");
    await goBack();
    await refresh(two, grant, server, "since");
    await came(grant, "earlier");
    await one.findsRedisChanged();
    const record = await read(grant);
    expect(record).toMatchObject({ rt_fp: "rt-b", at_fp: "at-b" });
    expect(JSON.parse(record.spares!)).toMatchObject([{ fp: "rt-since", sealed: "sealed-rt-since" }]);
  });

  it("three spares that are there stay: an offer takes nobody's place", async () => {
    const [one, two] = replicas as [Replica, Replica];
    const { grant, server } = await newGrant();
    const goBack = await past(grant, server);
    await refresh(one, grant, server, "lost");
    await goBack();
    await refresh(two, grant, server, "since");
    const spares = ["x", "y", "z"].map((fp) => ({ sealed: fp, fp, att: "9", at: "1" }));
    await store.call((redis) => redis.hset(grantKey(grant), "spares", JSON.stringify(spares)));
    await one.findsRedisChanged();
    expect(sparesOf(await read(grant))).toEqual(["x", "y", "z"]);
  });

  it("a grant that was deleted stays deleted, and one that was authorized anew keeps its tokens", async () => {
    const [one] = replicas as [Replica];
    const deleted = await newGrant();
    await refresh(one, deleted.grant, deleted.server, "deleted");
    await grants.deleteGrant(deleted.grant, NOTE);
    const outbox = () => store.call((redis) => redis.xlen(revocationsKey(deleted.server.organisation)));
    const before = await outbox();

    const renewed = await newGrant();
    await refresh(one, renewed.grant, renewed.server, "earlier");
    expect(
      await grants.putConsent(
        {
          ...renewed.consent,
          consentGeneration: 2,
          refreshToken: "sealed-rt-anew" as Sealed,
          refreshTokenFingerprint: "rt-anew",
        },
        undefined,
        NOTE,
      ),
    ).toBe("stored");
    const anew = await read(renewed.grant);
    await one.findsRedisChanged();
    expect(await read(deleted.grant)).toEqual({});
    expect(await outbox()).toBe(before);
    expect(await read(renewed.grant)).toEqual(anew);
  });

  it("no refresh begins before the offers are through", async () => {
    const connection = connections[1]!;
    const replica = replicas[1]!;
    const { grant, server } = await newGrant();
    const goBack = await past(grant, server);
    await refresh(replica, grant, server, "lost");
    await goBack();
    for (const server of serversOf(connection))
      (server as unknown as { info: () => Promise<string> }).info = async () => {
        throw new Error("not yet");
      };
    connection.emit(eventsOf(connection).lost);
    const reason = { why: "expired", minTtlMs: seconds(1_000) } as const;
    expect(await replica.refreshes.begin(grant, "too-early", reason, TERMS)).toMatchObject({ kind: "held" });
    await replica.findsRedisChanged();
    expect(await replica.refreshes.begin(grant, "in-time", reason, TERMS)).toMatchObject({
      kind: "begun",
      material: { parent: "rt-lost", refreshToken: "sealed-rt-lost" },
    });
  });

  it("a Redis that is the one it was is offered nothing", async () => {
    const offered: number[] = [];
    const first = Promise.withResolvers<void>();
    const connection = connectRedis(addressOf(), "durable");
    connections.push(connection);
    await whenReady(connection);
    const echoing = storeOn(connection, (count) => {
      offered.push(count);
      first.resolve();
    });
    // Nobody knows yet which Redis it is.
    await first.promise;
    const { grant, server } = await newGrant();
    const replica = { refreshes: echoing } as Replica;
    await refresh(replica, grant, server, "here");
    lostAndBack(connection);
    await refresh(replica, grant, server, "again");
    expect(offered).toEqual([0]);
  });

  const storeOn = (
    connection: RedisConnection,
    onOffered: (offered: number, restored: number) => void,
  ): RedisRefreshStore => {
    const fast = new RedisStore(connection);
    return new RedisRefreshStore(
      { fast, durable: fast, outcomes: new OutcomeListener(connection) },
      { settleMs: 0, onOffered },
    );
  };

  async function replicaOn(connection: RedisConnection): Promise<Replica> {
    let heard: (of: { offered: number; restored: number }) => void;
    const first = new Promise((resolve) => {
      heard = resolve;
    });
    const refreshes = storeOn(connection, (offered, restored) => heard({ offered, restored }));
    await first;
    return {
      refreshes,
      findsRedisChanged() {
        // It says that it is another one than before: as after a restart.
        const info = `run_id:${randomBytes(8).toString("hex")}`;
        for (const server of serversOf(connection))
          (server as unknown as { info: () => Promise<string> }).info = async () => info;
        const offers = new Promise<{ offered: number; restored: number }>((resolve) => {
          heard = resolve;
        });
        lostAndBack(connection);
        return offers;
      },
    };
  }
});

/** As ioredis tells of it: of a cluster one node goes while the others stay. */
const eventsOf = (connection: RedisConnection) =>
  connection instanceof Cluster ? { lost: "-node", back: "+node" } : { lost: "close", back: "ready" };

function lostAndBack(connection: RedisConnection): void {
  const { lost, back } = eventsOf(connection);
  connection.emit(lost);
  connection.emit(back);
}

function shuffled<T>(list: readonly T[], seeded: Seeded): T[] {
  const left = [...list];
  return list.map(() => left.splice(seeded.below(left.length), 1)[0]!);
}
