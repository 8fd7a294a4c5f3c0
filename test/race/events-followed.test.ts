import { expect, it, onTestFinished } from "vitest";
import type { GrantId, OrganisationId } from "../../src/domain/id.ts";
import { Problem } from "../../src/domain/problem.ts";
import { auditKey, eventsKey } from "../../src/store/keys.ts";
import { RedisEventLog } from "../../src/store/redis-event-log.ts";
import { fieldsOf } from "../../src/store/redis-grant-store.ts";
import { brokerProcess } from "../kit/broker-process.ts";
import { EventFollower } from "../kit/event-follower.ts";
import { faultProxyForThisTest } from "../kit/fault-proxy.ts";
import { manyGrants } from "../kit/many-grants.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { Seeded } from "../kit/seeded.ts";
import { world } from "../kit/world.ts";

const KILLS = Number(process.env.TEST_EVENT_KILLS ?? 2);
const EACH = 15;
const GRANTS = EACH * KILLS;
const NOTE = { actor: "test", requestId: "req_test" };

it(`${KILLS} kills of the process that answers, connections to Redis cut and its replies lost: who follows is told each of ${2 * GRANTS} events once, in order, and there is one for each audit entry`, {
  timeout: 60_000 + KILLS * 10_000,
}, async () => {
  const redis = await ownRedisForThisTest();
  const proxy = await faultProxyForThisTest({ host: redis.host, port: redis.port });
  const here = await world({ redisUrl: `redis://${proxy.host}:${proxy.port}`, storeSettlesMs: 0 });
  const organisation = here.organisation as OrganisationId;
  const process = await brokerProcess(here);
  const addresses = [process.base, (await here.replica()).base];
  const follower = new EventFollower(here.client, organisation);
  const seeded = new Seeded();
  console.log(`seed ${seeded.seed}: which replies are lost`);

  let going = true;
  onTestFinished(() => {
    going = false;
  });
  let failures = 0;
  // Where it asks next, and where it asks now: at the other address once the one has failed it.
  let next = 0;
  let asking = -1;
  const following = (async () => {
    while (going) {
      asking = next;
      follower.client = here.clientOf(addresses[asking]!);
      const status = await follower.page({ wait: "2" }).then(
        (answer) => answer.status,
        () => 0,
      );
      if (status === 200) continue;
      failures += 1;
      await new Promise(setImmediate);
      next = 1 - asking;
    }
  })();

  proxy.set({ swallow: () => seeded.next() < 0.005 }, "to-client");
  /** Again until it is known to have been done, as a client would. */
  const surely = async (act: () => Promise<unknown>): Promise<void> => {
    while (going) {
      try {
        await act();
        return;
      } catch (error) {
        if (!(error instanceof Problem && error.code === "store_unavailable")) throw error;
      }
      // A connection that was closed refuses at once: without a turn of the loop nothing else would ever happen.
      await new Promise(setImmediate);
    }
  };
  const write = async (part: number) => {
    const made: GrantId[] = [];
    await surely(async () => void made.push(...(await manyGrants(here, EACH, part * EACH))));
    for (const id of made) await surely(() => here.broker.grantStore.deleteGrant(id, NOTE));
  };
  for (let i = 0; i < KILLS; i++) {
    await expect.poll(() => asking, { timeout: 10_000 }).toBe(0);
    const writing = write(i);
    await process.kill();
    proxy.reset();
    await Promise.all([writing, process.restart()]);
    next = 0;
  }
  proxy.set("pass");

  const store = here.broker.stores.fast;
  const newest = await new RedisEventLog(store).newest(organisation);
  await expect
    .poll(() => follower.seen.filter(({ type }) => type === "grant.revoked").length, { timeout: 20_000 })
    .toBeGreaterThanOrEqual(GRANTS);
  going = false;
  await following;

  const entries = await store.call((it) => it.xrange(eventsKey(organisation), "-", "+"));
  const log = await new RedisEventLog(store).read(organisation, undefined, 10_000);
  if (log.kind !== "read") throw new Error("expired");
  console.log(
    `figure: ${follower.seen.length} events followed over ${KILLS} kills, ${failures} answers that were none`,
  );
  expect(failures).toBeGreaterThanOrEqual(KILLS);
  expect(entries.map(([id]) => id)).toEqual(entries.map((_, i) => `${i + 1}-0`));
  expect(newest.number).toBe(entries.length);
  expect(follower.seen.map(({ id }) => id)).toEqual(log.events.map(({ id }) => id));
  const audited = (await store.call((it) => it.xrange(auditKey(organisation), "-", "+")))
    .map(([, flat]) => fieldsOf(flat))
    .filter(({ action }) => action?.startsWith("grant."))
    .map(({ action, grant }) => `${action} ${grant}`);
  expect(log.events.map(({ kind, fields }) => `${kind} ${fields.grant}`)).toEqual(audited);
});
