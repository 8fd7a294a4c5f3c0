import { describe, expect, it } from "vitest";
import type { OrganisationId } from "../../src/domain/id.ts";
import { days, minutes } from "../../src/domain/instant.ts";
import { grantKey } from "../../src/store/keys.ts";
import { checkInvariants } from "./invariants.ts";
import { ownRedisForThisTest } from "./redis.ts";
import { runSchedule } from "./virtual-clock.ts";
import { world } from "./world.ts";

async function idleGrant(extends_: boolean) {
  const redis = await ownRedisForThisTest();
  const here = await world({ redisUrl: redis.url, serverSettings: { refreshExtendsLife: extends_ } });
  here.simulator.setSwitches({ refresh_mode: "rotate", refresh_extends_life: extends_ ? "yes" : "no" });
  await here.connect();
  const calls = () => here.simulator.counts().grant_types.refresh_token ?? 0;
  const [grant] = await here.broker.grantStore.listGrants(here.organisation as OrganisationId, undefined, 1);
  /** Somebody asked for it, once in a long while: a grant that nobody uses for half a year is let go. */
  const wasUsed = async () => {
    const store = here.broker.stores.fast;
    const now = await store.now();
    await store.call((redis) => redis.hset(grantKey(grant!.id), "used_at", now - days(1)));
  };
  return { here, calls, wasUsed };
}

/** Weekly, up to a tenth earlier. */
const WEEKLY = {
  fewest: (ms: number) => Math.floor(ms / days(7)),
  most: (ms: number) => Math.ceil(ms / days(6.3)),
};

describe("a schedule on a virtual clock", () => {
  it.each([true, false])(
    "keeps an idle grant alive weekly for a year (refreshing extends its life: %s)",
    async (extends_) => {
      const { here, calls, wasUsed } = await idleGrant(extends_);
      const startedAt = performance.now();
      const length = days(364);
      const refreshedAt: number[] = [];
      await runSchedule(here, length, {
        async onStep({ elapsedMs }) {
          if (calls() > refreshedAt.length) refreshedAt.push(elapsedMs);
          await wasUsed();
        },
      });
      expect(performance.now() - startedAt).toBeLessThan(20_000);

      expect(calls()).toBe(refreshedAt.length);
      expect(calls()).toBeGreaterThanOrEqual(WEEKLY.fewest(length));
      expect(calls()).toBeLessThanOrEqual(WEEKLY.most(length));
      const gaps = refreshedAt.map((at, i) => at - (refreshedAt[i - 1] ?? 0));
      expect(Math.max(...gaps)).toBeLessThanOrEqual(days(7) + minutes(1));
      // The first is counted from the consent, without jitter.
      expect(Math.min(...gaps.slice(1))).toBeGreaterThanOrEqual(days(6.3) - minutes(1));
      const { grants, broken } = await checkInvariants(here);
      expect([grants.map(({ verdict }) => verdict), broken]).toEqual([["healthy"], []]);
    },
  );

  it("a grant that use does not prolong ends after 365 days, after at most nine calls that were in vain; one that is prolonged goes on", async () => {
    const [mortal, lasting] = [await idleGrant(false), await idleGrant(true)];
    let inYear = 0;
    await runSchedule(mortal.here, days(400), {
      async onStep({ elapsedMs }) {
        if (elapsedMs < days(365)) inYear = mortal.calls();
        await mortal.wasUsed();
      },
    });
    const vain = mortal.calls() - inYear;
    expect(vain).toBeGreaterThanOrEqual(3);
    expect(vain).toBeLessThanOrEqual(9);
    expect((await checkInvariants(mortal.here)).grants).toMatchObject([
      { state: "reauthorization_required", verdict: "ended" },
    ]);

    await runSchedule(lasting.here, days(400), { onStep: lasting.wasUsed });
    expect((await checkInvariants(lasting.here)).grants).toMatchObject([
      { state: "active", verdict: "healthy" },
    ]);
  });

  it("refuses a Redis that others use, and a schedule that never comes to rest", async () => {
    const { here } = await idleGrant(false);
    await expect(runSchedule(here, days(30), { stepsMax: 3 })).rejects.toThrow("something is always due");
    const [shared] = [await world(), await world()];
    await expect(runSchedule(shared, days(1))).rejects.toThrow("a Redis of its own");
  });
});
