import { expect, inject, it } from "vitest";
import {
  type MigrateOptions,
  type MigratePorts,
  MigrationHeld,
  migrateRecords,
} from "../../src/broker/records/migrate-records.ts";
import type { MigrationJournal, RecordWalk } from "../../src/broker/records/migration-ports.ts";
import { MIGRATIONS, type Migration } from "../../src/broker/records/migrations.ts";
import { type ClientId, makeId, type OrganisationId, routeOf } from "../../src/domain/id.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { migratePortsOf, storeFormatOf } from "../../src/main/presence.ts";
import { systemRandom } from "../../src/security/random.ts";
import { makeRecordMac } from "../../src/security/record-mac.ts";
import { parseRootKeyset } from "../../src/security/root-keyset.ts";
import { grantKey, grantsKey, migrationKey, policyKey } from "../../src/store/keys.ts";
import { brokerProcess } from "../kit/broker-process.ts";
import { BY_TEST } from "../kit/put-records.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { Seeded } from "../kit/seeded.ts";
import { AMELIA, world } from "../kit/world.ts";

/** Stands for the next format: of each grant a further field, and `v` 2. */
const NEXT: Migration = {
  name: "test-grants-of-two",
  does: "grants say who migrated them",
  noun: "grant",
  format: 2,
  change: (grant) => (grant.v === "2" ? undefined : { ...grant, v: "2", moved: `from ${grant.v}` }),
};
const told: MigrateOptions = { dryRun: false, note: BY_TEST, perSecond: 100_000, batch: 20 };

async function ownWorld() {
  const here = await world({ redisUrl: (await ownRedisForThisTest()).url });
  const redis = here.broker.stores.fast.connection;
  const organisation = here.organisation as OrganisationId;
  return { here, redis, organisation, formats: storeFormatOf(here.broker) };
}

/** Grants that nobody uses, of which many were born in the same millisecond. */
async function manyGrants({ redis, organisation }: Awaited<ReturnType<typeof ownWorld>>, count: number) {
  const ids = Array.from({ length: count }, () =>
    makeId("grt", routeOf(organisation), 1_790_000_000_000, systemRandom.bytes(16)),
  );
  const pipeline = redis.pipeline();
  for (const [at, id] of ids.entries()) {
    pipeline.hset(grantKey(id as never), { v: "1", state: "active", used_at: "1" });
    pipeline.zadd(grantsKey(organisation), 1_790_000_000_000 + Math.floor(at / 70), id);
  }
  await pipeline.exec();
  return ids.map((id) => grantKey(id as never));
}

it("a policy of an earlier version works as it is; migrated it means the same, and is counted, sealed and audited once", async () => {
  const { here, redis, organisation } = await ownWorld();
  const mac = makeRecordMac(parseRootKeyset(inject("rootKeyset")));
  const place = policyKey(organisation, here.client.id as ClientId);
  const now = JSON.parse(mac.open(place, (await redis.get(place))!)!) as Policy;
  const { rules, ...others } = now;
  await redis.set(place, mac.seal(place, JSON.stringify({ ...others, actions: rules[0]!.actions })));
  await here.connect();
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  expect((await here.client.accessToken(ask)).status).toBe(200);

  const ports = migratePortsOf(here.broker);
  const entriesBefore = await here.broker.auditBuffer.newest(organisation);
  expect(await migrateRecords(ports, { ...told, dryRun: true })).toMatchObject([
    { name: "policies-have-rules", state: "would", changed: 1, looked: 1 },
  ]);
  expect(await here.broker.auditBuffer.newest(organisation)).toBe(entriesBefore);
  expect(await migrateRecords(ports, told)).toMatchObject([{ state: "done", changed: 1, raises: undefined }]);
  expect(await migrateRecords(ports, told)).toMatchObject([{ state: "before" }]);

  const stored = JSON.parse(mac.open(place, (await redis.get(place))!)!);
  expect(stored).toEqual({
    ...others,
    rules: [{ users: "all", libraries: "all", actions: rules[0]!.actions }],
  });
  const [entry, ...more] = await here.broker.auditBuffer.read(organisation, entriesBefore, 100);
  expect([entry?.fields, more]).toMatchObject([
    { action: "record.migrated", record: place, actor: BY_TEST.actor },
    [],
  ]);
  expect((await (await here.replica()).client.accessToken(ask)).status).toBe(200);
});

it("no migration changes what it wrote itself", () => {
  const old: Readonly<Record<string, object>> = {
    "policies-have-rules": { v: 1, servers: ["srv_1"], actions: ["token"] },
  };
  for (const { name, change } of MIGRATIONS) {
    const once = change(old[name] as never);
    expect([name, once]).toEqual([name, expect.anything()]);
    expect([name, change(once!)]).toEqual([name, undefined]);
  }
});

it("killed at any step of any batch it goes on where it was; no record is left out, none is changed twice", async () => {
  const own = await ownWorld();
  const places = await manyGrants(own, 250);
  const ports = migratePortsOf(own.here.broker, [NEXT]);
  await own.formats.begin(1, "0.1.0");
  const random = new Seeded();
  console.log(`seed ${random.seed}`);
  let looked = 0;
  let deaths = 0;
  for (; deaths < 60; deaths++) {
    let steps = 1 + random.below(40);
    const die = () => {
      if (steps-- === 0) throw new Error("killed");
    };
    const walk: RecordWalk = {
      count: (noun) => ports.walk.count(noun),
      batches: (...args) => ports.walk.batches(...args),
      async write(...args) {
        looked += 1;
        die();
        const written = await ports.walk.write(...args);
        die();
        return written;
      },
    };
    const journal: MigrationJournal = {
      find: (name) => ports.journal.find(name),
      async note(...args) {
        die();
        await ports.journal.note(...args);
        die();
      },
    };
    const outcome = await migrateRecords({ ...ports, walk, journal }, told).catch(
      (error: Error) => error.message,
    );
    if (outcome !== "killed") break;
  }
  expect(deaths).toBeGreaterThan(3);
  expect(deaths).toBeLessThan(60);
  const states = await Promise.all(places.map((place) => own.redis.hmget(place, "v", "moved", "state")));
  expect(states.filter(([v, moved, state]) => v !== "2" || moved !== "from 1" || state !== "active")).toEqual(
    [],
  );
  // Whoever began anew each time would look at thousands.
  expect(looked).toBeLessThan(250 + deaths * 2);
  expect(await own.redis.hget(migrationKey(NEXT.name), "done_at")).toMatch(/^\d+$/);
});

it("what brokers change meanwhile stays, and what they changed under its hands is met by another pass", async () => {
  const own = await ownWorld();
  const places = await manyGrants(own, 45);
  const ports = migratePortsOf(own.here.broker, [NEXT]);
  let crossed = 0;
  const walk: RecordWalk = {
    count: (noun) => ports.walk.count(noun),
    batches: (...args) => ports.walk.batches(...args),
    async write(record, ...args) {
      await own.redis.hset(record.place, "used_at", "2");
      if (crossed < 5 && (await own.redis.hset(record.place, "v", "1.5")) >= 0) crossed += 1;
      return ports.walk.write(record, ...args);
    },
  };
  const [outcome] = await migrateRecords({ ...ports, walk }, told);
  expect(outcome).toMatchObject({ state: "done", changed: 45 });
  const read = await Promise.all(places.map((place) => own.redis.hmget(place, "v", "moved", "used_at")));
  expect(read.filter(([v, , used]) => v === "2" && used === "2")).toHaveLength(45);
  expect(read.filter(([, moved]) => moved === "from 1.5")).toHaveLength(5);
});

it("it looks at no more records in a second than it is told", async () => {
  const own = await ownWorld();
  await manyGrants(own, 60);
  const ports = migratePortsOf(own.here.broker, [NEXT]);
  const rests: number[] = [];
  const slow: MigratePorts = {
    ...ports,
    monotonicMs: () => 0,
    timers: {
      after(ms) {
        rests.push(ms);
        return { elapsed: Promise.resolve(), cancel() {} };
      },
    },
  };
  await migrateRecords(slow, { ...told, perSecond: 40 });
  expect(rests).toEqual([500, 500, 500]);
});

it("an earlier version and this one work side by side; what only this one reads is written once the other is gone, and it starts no more", async () => {
  const own = await ownWorld();
  const { here, formats } = own;
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  await here.connect();
  // The earlier version is this very code, which reads format 1; the next one is what the migration writes.
  const earlier = await brokerProcess(here, "http");
  const there = here.clientOf(earlier.base);
  expect((await there.accessToken(ask)).status).toBe(200);
  expect((await here.client.accessToken(ask)).status).toBe(200);
  expect(await formats.mark()).toMatchObject({ format: 1 });
  const { seen } = await formats.processes();
  expect(seen).toMatchObject([{ roles: ["http"], pid: earlier.pid, reads: 1 }]);

  const ports = migratePortsOf(here.broker, [...MIGRATIONS, NEXT]);
  const held = migrateRecords(ports, told);
  await expect(held).rejects.toThrow(MigrationHeld);
  await expect(held).rejects.toThrow(`http 0.1.0 on ${seen[0]?.host} (process ${earlier.pid})`);
  expect(await formats.mark()).toMatchObject({ format: 1 });
  expect((await there.accessToken(ask)).status).toBe(200);

  earlier.signal("SIGTERM");
  await earlier.exited;
  expect((await formats.processes()).seen).toEqual([]);
  expect(await migrateRecords(ports, told)).toMatchObject([
    { state: "before" },
    { state: "done", raises: 2 },
  ]);
  expect((await here.client.accessToken(ask)).status).toBe(200);
  await expect(earlier.restart()).rejects.toThrow(
    "marked this store's records as format 2; this version reads 1 and older. The operator starts version 0.1.0 or a newer one here",
  );
}, 60_000);

it("a process that was at work all the time is given no more requests once a newer format is written", async () => {
  const own = await ownWorld();
  const earlier = await brokerProcess(own.here, "http");
  expect((await fetch(`${earlier.ops}/readyz`)).status).toBe(200);
  // As one that was stopped for longer than a minute, and so not counted.
  await own.formats.leave((await own.formats.processes()).seen[0]!.id);
  expect(await own.formats.raise(2, "0.2.0", 60_000)).toEqual([]);
  const readiness = async () => {
    const answer = await fetch(`${earlier.ops}/readyz`);
    const { checks } = (await answer.json()) as { checks: { check: string; ok: boolean }[] };
    return [answer.status, checks.filter(({ ok }) => !ok).map(({ check }) => check)];
  };
  // What was found is told for a second.
  await expect.poll(readiness, { timeout: 10_000 }).toEqual([503, expect.arrayContaining(["store-format"])]);
}, 60_000);
