import { expect, test } from "vitest";
import type { SubscriptionId } from "../../src/domain/id.ts";
import { receiver } from "../events/delivery-kit.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { world } from "../kit/world.ts";
import { Fleet, QUICK } from "./fleet.ts";

const PATH = "/v1/event-subscriptions";

test("F38 a worker that is killed after a receiver took an event and before that is stored leaves it to another, which delivers it again under the same id, and what follows after it", {
  timeout: 60_000,
}, async () => {
  const to = await receiver();
  const here = await world({ redisUrl: (await ownRedisForThisTest()).url, receivers: [to.origin] });
  const { client, organisation } = here;
  const made = await client.call<{ id: SubscriptionId }>("POST", PATH, { organisation, url: to.url });
  const { id } = made.body;
  const asked = async () =>
    String((await client.call<{ id: string }>("POST", `${PATH}/${id}/test`)).body.id ?? "");
  const deliveries = async () =>
    (
      await client.call<{ items: { event: string; state: string; attempts: object[] }[] }>(
        "GET",
        `${PATH}/${id}/deliveries`,
      )
    ).body.items;
  await asked();

  const fleet = new Fleet(here);
  const dying = await fleet.start({ timing: QUICK, hang: "settle" });
  await fleet.next(({ says }) => says === "settle", 0);
  expect(to.got).toHaveLength(1);
  await dying.kill();
  expect((await deliveries()).map(({ state }) => state)).not.toContain("delivered");

  // Behind it in its lane. Whoever comes next finds the lease of the dead one lapsed.
  await asked();
  const from = fleet.all.length;
  await fleet.start({ timing: QUICK, offsetMs: 60_000 });
  await fleet.next(({ says }) => says === "settle", from);
  while (to.got.length < 3) await to.next();
  const [first, again, second] = to.got.map((one) => one.id);
  expect(again).toBe(first);
  expect(second).not.toBe(first);
  await expect
    .poll(async () => (await deliveries()).map(({ event, state }) => `${event} ${state}`).sort(), {
      timeout: 20_000,
    })
    .toEqual([`${first} delivered`, `${second} delivered`].sort());
  expect(to.got).toHaveLength(3);
});
