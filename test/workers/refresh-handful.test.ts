import { expect, test } from "vitest";
import { type GrantId, organisationOf } from "../../src/domain/id.ts";
import { minutes, seconds } from "../../src/domain/instant.ts";
import { dueKey, startsKey } from "../../src/store/keys.ts";
import { CrashGuard } from "../../src/workers/crash-guard.ts";
import { allDue, manyGrants } from "../kit/many-grants.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { world } from "../kit/world.ts";
import { Happened, workersOn } from "./kit.ts";

const LIFE_MS = seconds(3);
const NONE: ReadonlySet<GrantId> = new Set();

/** A firm with so many due grants, and who counts starts there. */
async function dueFirm(count: number) {
  const here = await world();
  const grants = await manyGrants(here, count);
  await allDue(here, grants);
  const { jobStarts, stores } = here.broker;
  const organisation = organisationOf(grants[0]!);
  return {
    ...{ here, grants, jobStarts, organisation },
    guard: () => new CrashGuard(jobStarts, here.broker.log, { every: () => () => {} }, LIFE_MS),
    take: (run: string, limit = count, not = NONE) =>
      jobStarts.takeDue(organisation, run, LIFE_MS, limit, not),
    startsOf: (grant: GrantId) => stores.fast.call((redis) => redis.hget(startsKey(grant), "starts")),
  };
}

test("of two who take due grants at the same moment nobody has one of the other's, and each was counted before", async () => {
  const { take, grants, startsOf, here } = await dueFirm(10);
  const [one, other] = await Promise.all([take("one", 6), take("other", 6)]);
  const both = [...one.taken, ...other.taken].map(({ grant }) => grant);
  expect(both).toHaveLength(10);
  expect(new Set(both)).toEqual(new Set(grants));
  for (const { server } of one.taken) expect(server).toBe(here.server);
  expect(await Promise.all(grants.map(startsOf))).toEqual(grants.map(() => "1"));
  expect(await take("third")).toEqual({ taken: [], suspect: undefined, soon: false });
});

test("nothing is taken that is not wanted, whose refresh is under way, or whose time has not come", async () => {
  const { take, grants, here, organisation } = await dueFirm(4);
  const [unwanted, held, later, due] = grants as [GrantId, GrantId, GrantId, GrantId];
  const { fast } = here.broker.stores;
  const now = await fast.now();
  const prefix = dueKey(organisation).replace("due:refresh", "grant:");
  await fast.call((redis) => redis.hset(`${prefix}${held}`, "lease", "another", "lease_until", now + 5_000));
  await fast.call((redis) => redis.zadd(dueKey(organisation), now + minutes(1), later));
  const { taken } = await take("one", 4, new Set([unwanted]));
  expect(taken.map(({ grant }) => grant)).toEqual([due]);
});

test("where nothing is due it says whether something will be in a moment", async () => {
  const { take, grants, here, organisation } = await dueFirm(1);
  const { fast } = here.broker.stores;
  const dueIn = async (ms: number) => {
    const at = (await fast.now()) + ms;
    await fast.call((redis) => redis.zadd(dueKey(organisation), at, grants[0]!));
  };
  await dueIn(minutes(1));
  expect((await take("one")).soon).toBe(false);
  await dueIn(400);
  expect((await take("one")).soon).toBe(true);
});

test("F37 what a handful was at when its process died is a suspect afterwards: it is not taken again, but named", async () => {
  const { take, grants, guard, organisation, here } = await dueFirm(3);
  const [dead] = (await take("dies", 1)).taken;
  here.advance(LIFE_MS);
  const ran: GrantId[] = [];
  const due = await guard().runDue(organisation, 6, NONE, async ({ grant }) => ran.push(grant));
  expect(due.suspect).toBe(dead!.grant);
  expect(new Set(ran)).toEqual(new Set(grants.filter((grant) => grant !== dead!.grant)));
});

test("a handful whose one refresh fails is ended in an orderly way, all of it: nobody is suspected", async () => {
  const { grants, guard, organisation, startsOf } = await dueFirm(3);
  let ended = 0;
  const run = guard().runDue(organisation, 6, NONE, async ({ grant }) => {
    if (grant === grants[0]) throw new Error("refused");
    await new Promise((resolve) => setImmediate(resolve));
    ended += 1;
  });
  await expect(run).rejects.toThrow("refused");
  expect(ended).toBe(2);
  expect(await Promise.all(grants.map(startsOf))).toEqual([null, null, null]);
});

test("each look at the schedule makes a job of others, so that no grant waits behind those of a server that hangs", async () => {
  const route = "4vq2k0p9x1";
  const due = Array.from({ length: 5 }, (_, i) => `grt_${route}${"0".repeat(15)}${i}` as GrantId);
  const happened = new Happened();
  await workersOn((await ownRedisForThisTest()).url, {
    sweepRefreshes: async () => due,
    async refreshGrant(id) {
      happened.tell(id);
      return false;
    },
  });
  await Promise.all(due.map((id) => happened.until(id)));
});
