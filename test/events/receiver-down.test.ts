import { expect, it } from "vitest";
import type { EventId } from "../../src/domain/id.ts";
import { hours, minutes } from "../../src/domain/instant.ts";
import { Seeded } from "../kit/seeded.ts";
import { deliveryKit, receiver, status } from "./delivery-kit.ts";

/** A sample unless more is asked for; F39 asks for 10,000. */
const EVENTS = Number(process.env.TEST_RECEIVER_EVENTS ?? "400");
const LANES = 5;
const DOWN_MS = hours(26);

it("F39 a receiver that is down for a day misses nothing: everything arrives at once afterwards, once after deduping, in order", {
  timeout: 600_000,
}, async () => {
  const seeded = new Seeded();
  const to = await receiver(status(200));
  const kit = await deliveryKit({ origins: [to.origin] });
  const { id } = await kit.subscribe(to.url);
  const told: { readonly lane: string; readonly at: number }[] = [];
  const tell = async () => {
    const lane = `lane${seeded.below(LANES)}`;
    await kit.sync(lane);
    told.push({ lane, at: kit.ports.clock.now() });
  };
  // What is due is found as workers find it.
  const work = async () => {
    if ((await kit.ports.deliveries.due(kit.organisation, 10)).includes(id)) await kit.run(id);
    else if ((await kit.sweep.behind(kit.organisation)).includes(id)) await kit.run(id);
  };

  // A tenth while it is well, and then it goes: some requests are taken and never answered.
  for (let i = 0; i < EVENTS / 10; i++) await tell();
  await work();
  to.says((got, response) => (seeded.below(10) === 0 ? response.destroy() : status(503)(got, response)));
  const began = kit.ports.clock.now();
  const before = to.got.length;
  let probes = 0;
  while (kit.ports.clock.now() - began < DOWN_MS) {
    const share = (kit.ports.clock.now() - began) / DOWN_MS;
    while (told.length < EVENTS * (0.1 + 0.8 * share)) await tell();
    const had = to.got.length;
    await work();
    probes += to.got.length - had;
    kit.offset.ms += minutes(5);
  }
  while (told.length < EVENTS) await tell();
  // At most five minutes and a tenth after it is back it is asked, and then has everything in that one run.
  to.says(status(200));
  const back = to.got.length;
  kit.offset.ms += minutes(6);
  await work();

  const taken = [...to.got.slice(0, before), ...to.got.slice(back)];
  const distinct = new Map(taken.map((one) => [one.id, JSON.parse(one.body).data.sync as string]));
  const summary = await kit.ports.deliveries.summary(id);
  console.log(
    `F39 seed ${seeded.seed}: ${told.length} events, ${DOWN_MS / hours(1)} h down, ${probes} requests meanwhile, ${distinct.size} delivered, ${taken.length - distinct.size} twice, ${summary.dead} dead letters`,
  );
  expect(distinct.size).toBe(EVENTS);
  expect(summary).toMatchObject({ waiting: 0, dead: 0, missed: 0, delivered: EVENTS });
  const lanes = new Map<string, EventId[]>();
  for (const [event, lane] of distinct) lanes.set(lane, [...(lanes.get(lane) ?? []), event]);
  for (const ids of lanes.values()) expect(ids).toEqual([...ids].sort());
  // A day of five-minute probes, and the few that found out.
  expect(probes).toBeLessThan(DOWN_MS / minutes(5) + 20);
});
