import { expect, it } from "vitest";
import type { SubscriptionId } from "../../src/domain/id.ts";
import { seconds } from "../../src/domain/instant.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { workersOn } from "../workers/kit.ts";
import { deliveryKit, receiver } from "./delivery-kit.ts";

/** Receivers besides the dead one, and rounds with it and without it; the bound of a tenth is for many rounds alone. */
const RECEIVERS = Number(process.env.TEST_RECEIVERS ?? "12");
const ROUNDS = Number(process.env.TEST_RECEIVER_ROUNDS ?? "2");
const FULL = process.env.TEST_RECEIVER_ROUNDS !== undefined;
const BOUND = FULL ? 1.1 : Number.POSITIVE_INFINITY;
const EVENTS_PER_ROUND = 5;
const HANGS_MS = seconds(10);

const p99 = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.ceil(values.length * 0.99) - 1]!;

it("one receiver that hangs costs the others nothing: their p99 from event to arrival is as without it", {
  timeout: 600_000,
}, async () => {
  const { url } = await ownRedisForThisTest();
  const receivers = await Promise.all([...Array(RECEIVERS)].map(() => receiver()));
  const dead = await receiver(() => {});
  const kit = await deliveryKit({
    origins: [...receivers, dead].map(({ origin }) => origin),
    deadlineMs: HANGS_MS,
    redisUrl: url,
  });
  await workersOn(
    url,
    {
      sweepDeliveries: () => kit.sweep.sweep(),
      subscriptionsBehind: (organisation) => kit.sweep.behind(organisation),
      deliver: (id, stopping) => kit.deliverer.run(id, stopping),
    },
    { onEvent: (hear) => kit.announcements.each(hear) },
  );
  // As many of one client as it may have, and then of another.
  let by = kit.another();
  for (const [i, each] of receivers.entries()) {
    if (i % 40 === 39) by = kit.another();
    await kit.subscribe(each.url, {}, by);
  }

  /** How long each event took to each receiver. */
  const round = async (): Promise<number[]> => {
    const took: number[] = [];
    for (let i = 0; i < EVENTS_PER_ROUND; i++) {
      const from = performance.now();
      const arrived = receivers.map((each) => each.next().then(() => took.push(performance.now() - from)));
      await kit.emit("server.recovered", { server: `srv_lane${i}` });
      await Promise.all(arrived);
    }
    return took;
  };
  await round();
  const took: { without: number[]; beside: number[] } = { without: [], beside: [] };
  for (let i = 0; i < ROUNDS * 2; i++) {
    // In turn, and the other way round every other time: what the machine does besides meets both alike.
    const beside = (i % 2 === 0) === i % 4 < 2;
    let hanging: SubscriptionId | undefined;
    if (beside) {
      // A new one each time: it has not been found out yet, and hangs with all its lanes.
      ({ id: hanging } = await kit.subscribe(dead.url));
    }
    took[beside ? "beside" : "without"].push(...(await round()));
    if (hanging !== undefined) {
      await kit.stories.delete(kit.caller, hanging, { actor: "client:test", requestId: "r" });
      dead.hangUp();
    }
  }
  const [beside, without] = [p99(took.beside), p99(took.without)];
  console.log(
    `${RECEIVERS} receivers and one that hangs: p99 ${beside.toFixed(1)} ms, without it ${without.toFixed(1)} ms, ratio ${(beside / without).toFixed(3)} (${took.beside.length} and ${took.without.length} arrivals; ${dead.got.length} requests hung)`,
  );
  expect(dead.got.length).toBeGreaterThanOrEqual(ROUNDS);
  // Nobody waited for it, however slow this machine is.
  expect(beside).toBeLessThan(HANGS_MS * 0.9);
  expect(beside / without).toBeLessThan(BOUND);
});
