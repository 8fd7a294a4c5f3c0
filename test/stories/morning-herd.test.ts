import { expect, test } from "vitest";
import type { GrantId, OrganisationId } from "../../src/domain/id.ts";
import { days, minutes, seconds } from "../../src/domain/instant.ts";
import { serverLimits } from "../../src/domain/server-gate.ts";
import { systemTimers } from "../../src/ops/clock.ts";
import { dueKey, grantKey } from "../../src/store/keys.ts";
import { allDue, manyGrants } from "../kit/many-grants.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { type World, world } from "../kit/world.ts";
import { Fleet } from "../workers/fleet.ts";

// The whole counts are for `npm run verify:faults`.
const GRANTS = Number(process.env.TEST_HERD_GRANTS ?? 300);
const USERS = Number(process.env.TEST_HERD_USERS ?? 60);
/** iManage answers in so long. */
const ANSWER_MS = Number(process.env.TEST_HERD_ANSWER_MS ?? 50);
const WINDOW_MS = (minutes(1) * USERS) / 2_000;
/** What the schedule brings meanwhile: as much as the gate lets through from the first to the last of them. */
const DUE = Math.min(GRANTS - 2 * USERS, Math.ceil((serverLimits.callsPerSecond * WINDOW_MS) / 1_000));

const ownWorld = async (): Promise<World> => world({ redisUrl: (await ownRedisForThisTest()).url });
const ask = (here: World, user: number) =>
  here.client.accessToken({ server: here.server, subject: { type: "user", id: `user.${user}` } });

test(`F36 at nine, ${GRANTS} tokens expired and ${DUE} refreshes due: ${USERS} users who ask at once have their tokens, and nothing else is refreshed`, {
  timeout: 60_000 + 20 * GRANTS,
}, async () => {
  const here = await ownWorld();
  const grants = await manyGrants(here, GRANTS);
  await expired(here, grants);
  await allDue(here, grants.slice(0, DUE));
  here.simulator.addFault({
    on: { route: "token", grant_type: "refresh_token" },
    times: "always",
    do: { delay_before_ms: ANSWER_MS },
  });
  here.simulator.resetCounts();
  const underWay = mostUnderWay(here);
  await here.broker.reconcile();
  await new Fleet(here).start({});
  await here.simulator.waitFor(() => refreshes(here) > 0);

  const startedAt = performance.now();
  const timers = systemTimers();
  const tookMs = await Promise.all(
    Array.from({ length: USERS }, async (_, i) => {
      await timers.after((WINDOW_MS * i) / USERS).elapsed;
      const askedAt = performance.now();
      const { status, body } = await ask(here, DUE + i);
      expect({ status, code: body.code }).toEqual({ status: 200, code: undefined });
      return performance.now() - askedAt;
    }),
  );
  const windowMs = performance.now() - startedAt;

  const counts = here.simulator.counts().refreshes_by_user;
  const of = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => counts[`user.${from + i}`] ?? 0);
  expect(Math.max(...of(0, DUE)), "of what was due, each once").toBeLessThanOrEqual(1);
  expect(new Set(of(DUE, DUE + USERS)), "of the users, each once").toEqual(new Set([1]));
  expect(Math.max(0, ...of(DUE + USERS, GRANTS)), "of all others").toBe(0);
  expect(underWay(), "at iManage at once").toBeLessThanOrEqual(serverLimits.concurrency);
  const behind = of(0, DUE).filter((n) => n > 0).length;
  tookMs.sort((a, b) => a - b);
  const quantile = (q: number) => `${Math.round(tookMs[Math.ceil(USERS * q) - 1]!)} ms`;
  console.log(
    `figure: ${USERS} users in ${(windowMs / 1_000).toFixed(0)} s, p50 ${quantile(0.5)}, p95 ${quantile(0.95)}, max ${quantile(1)}; ` +
      `beside them ${behind} of ${DUE} due, 0 of ${GRANTS - DUE - USERS} others`,
  );
  // A sample on a busy machine says nothing about time.
  if (process.env.TEST_HERD_USERS !== undefined)
    expect(tookMs[Math.ceil(USERS * 0.95) - 1]).toBeLessThan(seconds(2));
});

test("F36 with all that the background may have under way at a server that hangs, a user is still served", async () => {
  const here = await ownWorld();
  const [asked, ...due] = await manyGrants(here, 2 * serverLimits.concurrency + 1);
  await expired(here, [asked!]);
  await allDue(here, due);
  const token = { route: "token", grant_type: "refresh_token" } as const;
  here.simulator.addFault({ on: { ...token, user: "user.0" }, times: "always", do: { delay_before_ms: 0 } });
  here.simulator.addFault({ on: token, times: "always", do: { hold_before: true } });

  // Each of them hangs at iManage, or was not let through and is back in the schedule.
  let back = 0;
  const hang = Promise.withResolvers<void>();
  const look = () => {
    const held = here.simulator.held().length;
    if (held > 0 && held + back === due.length) hang.resolve();
  };
  const background = due.map(async (id) => {
    await here.broker.workerStories.refreshGrant(id);
    back += 1;
    look();
  });
  await Promise.race([hang.promise, here.simulator.waitFor(look)]);

  expect(await ask(here, 0)).toMatchObject({ status: 200, body: { grant: asked } });
  expect(here.simulator.held()).toHaveLength(serverLimits.backgroundConcurrency);
  here.simulator.clearFaults();
  await Promise.all(background);
});

/** Counts from now on; answers the most refreshes that iManage had under way at once. */
function mostUnderWay({ simulator }: World): () => number {
  let now = 0;
  let most = 0;
  const over = new AbortController();
  simulator
    .waitFor(
      (event) => {
        if (event?.grant_type !== "refresh_token") return false;
        if (event.type === "arrived") now += 1;
        if (event.type === "answered" || event.type === "aborted") now -= 1;
        most = Math.max(most, now);
        return false;
      },
      minutes(60),
      over.signal,
    )
    .catch(() => {});
  return () => {
    over.abort();
    return most;
  };
}

const refreshes = (here: World): number => here.simulator.counts().grant_types.refresh_token ?? 0;

/** Nobody has asked since yesterday: expired, and due some time this week to be kept alive. */
async function expired(here: World, grants: readonly GrantId[]): Promise<void> {
  const store = here.broker.stores.fast;
  const now = await store.now();
  const organisation = here.organisation as OrganisationId;
  for (let i = 0; i < grants.length; i += 500) {
    await store.call((redis) => {
      const all = redis.pipeline();
      for (const [j, grant] of grants.slice(i, i + 500).entries()) {
        const due = now + minutes(10) + (days(6) * (i + j)) / grants.length;
        all.hset(grantKey(grant), "at_exp", now - minutes(1), "due_at", Math.round(due));
        all.zadd(dueKey(organisation), Math.round(due), grant);
      }
      return all.exec();
    });
  }
}
