import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunningCluster } from "../../scripts/redis/index.ts";
import type { NewConsent } from "../../src/broker/authorization/ports.ts";
import type { RefreshResult } from "../../src/broker/refresh/ports.ts";
import {
  type GrantId,
  makeId,
  makeRoute,
  organisationId,
  type RegistrationId,
  type ServerId,
} from "../../src/domain/id.ts";
import { seconds } from "../../src/domain/instant.ts";
import type { FailureVerdict } from "../../src/domain/refresh-failure.ts";
import type { Sealed } from "../../src/domain/sealed.ts";
import { defaultServerSettings, endpointsOf, type Server } from "../../src/domain/server.ts";
import { serverLimits } from "../../src/domain/server-gate.ts";
import {
  connectRedis,
  disconnect,
  type RedisAddress,
  type RedisConnection,
  whenReady,
} from "../../src/store/connect-redis.ts";
import { grantKey, revocationsKey } from "../../src/store/keys.ts";
import { OutcomeListener } from "../../src/store/outcome-listener.ts";
import { RedisGrantStore } from "../../src/store/redis-grant-store.ts";
import { RedisRefreshStore } from "../../src/store/redis-refresh-store.ts";
import { RedisStore } from "../../src/store/redis-store.ts";
import { addressOf, ownRedisCluster } from "../kit/redis.ts";

let cluster: RunningCluster | undefined;
afterAll(() => cluster?.stop());

const NOTE = { actor: "test", requestId: "req_test" };
const TERMS = {
  leaseMs: seconds(15),
  providerDeadlineMs: seconds(60),
  rotation: "unknown",
  configurationGeneration: 1,
  limits: serverLimits,
} as const;

describe.each(["one Redis", "a cluster of three"])("refreshing on %s", (kind) => {
  let offset = 0;
  let connections: RedisConnection[];
  let refreshes: RedisRefreshStore;
  let grants: RedisGrantStore;
  let fast: RedisStore;

  beforeAll(async () => {
    let address: RedisAddress = addressOf();
    if (kind !== "one Redis") {
      cluster = await ownRedisCluster();
      address = {
        url: "redis://cluster",
        clusterNodes: cluster.startupNodes.map(({ host, port }) => `${host}:${port}`),
      };
    }
    connections = [
      connectRedis(address, "fast"),
      connectRedis(address, "durable"),
      connectRedis(address, "durable"),
    ];
    await Promise.all(connections.map(whenReady));
    fast = new RedisStore(connections[0]!, () => offset);
    const outcomes = new OutcomeListener(connections[2]!);
    await outcomes.listen();
    refreshes = new RedisRefreshStore({
      fast,
      durable: new RedisStore(connections[1]!, () => offset),
      outcomes,
    });
    grants = new RedisGrantStore(fast);
    return () => connections.forEach(disconnect);
  });

  async function newGrant(
    change: Partial<NewConsent> = {},
  ): Promise<{ grant: GrantId; server: Server; consent: NewConsent }> {
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
      ...change,
    };
    expect(await grants.putConsent(consent, undefined, NOTE)).toBe("stored");
    return { grant: consent.grant, server, consent };
  }

  const result = (
    server: Server,
    attempt: number,
    parent: string,
    change: Partial<RefreshResult> = {},
  ): RefreshResult => ({
    consentGeneration: 1,
    attempt,
    server: server.id,
    registration: server.registration,
    parent,
    refreshToken: `sealed-rt-${attempt}` as Sealed,
    refreshTokenFingerprint: `rt-${attempt}`,
    refreshTokenLifeMs: seconds(10_000),
    refreshExtendsLife: false,
    accessToken: `sealed-at-${attempt}` as Sealed,
    accessTokenFingerprint: `at-${attempt}`,
    accessTokenLifeMs: seconds(100),
    softMarginMs: seconds(20),
    keepAliveMs: seconds(2_500),
    jitter: 0,
    receivedAt: 0,
    ...change,
  });

  const failed = (change: Partial<FailureVerdict> = {}): FailureVerdict => ({
    class: "upstream",
    state: "unchanged",
    coolDownMs: 1_000,
    problem: "imanage_unavailable",
    outcomeUnknown: false,
    ...change,
  });

  const expired = { why: "expired", minTtlMs: seconds(1_000) } as const;
  const fields = (grant: GrantId) =>
    fast.call((redis) => redis.hgetall(`b1:{o:${grant.slice(4, 14)}}:grant:${grant}`));

  it("an orphaned commit that is sent again gives its tokens to the revocation outbox once", async () => {
    const { grant, server, consent } = await newGrant();
    expect(
      await grants.putConsent(
        { ...consent, consentGeneration: 2, accessToken: "another" as Sealed },
        undefined,
        NOTE,
      ),
    ).toBe("stored");
    const late = result(server, 1, "rt-0");
    for (let i = 0; i < 3; i++) expect(await refreshes.commit(grant, "attempt-late", late)).toBe("orphaned");
    const outbox = await fast.call((redis) => redis.xrange(revocationsKey(server.organisation), "-", "+"));
    expect(outbox).toHaveLength(2);
  });

  it("a consent that is sent again, because its reply was lost, is stored and not stale", async () => {
    const { grant, consent } = await newGrant();
    const before = await fast.call((redis) => redis.hgetall(grantKey(grant)));
    expect(await grants.putConsent(consent, undefined, NOTE)).toBe("stored");
    expect(await fast.call((redis) => redis.hgetall(grantKey(grant)))).toEqual(before);
  });

  it("of fifty who begin at once, one gets the lease (F19)", async () => {
    const { grant } = await newGrant();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => refreshes.begin(grant, `attempt-${i}`, expired, TERMS)),
    );
    expect(answers.filter(({ kind }) => kind === "begun")).toHaveLength(1);
    expect(answers.filter(({ kind }) => kind === "held")).toHaveLength(49);
  });

  it("begin asked again with the same attempt answers the same (F26)", async () => {
    const { grant } = await newGrant();
    const first = await refreshes.begin(grant, "a", expired, TERMS);
    expect(await refreshes.begin(grant, "a", expired, TERMS)).toEqual(first);
    expect((await fields(grant)).att).toBe("1");
  });

  it("commit asked again has no second effect (F26)", async () => {
    const { grant, server } = await newGrant();
    await refreshes.begin(grant, "a", expired, TERMS);
    await refreshes.markSent(grant, "a", TERMS.leaseMs);
    expect(await refreshes.commit(grant, "a", result(server, 1, "rt-0"))).toBe("committed");
    const after = await fields(grant);
    expect(await refreshes.commit(grant, "a", result(server, 1, "rt-0"))).toBe("committed");
    expect(await fields(grant)).toEqual(after);
    expect(after).toMatchObject({ rt: "sealed-rt-1", at: "sealed-at-1", state: "active" });
    expect(after.lease).toBeUndefined();
  });

  it("commit asked again has no second effect where its answer was noted as until November 2026, and those that follow are told apart (F26)", async () => {
    const { grant, server } = await newGrant();
    const attempt = (n: number) => Buffer.alloc(16, n).toString("base64url");
    const before = JSON.stringify([
      [attempt(1), "spare"],
      [attempt(2), "committed"],
    ]);
    await fast.call((redis) => redis.hset(grantKey(grant), "done", before));
    const whole = await fields(grant);
    expect(await refreshes.commit(grant, attempt(1), result(server, 1, "rt-0"))).toBe("spare");
    expect(await refreshes.commit(grant, attempt(2), result(server, 1, "rt-0"))).toBe("committed");
    expect(await fields(grant)).toEqual(whole);
    for (let n = 3; n < 12; n++) await refreshes.commit(grant, attempt(n), result(server, n, `rt-${n}`));
    // Eight of them take less than half of what four took.
    expect((await fields(grant)).done!.length).toBeLessThan(125);
    const after = await fields(grant);
    for (let n = 4; n < 12; n++)
      expect(await refreshes.commit(grant, attempt(n), result(server, n, `rt-${n}`))).toBe("spare");
    expect(await fields(grant)).toEqual(after);
  });

  it("no refresh token in the answer keeps the old one (F10)", async () => {
    const { grant, server } = await newGrant();
    await refreshes.begin(grant, "a", expired, TERMS);
    await refreshes.commit(
      grant,
      "a",
      result(server, 1, "rt-0", { refreshToken: undefined, refreshTokenFingerprint: undefined }),
    );
    expect(await fields(grant)).toMatchObject({ rt: "sealed-rt-0", rt_fp: "rt-0", at: "sealed-at-1" });
  });

  it("a late result never overwrites a newer one: it is kept as a spare (F20)", async () => {
    const { grant, server } = await newGrant();
    await refreshes.begin(grant, "slow", expired, TERMS);
    await refreshes.markSent(grant, "slow", TERMS.leaseMs);
    offset += seconds(61);
    const second = await refreshes.begin(grant, "second", expired, TERMS);
    expect(second.kind).toBe("begun");
    expect(await refreshes.commit(grant, "second", result(server, 2, "rt-0"))).toBe("committed");
    expect(await refreshes.commit(grant, "slow", result(server, 1, "rt-0"))).toBe("spare");
    const stored = await fields(grant);
    expect(stored).toMatchObject({ rt: "sealed-rt-2", at: "sealed-at-2" });
    expect(JSON.parse(stored.spares!)).toMatchObject([{ sealed: "sealed-rt-1", att: "1" }]);
  });

  it("of more late refresh tokens than are kept the newest three stay, and none that became primary", async () => {
    const { grant, server } = await newGrant();
    await refreshes.begin(grant, "holder", expired, TERMS);
    await refreshes.commit(grant, "holder", result(server, 1, "rt-0"));
    for (const late of [2, 3, 4, 5]) {
      expect(await refreshes.commit(grant, `late-${late}`, result(server, late, "rt-0"))).toBe("spare");
    }
    const spares = async () => JSON.parse((await fields(grant)).spares!) as { fp: string }[];
    expect((await spares()).map(({ fp }) => fp)).toEqual(["rt-5", "rt-4", "rt-3"]);
    // One of them comes back as the answer to a refresh: it is the primary token now, and stands once.
    await refreshes.commit(grant, "again", { ...result(server, 6, "rt-1"), refreshTokenFingerprint: "rt-4" });
    expect((await spares()).map(({ fp }) => fp)).toEqual(["rt-5", "rt-3"]);
    expect(await fields(grant)).toMatchObject({ rt_fp: "rt-4", at: "sealed-at-6" });
    // Every one of them is remembered: asked again, the same answer and no second effect.
    expect(await refreshes.commit(grant, "late-2", result(server, 2, "rt-0"))).toBe("spare");
    expect((await spares()).map(({ fp }) => fp)).toEqual(["rt-5", "rt-3"]);
  });

  it("who began with a token that was replaced since may not send it", async () => {
    const { grant, server } = await newGrant();
    await refreshes.begin(grant, "slow", expired, TERMS);
    await refreshes.markSent(grant, "slow", TERMS.leaseMs);
    offset += seconds(61);
    expect(await refreshes.begin(grant, "next", expired, TERMS)).toMatchObject({ kind: "begun" });
    expect(await refreshes.commit(grant, "slow", result(server, 1, "rt-0"))).toBe("committed");
    expect(await refreshes.markSent(grant, "next", TERMS.leaseMs)).toBe(false);
    expect((await fields(grant)).lease).toBeUndefined();
  });

  it("a late failure changes nothing of what another attempt stored (F20)", async () => {
    const { grant, server } = await newGrant();
    await refreshes.begin(grant, "slow", expired, TERMS);
    await refreshes.markSent(grant, "slow", TERMS.leaseMs);
    offset += seconds(61);
    await refreshes.begin(grant, "second", expired, TERMS);
    await refreshes.commit(grant, "second", result(server, 2, "rt-0"));
    const before = await fields(grant);
    await refreshes.fail(grant, "slow", failed({ state: "reauthorization_required" }), TERMS);
    expect(await fields(grant)).toEqual(before);
  });

  it("a holder that died before sending is followed at once when its lease ends (F17)", async () => {
    const { grant } = await newGrant();
    await refreshes.begin(grant, "dead", expired, TERMS);
    expect(await refreshes.begin(grant, "next", expired, TERMS)).toMatchObject({ kind: "held" });
    offset += TERMS.leaseMs + 1;
    expect(await refreshes.begin(grant, "next", expired, TERMS)).toMatchObject({ kind: "begun" });
  });

  it("after a holder died with its request out, an unknown server is asked again only when no answer can come (F16)", async () => {
    const { grant } = await newGrant();
    await refreshes.begin(grant, "dead", expired, TERMS);
    await refreshes.markSent(grant, "dead", TERMS.leaseMs);
    offset += TERMS.leaseMs + 1;
    expect(await refreshes.begin(grant, "next", expired, TERMS)).toMatchObject({
      kind: "cooling",
      problem: "refresh_pending",
    });
    expect(await refreshes.begin(grant, "next", expired, { ...TERMS, rotation: "static" })).toMatchObject({
      kind: "begun",
    });
  });

  it("a lease is released by its owner alone, and never once the request has left (F21)", async () => {
    const { grant } = await newGrant();
    await refreshes.begin(grant, "owner", expired, TERMS);
    await refreshes.release(grant, "stranger");
    expect(await refreshes.begin(grant, "other", expired, TERMS)).toMatchObject({ kind: "held" });
    await refreshes.markSent(grant, "owner", TERMS.leaseMs);
    await refreshes.release(grant, "owner");
    expect(await refreshes.begin(grant, "other", expired, TERMS)).toMatchObject({ kind: "held" });
  });

  it("who lost the lease may not send", async () => {
    const { grant } = await newGrant();
    await refreshes.begin(grant, "slow", expired, TERMS);
    offset += TERMS.leaseMs + 1;
    await refreshes.begin(grant, "next", expired, TERMS);
    expect(await refreshes.markSent(grant, "slow", TERMS.leaseMs)).toBe(false);
    expect(await refreshes.renew(grant, "slow", TERMS.leaseMs)).toBe(false);
    expect(await refreshes.markSent(grant, "next", TERMS.leaseMs)).toBe(true);
  });

  it("what a refresh brings after new consent goes to the revocation outbox, not into the grant", async () => {
    const { grant, server, consent } = await newGrant();
    await refreshes.begin(grant, "a", expired, TERMS);
    await refreshes.markSent(grant, "a", TERMS.leaseMs);
    const again = {
      ...consent,
      consentGeneration: 2,
      refreshToken: "sealed-rt-new" as Sealed,
      refreshTokenFingerprint: "rt-new",
    };
    expect(await grants.putConsent(again, undefined, NOTE)).toBe("stored");
    expect(await refreshes.commit(grant, "a", result(server, 1, "rt-0"))).toBe("orphaned");
    expect(await fields(grant)).toMatchObject({ rt: "sealed-rt-new", gen: "2" });
    const pending = await grants.pending(server.organisation, 10);
    expect(pending.map(({ token }) => token)).toEqual(["sealed-at-1", "sealed-rt-1"]);
  });

  it("what a refresh brings after the grant was deleted goes to the revocation outbox", async () => {
    const { grant, server } = await newGrant();
    await refreshes.begin(grant, "a", expired, TERMS);
    await refreshes.markSent(grant, "a", TERMS.leaseMs);
    expect(await grants.deleteGrant(grant, NOTE)).toBe("deleted");
    expect(await refreshes.commit(grant, "a", result(server, 1, "rt-0"))).toBe("orphaned");
    expect(await grants.findGrant(grant)).toBeUndefined();
    const pending = await grants.pending(server.organisation, 10);
    expect(pending.map(({ token }) => token)).toEqual([
      "sealed-at-0",
      "sealed-rt-0",
      "sealed-at-1",
      "sealed-rt-1",
    ]);
  });

  it("consent of an older generation than the stored one is stale and changes nothing", async () => {
    const { grant, consent } = await newGrant();
    const before = await fields(grant);
    const earlier = { ...consent, accessToken: "sealed-at-of-another" as Sealed };
    expect(await grants.putConsent(earlier, undefined, NOTE)).toBe("stale");
    expect(await fields(grant)).toEqual(before);
  });

  it("a salvaged refresh token without access token becomes primary and is due at once (F02)", async () => {
    const { grant, server } = await newGrant();
    await refreshes.begin(grant, "a", expired, TERMS);
    await refreshes.commit(
      grant,
      "a",
      result(server, 1, "rt-0", { accessToken: undefined, accessTokenFingerprint: undefined }),
    );
    expect(await fields(grant)).toMatchObject({ rt: "sealed-rt-1", at: "sealed-at-0" });
    expect(await grants.dueGrants(server.organisation, 10)).toContain(grant);
  });

  it("waiters in other processes are woken by the outcome, good or bad (F24)", async () => {
    const { grant, server } = await newGrant();
    await refreshes.begin(grant, "a", expired, TERMS);
    const good = refreshes.outcome(grant, seconds(20));
    await refreshes.commit(grant, "a", result(server, 1, "rt-0"));
    expect(await good).toBe("announced");
    await refreshes.begin(grant, "b", expired, TERMS);
    const bad = refreshes.outcome(grant, seconds(20));
    await refreshes.fail(grant, "b", failed(), TERMS);
    expect(await bad).toBe("announced");
    expect(await refreshes.outcome(grant, 1)).toBe("timeout");
  });

  it("the third of three refusals ends a grant, and its schedule (F04)", async () => {
    const { grant, server } = await newGrant();
    for (const state of ["suspect", "suspect", "reauthorization_required"] as const) {
      const attempt = `refused-${state}-${offset}`;
      expect(await refreshes.begin(grant, attempt, expired, TERMS)).toMatchObject({ kind: "begun" });
      await refreshes.fail(
        grant,
        attempt,
        failed({ class: "invalid_grant", state, coolDownMs: seconds(61) }),
        TERMS,
      );
      expect((await grants.findGrant(grant))?.state).toBe(state);
      offset += seconds(62);
    }
    expect(await refreshes.begin(grant, "more", expired, TERMS)).toMatchObject({
      kind: "state",
      state: "reauthorization_required",
    });
    expect(await grants.dueGrants(server.organisation, 10)).not.toContain(grant);
  });
});
