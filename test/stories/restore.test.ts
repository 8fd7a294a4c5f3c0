import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Redis } from "ioredis";
import { expect, test } from "vitest";
import { exportAudit } from "../../src/broker/audit/export-audit.ts";
import { AuditVerifier } from "../../src/broker/audit/verify-audit.ts";
import { contain } from "../../src/broker/containment/contain.ts";
import type { RestoreReport } from "../../src/broker/restore/report.ts";
import { linesInOrder } from "../../src/cli/audit-files.ts";
import type { GrantId } from "../../src/domain/id.ts";
import { minutes, seconds } from "../../src/domain/instant.ts";
import type { Broker } from "../../src/main/compose.ts";
import { grantKey } from "../../src/store/keys.ts";
import { allDue, manyGrants } from "../kit/many-grants.ts";
import { BY_TEST } from "../kit/put-records.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { restoring } from "../kit/restoring.ts";
import { Seeded } from "../kit/seeded.ts";
import { type World, world } from "../kit/world.ts";

const GRANTS = Number(process.env.TEST_RESTORED_GRANTS ?? 40);
const ROTATED = 0.3;

test("F33 T27 an hour-old backup is put back: nothing is refreshed until an operator has seen exactly those that rotated since", {
  timeout: 60_000 + GRANTS * 200,
}, async () => {
  const seeded = new Seeded();
  console.log(`seed ${seeded.seed}: which grants rotate after the backup`);
  const redis = await ownRedisForThisTest();
  const here = await strictWorld(redis.url);
  const kit = await restoring(here);
  const grants = await manyGrants(here, GRANTS);
  await exportAudit(here.broker.audit);

  const file = join(kit.folder, "broker.backup");
  expect(await kit.run(here.broker, "backup", file)).toMatchObject({ code: 0 });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await kit.run(here.broker, "backup", "verify", file)).out).toContain(`${GRANTS} grant\n`);

  // An hour of work: three in ten are refreshed, and iManage gives each another token.
  here.advance(minutes(60));
  const rotated = drawn(seeded, grants, Math.round(GRANTS * ROTATED));
  await allDue(here, rotated);
  let ahead = minutes(60);
  const later = (ms: number) => {
    here.advance(ms);
    ahead += ms;
  };
  for (const grant of rotated) await refreshed(here.broker, grant, later);
  // One of the others is ended, one client is stopped, and somebody authorises who had not yet.
  const ended = grants.find((grant) => !rotated.includes(grant))!;
  await here.broker.grantStore.deleteGrant(ended, BY_TEST);
  const [newcomer] = await manyGrants(here, 1, GRANTS);
  const target = { kind: "server", organisation: here.organisation, server: here.server } as never;
  await contain(here.broker.containment, { target, effect: "stop", reason: "since the backup" }, BY_TEST);
  await exportAudit(here.broker.audit);

  // That Redis is lost, and the backup put into another one.
  const other = await ownRedisForThisTest();
  const dry = await kit.run(here.broker, "restore", file, "--into", other.url);
  expect(dry.out).toContain("Would be restored");
  const broker = await kit.brokerOn(other.url, () => ahead);
  expect(await keysOf(broker)).toBe(0);
  expect(await kit.run(here.broker, "restore", file, "--into", other.url, "--yes")).toMatchObject({
    code: 0,
  });
  const again = await kit.run(here.broker, "restore", file, "--into", other.url, "--yes");
  expect(again).toMatchObject({ code: 1, err: expect.stringContaining("name an empty one") });

  const restored = { ...here, broker } as World;
  await allDue(restored, grants);
  const before = refreshesAt(here);
  for (const grant of grants) expect(await broker.workerStories.refreshGrant(grant)).toBe(false);
  // To one that takes the time to be that of the backup every token there still lives.
  const young = await kit.brokerOn(other.url);
  await expect(
    young.accessTokens.provide({
      client: here.client.id as never,
      server: here.server,
      subject: { type: "user", issuer: "client", id: "user.0" },
      note: { actor: "test", requestId: "req_test" },
    }),
  ).rejects.toMatchObject({ code: "restoring" });
  expect(refreshesAt(here)).toBe(before);

  const told = JSON.parse(
    (await kit.run(broker, "restore", "report", kit.audit, "--json")).out,
  ) as RestoreReport;
  const stale = told.journals.flatMap((one) => one.stale);
  expect(stale.flatMap(({ grant, becomes }) => (becomes === "ended" ? [] : [grant]))).toEqual(rotated);
  expect(stale.flatMap(({ grant, becomes }) => (becomes === "ended" ? [grant] : []))).toEqual([ended]);
  expect(told.journals.flatMap(({ lost }) => lost)).toEqual([newcomer]);
  const changes = told.journals.flatMap((one) => one.changes.map(({ action }) => action));
  expect(changes).toEqual(["containment.begun"]);
  const text = (await kit.run(broker, "restore", "report", kit.audit)).out;
  for (const grant of rotated) expect(text).toContain(grant);
  expect(text).toContain(told.digest);

  const wrong = await kit.run(broker, "restore", "release", kit.audit, "--confirm", "0000");
  expect(wrong).toMatchObject({ code: 1, err: expect.stringContaining("look at") });
  expect(await broker.workerStories.refreshGrant(grants[0]!)).toBe(false);
  const released = await kit.run(broker, "restore", "release", kit.audit, "--confirm", told.digest);
  expect(released).toMatchObject({ code: 0 });

  for (const grant of grants) {
    const state = (await broker.grantStore.findGrant(grant))?.state;
    const wanted = rotated.includes(grant) ? "reauthorization_required" : "active";
    expect(state).toBe(grant === ended ? undefined : wanted);
  }
  const kept = grants.filter((grant) => !rotated.includes(grant) && grant !== ended);
  await allDue(restored, [...kept, ...rotated]);
  for (const grant of kept) await refreshed(broker, grant, later);
  for (const grant of rotated) expect(await broker.workerStories.refreshGrant(grant)).toBe(false);
  expect(refreshesAt(here)).toBe(before + kept.length);

  // The audit goes on as one chain, in the same file.
  await exportAudit(broker.audit);
  const verifier = new AuditVerifier(broker.restore.verify);
  for await (const line of linesInOrder([kit.audit])) await verifier.line(line);
  const { journals, otherLines } = verifier.report();
  expect(journals.map(({ fault }) => fault)).toEqual(journals.map(() => undefined));
  const firm = journals.find(({ journal }) => journal === here.organisation)!;
  expect({ otherLines, repeated: firm.repeated, proven: firm.proven!.to }).toEqual({
    otherLines: 0,
    repeated: 0,
    // What was ended, the release, and what went on after it.
    proven:
      told.journals.find(({ journal }) => journal === here.organisation)!.exported.sequence + 2 + kept.length,
  });
  console.log(
    `figure: F33 ${GRANTS} grants, ${rotated.length} of them rotated since the backup: the report lists exactly these; ${kept.length} go on`,
  );
});

const strictWorld = (redisUrl: string) =>
  world({
    redisUrl,
    serverSettings: { rotation: "strict" },
    storeSettlesMs: 0,
    prepare: (simulator) => simulator.setSwitches({ refresh_mode: "strict" }),
  });

const keysOf = async (broker: Broker): Promise<number> =>
  (await (broker.stores.fast.connection as Redis).keys("b1:*")).length;

/** As soon as the server's gate lets it through: of a thousand not all may go in the same second. */
async function refreshed(broker: Broker, grant: GrantId, later: (ms: number) => void): Promise<void> {
  for (let tries = 0; tries < 20; tries++) {
    await dueNow(broker, grant);
    if (await broker.workerStories.refreshGrant(grant)) return;
    later(seconds(1));
  }
  throw new Error(`${grant} was not refreshed`);
}

async function dueNow({ stores }: Broker, grant: GrantId): Promise<void> {
  const now = await stores.fast.now();
  await stores.fast.call((redis) => redis.hset(grantKey(grant), "due_at", now - 1));
}

/** Refreshes that iManage was asked for. */
const refreshesAt = (here: World): number =>
  Object.values(here.simulator.counts().refreshes_by_family).reduce((sum, n) => sum + n, 0);

function drawn<T>(seeded: Seeded, from: readonly T[], count: number): T[] {
  const left = [...from];
  return Array.from({ length: count }, () => left.splice(seeded.below(left.length), 1)[0]!).sort();
}
