import { expect, test } from "vitest";
import { exportAudit } from "../../src/broker/audit/export-audit.ts";
import type { RestoreReport } from "../../src/broker/restore/report.ts";
import type { GrantId, OrganisationId } from "../../src/domain/id.ts";
import { seconds } from "../../src/domain/instant.ts";
import { serverLimits } from "../../src/domain/server-gate.ts";
import { whenReady } from "../../src/store/connect-redis.ts";
import { RedisRefreshStore } from "../../src/store/redis-refresh-store.ts";
import { appendOnlyFileOf } from "../kit/aof.ts";
import { brokerProcess } from "../kit/broker-process.ts";
import { allDue, manyGrants } from "../kit/many-grants.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { restoring } from "../kit/restoring.ts";
import { type World, world } from "../kit/world.ts";

test("T27 F33 an older Redis behind a process that lives is noticed before anything is refreshed; what lives is served, and an operator sees what is stale", async () => {
  const { redis, here, kit, grants, goBack } = await firm();
  const rotated = grants.slice(0, 3);
  // Another replica refreshes, and is gone before anybody could ask it.
  const other = await kit.brokerOn(redis.url);
  await allDue(here, rotated);
  for (const grant of rotated) expect(await other.workerStories.refreshGrant(grant)).toBe(true);
  await exportAudit(here.broker.audit);
  await here.broker.storeWatch.look();
  await here.broker.storeWatch.look();
  await other.close();

  await goBack();
  const before = refreshesAt(here);
  await allDue(here, grants.slice(0, 4));
  for (const grant of grants.slice(0, 4)) {
    expect(await here.broker.workerStories.refreshGrant(grant)).toBe(false);
  }
  expect(refreshesAt(here)).toBe(before);
  const ask = (i: number) =>
    here.client.accessToken({ server: here.server, subject: { type: "user", id: `user.${i}` } });
  expect((await ask(5)).status).toBe(200);
  expect(await ask(0)).toMatchObject({ status: 503, body: { code: "restoring", remedy: "operator" } });
  expect(here.lines.join("")).toContain("alert: the store is older than it was");
  expect(await here.broker.restoring()).toMatchObject([{ mode: { why: "went_back" } }]);

  const told = JSON.parse(
    (await kit.run(here.broker, "restore", "report", kit.audit, "--json")).out,
  ) as RestoreReport;
  expect(staleOf(told)).toEqual([...rotated].sort());
  const released = await kit.run(here.broker, "restore", "release", kit.audit, "--confirm", told.digest);
  expect(released).toMatchObject({ code: 0 });
  expect(await here.broker.restoring()).toEqual([]);
  // What was handed out meanwhile is in the audit, behind what had been exported before; it all is one chain.
  await exportAudit(here.broker.audit);
  expect(await kit.faultsOfAudit()).toEqual([]);
  await allDue(here, grants);
  expect(await here.broker.workerStories.refreshGrant(grants[3]!)).toBe(true);
  expect(await here.broker.workerStories.refreshGrant(grants[0]!)).toBe(false);
});

test("T27 a process that starts on an older Redis than the last one knew says so, is ready, and refreshes nothing", async () => {
  const { here, grants, goBack } = await firm();
  await allDue(here, grants.slice(0, 1));
  expect(await here.broker.workerStories.refreshGrant(grants[0]!)).toBe(true);
  await here.broker.storeWatch.look();
  await here.broker.close();
  await goBack();

  const { base, ops } = await brokerProcess(here, "http");
  const ready = (await (await fetch(`${ops}/readyz`)).json()) as {
    checks: { check: string; sentence: string }[];
  };
  expect(ready.checks.find(({ check }) => check === "store-continuity")).toMatchObject({
    ok: false,
    sentence: expect.stringContaining("is older than what was known of it"),
    remedy: expect.stringContaining("restore report"),
  });
  const client = here.clientOf(base);
  const ask = { server: here.server, subject: { type: "user", id: "user.0" } } as const;
  const { status, body } = await client.accessToken(ask);
  expect(status).toBe(200);
  const refused = await client.accessToken({ ...ask, rejected: body.fingerprint });
  expect(refused).toMatchObject({ status: 503, body: { code: "restoring" } });
});

test("F33 a refresh that has begun when the store is put back sends nothing", async () => {
  const { here, grants } = await firm();
  const refreshes = new RedisRefreshStore({ ...here.broker.stores, outcomes: undefined as never });
  const { restores } = here.broker.restore;
  const terms = {
    leaseMs: seconds(15),
    providerDeadlineMs: seconds(60),
    rotation: "strict",
    configurationGeneration: 1,
    limits: serverLimits,
  } as const;
  await allDue(here, grants);
  const begun = await refreshes.begin(grants[0]!, "an attempt", { why: "due" }, terms);
  expect(begun.kind).toBe("begun");
  expect(await restores.enter(here.organisation as OrganisationId, { epoch: 0, sequence: 1_000 })).toBe(
    "entered",
  );
  expect(await refreshes.markSent(grants[0]!, "an attempt", seconds(15))).toBe(false);
});

/** A firm whose Redis can be put back to what it is now, behind processes that live. */
async function firm() {
  const redis = await ownRedisForThisTest();
  const here = await world({
    redisUrl: redis.url,
    serverSettings: { rotation: "strict" },
    storeSettlesMs: 0,
    storeMarkMs: 0,
    prepare: (simulator) => simulator.setSwitches({ refresh_mode: "strict" }),
  });
  const kit = await restoring(here);
  const grants = await manyGrants(here, 6);
  await exportAudit(here.broker.audit);
  await here.broker.storeWatch.begin();
  const aof = appendOnlyFileOf(redis);
  const then = aof.size;
  const goBack = async () => {
    await redis.kill();
    aof.cut(then);
    await redis.restart();
    const { connection } = here.broker.stores.fast;
    if (connection.status !== "end") await whenReady(connection);
  };
  return { redis, here, kit, grants, goBack };
}

const staleOf = ({ journals }: RestoreReport): readonly GrantId[] =>
  journals.flatMap(({ stale }) => stale.map(({ grant }) => grant));

/** Refreshes that iManage was asked for. */
const refreshesAt = (here: World): number => here.simulator.counts().grant_types.refresh_token ?? 0;
