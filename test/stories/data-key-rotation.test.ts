import type { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { contain } from "../../src/broker/containment/contain.ts";
import type { SealedStore } from "../../src/broker/keys/ports.ts";
import { advanceRotation, startRotation } from "../../src/broker/keys/rotate-data-keys.ts";
import { changeContext, organisationOwner, refreshTokenContext } from "../../src/broker/seal-contexts.ts";
import { metIn, rotationTiming } from "../../src/domain/data-key-rotation.ts";
import { type ClientId, makeId, type OrganisationId, routeOf } from "../../src/domain/id.ts";
import { Secret } from "../../src/domain/secret.ts";
import { WHOLE_LIBRARY } from "../../src/domain/sync-wish.ts";
import { RedisSyncStore } from "../../src/store/redis-sync-store.ts";
import { firstCursor } from "../../src/sync/cursor.ts";
import { expireSoon } from "../kit/expire.ts";
import { checkInvariants } from "../kit/invariants.ts";
import { manyGrants } from "../kit/many-grants.ts";
import { BY_TEST } from "../kit/put-records.ts";
import { keysOf, ownRedisCluster } from "../kit/redis.ts";
import { AMELIA, type World, world } from "../kit/world.ts";

const ownerOf = (here: World) => organisationOwner(here.organisation as OrganisationId);

/** What the workers do, until there is nothing to do but wait. */
async function work(here: World) {
  for (;;) {
    const answer = await advanceRotation(here.broker.rotations, ownerOf(here));
    if (answer !== "goes_on") return answer;
  }
}

async function rotate(here: World) {
  const owner = ownerOf(here);
  const { rotation } = await startRotation(here.broker.rotations, owner, BY_TEST);
  here.advance(rotationTiming.knownAfterMs);
  await work(here);
  here.advance(rotationTiming.keptAfterMs);
  for (let i = 0; i < 5 && (await work(here)) !== "ended"; i++) here.advance(rotationTiming.againMs);
  return { from: rotation.from, ...(await here.broker.rotations.keys.read(owner)) };
}

const token = async (here: World, id: string) =>
  here.client.accessToken({ server: here.server, subject: { type: "user", id } });

test("F40: a data key is rotated: each token is served before, meanwhile and after, and the old key is gone", async () => {
  const here = await world();
  await here.connect();
  const grants = await manyGrants(here, 8);
  const owner = ownerOf(here);
  const before = await here.broker.dataKeys.find(owner);
  const { started, rotation } = await startRotation(here.broker.rotations, owner, BY_TEST);
  expect(started).toBe(true);
  expect((await startRotation(here.broker.rotations, owner, BY_TEST)).started).toBe(false);
  expect(await work(here)).toBe("waits");
  expect((await here.broker.dataKeys.find(owner))?.current).toBe(before!.current);

  here.advance(rotationTiming.knownAfterMs);
  expect(await work(here)).toBe("waits");
  expect((await here.broker.dataKeys.find(owner))?.current).toBe(rotation.to);
  const under = await here.broker.rotations.keys.read(owner);
  // Two tokens of each grant, and the client secret of the registration.
  expect(under.rotation).toMatchObject({ phase: "resealing", resealed: 2 * 9 + 1, passes: 1 });
  expect((await token(here, AMELIA.subject)).status).toBe(200);

  // Nothing names the old key any more, and it stays: somebody may still store what he sealed before.
  here.advance(rotationTiming.againMs);
  expect(await work(here)).toBe("waits");
  const kept = await here.broker.rotations.keys.read(owner);
  expect(metIn(kept.rotation!.last!)).toBe(0);
  expect(Object.keys(kept.keys!.wrapped)).toContain(before!.current);

  here.advance(rotationTiming.keptAfterMs);
  expect(await work(here)).toBe("ended");
  const after = await here.broker.rotations.keys.read(owner);
  expect(after.rotation?.phase).toBe("done");
  expect(metIn(after.rotation!.last!)).toBe(0);
  expect(Object.keys(after.keys!.wrapped).sort()).toEqual([rotation.to, "fingerprint"].sort());
  expect(await here.broker.rotations.keys.rotating()).not.toContain(owner);
  for (let i = 0; i < grants.length; i++) expect((await token(here, `user.${i}`)).status).toBe(200);
  const audit = await here.broker.auditBuffer.read(here.organisation as OrganisationId, 0, 1_000);
  expect(audit.map(({ fields }) => fields.action).filter((it) => it?.startsWith("data_key."))).toEqual([
    "data_key.added",
    "data_key.promoted",
    "data_key.retired",
  ]);
});

/** What names the old key: of the whole organisation, letter by letter, from the keys themselves. */
async function namingIn(here: World, key: string): Promise<string[]> {
  const redis = here.broker.stores.fast.connection as Redis;
  const naming: string[] = [];
  for (const name of await keysOf(redis, `b1:{${ownerOf(here)}}:`)) {
    const type = await redis.type(name);
    const held =
      type === "string"
        ? await redis.get(name)
        : type === "hash"
          ? await redis.hgetall(name)
          : type === "stream"
            ? await redis.xrange(name, "-", "+")
            : type === "zset"
              ? await redis.zrange(name, "0", "-1")
              : await redis.smembers(name);
    if (JSON.stringify(held).includes(`.${key}.`))
      naming.push(name.slice(name.indexOf("}:") + 2).split(":")[0]!);
  }
  return naming.sort();
}

/** A sync with so many changes, as pages brought them. */
async function syncOf(here: World, pages: number, perPage: number) {
  const { broker } = here;
  const syncs = new RedisSyncStore(broker.stores.fast);
  const server = (await broker.configuration.findServer(here.server))!;
  const route = routeOf(here.organisation as OrganisationId);
  const id = makeId("syn", route, Date.now(), broker.random.bytes(16));
  const client = here.client.id as ClientId;
  await syncs.insertSync(
    {
      id,
      client,
      server: server.id,
      library: "ACTIVE",
      wish: WHOLE_LIBRARY,
      intervalMs: 60_000,
      fields: undefined,
    },
    BY_TEST,
  );
  const store = async (sequence: number) => {
    const context = changeContext(server, id, sequence);
    const changes = await Promise.all(
      Array.from({ length: perPage }, (_, i) =>
        broker.sealer.seal(new Secret(`change ${sequence}-${i + 1}`), context),
      ),
    );
    const page = { sequence, changes, marks: [], forgotten: [], documents: perPage, unreadable: 0 };
    const cursor = { ...firstCursor(sequence + 1) };
    expect(await syncs.commitPage(id, { ...page, cursor, pass: "more" }, 30_000)).toBe("committed");
  };
  for (let i = 1; i <= pages; i++) await store(i);
  const read = async () => {
    const answer = await syncs.readChanges(id, undefined, 10_000);
    if (answer.kind !== "read") throw new Error(answer.kind);
    return Promise.all(
      answer.changes.map(async (it) => {
        const context = changeContext(server, id, Number(it.id.split("-")[0]));
        return { ...it, sealed: (await broker.sealer.open(it.sealed, context)).reveal() };
      }),
    );
  };
  return { id, syncs, store, read };
}

test("F40: whatever else is sealed follows: spares, what waits to be revoked now or later, a sync's changes", async () => {
  const here = await world();
  const { broker } = here;
  const [later, now, spare] = await manyGrants(here, 3);
  const prefix = `b1:{${ownerOf(here)}}:`;
  const redis = broker.stores.fast.connection as Redis;
  const text = async (grant: string, field: string) => (await redis.hget(`${prefix}grant:${grant}`, field))!;
  const waiting = async (grant: string) => ({
    ...{
      grant,
      server: here.server,
      registration: "reg",
      gen: "1",
      kind: "refresh-token",
      att: "0",
      at: "1",
    },
    sealed: await text(grant, "rt"),
  });
  await redis.zadd(`${prefix}revocations:later`, `${9e15}`, JSON.stringify(await waiting(later!)));
  await redis.xadd(`${prefix}revocations`, "*", ...Object.entries(await waiting(now!)).flat());
  const spares = [{ sealed: await text(spare!, "rt"), fp: "f", att: "0", at: "1" }];
  await redis.hset(`${prefix}grant:${spare}`, "spares", JSON.stringify(spares));
  const sync = await syncOf(here, 3, 200);
  const told = await sync.read();
  const old = (await broker.dataKeys.find(ownerOf(here)))!.current;
  expect(await namingIn(here, old)).toEqual(
    ["grant", "grant", "grant", "registration", "revocations", "revocations", "sync-changes"].sort(),
  );

  const { rotation, keys } = await rotate(here);
  expect(rotation).toMatchObject({ phase: "done", last: { unreadable: 0, unknown: 0 } });
  expect(Object.keys(keys!.wrapped)).not.toContain(old);
  expect(await namingIn(here, old)).toEqual([]);
  expect(await namingIn(here, keys!.current)).toHaveLength(7);
  expect(await sync.read()).toEqual(told);
  // And goes on where it was.
  await sync.store(4);
  expect((await sync.read()).slice(told.length).map(({ id }) => id)[0]).toBe("4-1");
  const server = (await broker.configuration.findServer(here.server))!;
  const [moved] = await broker.grantStore.pending(here.organisation as OrganisationId, 10);
  const of = { grant: now!, server, consentGeneration: 1, attempt: 0 };
  expect((await broker.sealer.open(moved!.token, refreshTokenContext(of))).reveal()).toMatch(/^sim_rt_/);
});

test("F40: a page that comes while changes are copied is in the copy, or the copy is not taken", async () => {
  const here = await world();
  const sync = await syncOf(here, 2, 300);
  const { from, to } = (await startRotation(here.broker.rotations, ownerOf(here), BY_TEST)).rotation;
  here.advance(rotationTiming.knownAfterMs);
  const { sealed } = here.broker.rotations;
  let pages = 2;
  const disturbed: SealedStore = new Proxy(sealed, {
    get(_, name) {
      if (name !== "takeCopy") return Reflect.get(sealed, name).bind(sealed);
      return async (...args: Parameters<SealedStore["takeCopy"]>) => {
        // The very moment between the copy and its taking the place.
        if (pages < 4) await sync.store(++pages);
        return sealed.takeCopy(...args);
      };
    },
  });
  const ports = { ...here.broker.rotations, sealed: disturbed };
  while ((await advanceRotation(ports, ownerOf(here))) === "goes_on");
  expect(pages).toBe(4);
  expect((await sync.read()).map(({ sealed: change }) => change)).toHaveLength(4 * 300);
  expect(await namingIn(here, from[0]!)).not.toContain("sync-changes");
  expect(await namingIn(here, to)).toContain("sync-changes");
});

test("F40: no data key is retired while anything names it, wherever that is; status names the place", async () => {
  const here = await world();
  const [grant] = await manyGrants(here, 1);
  const redis = here.broker.stores.fast.connection as Redis;
  const prefix = `b1:{${ownerOf(here)}}:`;
  const rt = (await redis.hget(`${prefix}grant:${grant}`, "rt"))!;
  const places = {
    unknown: [`${prefix}nobody-knows:this`, async () => redis.hset(`${prefix}nobody-knows:this`, "x", rt)],
    unreadable: [
      `${prefix}revocations`,
      async () =>
        redis.xadd(
          `${prefix}revocations`,
          "*",
          "at",
          "1",
          "sealed",
          rt,
          "gen",
          "2",
          "att",
          "0",
          ...["kind", "refresh-token", "grant", grant!, "server", here.server],
        ),
    ],
    fleeting: [`${prefix}page-session:x`, async () => redis.set(`${prefix}page-session:x`, rt, "EX", 9_999)],
  } as const;
  for (const [, put] of Object.values(places)) await put();

  const held = await rotate(here);
  expect(held.rotation).toMatchObject({
    phase: "resealing",
    last: { unknown: 1, unreadable: 1, fleeting: 1 },
  });
  expect(["nobody-knows:this", grant]).toContain(held.rotation!.last!.example);
  expect(Object.keys(held.keys!.wrapped)).toContain(held.from[0]);

  for (const [key] of Object.values(places)) await redis.del(key);
  here.advance(rotationTiming.againMs);
  expect(await work(here)).toBe("ended");
});

test("F40: what a refresh stores while its grant is sealed anew stays", async () => {
  const here = await world({ serverSettings: { rotation: "leeway" } });
  here.simulator.setSwitches({ refresh_mode: "leeway", leeway_seconds: 60 });
  const [grant] = await manyGrants(here, 1);
  await startRotation(here.broker.rotations, ownerOf(here), BY_TEST);
  here.advance(rotationTiming.knownAfterMs);
  const { sealed } = here.broker.rotations;
  let refreshed = 0;
  const disturbed: SealedStore = new Proxy(sealed, {
    get(_, name) {
      if (name !== "replaceInGrant") return Reflect.get(sealed, name).bind(sealed);
      return async (...args: Parameters<SealedStore["replaceInGrant"]>) => {
        if (refreshed++ === 0) {
          await expireSoon(here, grant!);
          expect((await token(here, "user.0")).status).toBe(200);
        }
        return sealed.replaceInGrant(...args);
      };
    },
  });
  await advanceRotation({ ...here.broker.rotations, sealed: disturbed }, ownerOf(here));
  expect(refreshed).toBeGreaterThan(0);
  const findings = await checkInvariants(here);
  expect(findings.sentences).toEqual(findings.with("healthy").map(({ sentence }) => sentence));
});

test("F40: on a cluster a pass looks at the organisation's own node, and all of it", async () => {
  const cluster = await ownRedisCluster();
  onTestFinished(() => cluster.stop());
  const here = await world({ redisUrl: cluster.nodes[0]!.url, clusterNodes: cluster.startupNodes });
  await manyGrants(here, 4);
  const sync = await syncOf(here, 1, 10);
  const { rotation } = await rotate(here);
  expect(rotation).toMatchObject({
    phase: "done",
    resealed: 2 * 4 + 1 + 10,
    last: { unknown: 0, unreadable: 0 },
  });
  expect(await sync.read()).toHaveLength(10);
  expect((await token(here, "user.3")).status).toBe(200);
});

test("a token that iManage refuses to revoke keeps its tries and its reason while it is sealed anew", async () => {
  const here = await world();
  await here.connect();
  const { containment: ports, containmentWork, revoker } = here.broker;
  here.simulator.addFault({ on: { route: "revoke" }, times: "always", do: { answer: { status: 503 } } });
  const organisation = here.organisation as OrganisationId;
  const target = { kind: "organisation", organisation } as const;
  const { id } = await contain(ports, { target, effect: "revoke", reason: "a leak" }, BY_TEST);
  await containmentWork.settled();
  await revoker.revokeOf(organisation);
  const [before] = await ports.containments.refusals(id);
  expect((await rotate(here)).rotation?.phase).toBe("done");
  expect(await ports.containments.refusals(id)).toHaveLength(2);
  await revoker.revokeOf(organisation);
  expect(await ports.containments.progress(id)).toMatchObject({ tokens: 2, refused: 2 });
  for (const one of await ports.containments.refusals(id))
    expect(one).toMatchObject({ why: before!.why, attempts: before!.attempts + 1 });
  here.simulator.clearFaults();
  await revoker.revokeOf(organisation);
  const done = await ports.containments.progress(id);
  expect([done.refused, done.revoked + done.alreadyDead]).toEqual([0, 2]);
});
