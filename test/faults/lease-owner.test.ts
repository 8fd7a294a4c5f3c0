import { expect, it } from "vitest";
import type { GrantId, RegistrationId } from "../../src/domain/id.ts";
import type { FailureVerdict } from "../../src/domain/refresh-failure.ts";
import type { Sealed } from "../../src/domain/sealed.ts";
import { serverLimits } from "../../src/domain/server-gate.ts";
import { grantKey } from "../../src/store/keys.ts";
import type { OutcomeListener } from "../../src/store/outcome-listener.ts";
import { RedisRefreshStore } from "../../src/store/redis-refresh-store.ts";
import { manyGrants } from "../kit/many-grants.ts";
import { Seeded } from "../kit/seeded.ts";
import { world } from "../kit/world.ts";

const STEPS = Number(process.env.TEST_LEASE_STEPS ?? 500);
const LEASE_MS = 15_000;
/** The server's gate is not what this is about. */
const WIDE_OPEN = {
  ...serverLimits,
  callsPerSecond: 10 ** 6,
  burst: 10 ** 6,
  concurrency: 1_000,
} as unknown as typeof serverLimits;

const FAILED: FailureVerdict = {
  class: "upstream",
  state: "unchanged",
  coolDownMs: 0,
  problem: "imanage_unavailable",
  outcomeUnknown: false,
};

it(`F21: in ${STEPS} random steps of six contenders a lease is prolonged and ended by its owner alone`, {
  timeout: 30_000 + STEPS * 20,
}, async () => {
  const here = await world();
  const [grant] = (await manyGrants(here, 1)) as [GrantId];
  const { fast, durable } = here.broker.stores;
  const store = new RedisRefreshStore({ fast, durable, outcomes: undefined as unknown as OutcomeListener });
  const seeded = new Seeded();
  console.log(`seed ${seeded.seed}: ${STEPS} steps`);
  const read = async () => {
    const names = [
      "lease",
      "lease_until",
      "intent",
      "rt_fp",
      "gen",
      "att",
      "server",
      "registration",
    ] as const;
    const values = await fast.call((redis) => redis.hmget(grantKey(grant), ...names));
    return Object.fromEntries(names.map((name, i) => [name, values[i]])) as Record<
      (typeof names)[number],
      string | null
    >;
  };

  let tries = 0;
  const attempts: string[] = [];
  const tested = { foreign: 0, own: 0 };
  for (let step = 1; step <= STEPS; step++) {
    const before = await read();
    // Half of the time whoever has the lease, else anybody: one of an earlier attempt, or one who never began.
    const owner = before.lease;
    const attempt =
      owner !== null && seeded.next() < 0.5 ? owner : (attempts.at(-1 - seeded.below(6)) ?? "nobody");
    const owns = attempt === owner;
    const act = seeded.pick(["begin", "markSent", "renew", "release", "fail", "commit", "lapse"] as const);
    const told = `seed ${seeded.seed}, step ${step}: ${act} by ${owns ? "the owner" : "another"}`;
    if (act === "lapse") {
      // Time passes, and takes nothing away by itself.
      here.advance(seeded.below(20_000));
      continue;
    }
    if (act === "begin") {
      const one = `attempt-${++tries}`;
      const lapsed = owner === null || Number(before.lease_until) <= (await fast.now());
      const answer = await store.begin(
        grant,
        one,
        { why: "expired", minTtlMs: 10 ** 9 },
        {
          leaseMs: LEASE_MS,
          providerDeadlineMs: 0,
          rotation: "static",
          configurationGeneration: 1,
          limits: WIDE_OPEN,
        },
      );
      if (answer.kind === "begun") attempts.push(one);
      const after = await read();
      expect(after.lease, told).toBe(answer.kind === "begun" ? one : owner);
      if (!lapsed) expect(answer.kind, told).toBe("held");
      continue;
    }
    switch (act) {
      case "markSent":
        await store.markSent(grant, attempt, LEASE_MS);
        break;
      case "renew":
        expect(await store.renew(grant, attempt, LEASE_MS), told).toBe(owns);
        break;
      case "release":
        await store.release(grant, attempt);
        break;
      case "fail":
        await store.fail(grant, attempt, FAILED, { rotation: "static", configurationGeneration: 1 });
        break;
      case "commit":
        await store.commit(grant, attempt, {
          consentGeneration: Number(before.gen),
          attempt: Number(before.att),
          server: here.server,
          registration: before.registration as RegistrationId,
          parent: before.rt_fp!,
          refreshToken: undefined,
          refreshTokenFingerprint: undefined,
          refreshTokenLifeMs: 10 ** 9,
          refreshExtendsLife: false,
          accessToken: `sealed-${step}` as Sealed,
          accessTokenFingerprint: `at-${step}`,
          accessTokenLifeMs: 60_000,
          softMarginMs: 1_000,
          keepAliveMs: 10 ** 8,
          jitter: 0,
          receivedAt: 0,
        });
        break;
    }
    const after = await read();
    tested[owns ? "own" : "foreign"] += 1;
    if (!owns) {
      expect({ lease: after.lease, until: after.lease_until, intent: after.intent }, told).toEqual({
        lease: before.lease,
        until: before.lease_until,
        intent: before.intent,
      });
    }
  }
  console.log(
    `figure: ${tested.foreign} steps by others took nothing from the owner; ${tested.own} by owners`,
  );
  expect(Math.min(tested.foreign, tested.own)).toBeGreaterThan(STEPS / 20);
});
