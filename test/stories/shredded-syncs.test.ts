import type { Redis } from "ioredis";
import { expect, it } from "vitest";
import { lendLibrary } from "../../scripts/walk/lend-library.ts";
import { organisationOwner } from "../../src/broker/seal-contexts.ts";
import type { OrganisationId, SubscriptionId, SyncId } from "../../src/domain/id.ts";
import { minutes } from "../../src/domain/instant.ts";
import { receiver, status } from "../events/delivery-kit.ts";
import { BY_TEST } from "../kit/put-records.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { AMELIA, type World, world } from "../kit/world.ts";

const LIBRARY = "ACTIVE";

it("T28: shredding an organisation leaves nothing of its syncs, changes, subscriptions and events, and a run and a delivery that come home afterwards bring nothing back", async () => {
  const to = await receiver(status(503));
  const here = await world({ redisUrl: (await ownRedisForThisTest()).url, receivers: [to.origin] });
  const { broker, client, server, simulator } = here;
  const { workerStories, shredding, rootKeys } = broker;
  const organisation = here.organisation as OrganisationId;
  const stopping = new AbortController().signal;
  const redis = broker.stores.fast.connection as Redis;
  const nouns = async () => {
    const prefix = `b1:{${organisationOwner(organisation)}}:`;
    const keys = await redis.keys(`${prefix}*`);
    return [...new Set(keys.map((key) => /^[\w-]+(?::sync|:delivery)?/.exec(key.slice(prefix.length))![0]))];
  };

  const made = await client.call<{ id: SubscriptionId }>("POST", "/v1/event-subscriptions", {
    ...{ organisation, url: to.url },
  });
  await lendLibrary(`${here.base}/servers/${server}/libraries`, LIBRARY, {
    ...{ username: AMELIA.username, password: AMELIA.password, email: "amelia.hart@hartlowell.example" },
  });
  const { body: sync } = await client.call<{ id: SyncId }>("POST", "/v1/syncs", {
    ...{ server, library: LIBRARY, wants: ["documents", "people"], existing: "tell" },
  });
  await workerStories.runSync(sync.id, stopping);
  await workerStories.deliver(made.body.id, stopping);
  const before = await nouns();
  expect(before).toEqual(
    expect.arrayContaining([
      ...["sync", "syncs", "sync-objects", "sync-changes", "sync-space", "due:sync", "events"],
      ...["subscription", "subscriptions", "delivery", "delivery-lanes", "delivery-lane", "delivery-heads"],
      ...["delivery-log", "delivery-records", "due:delivery"],
    ]),
  );

  // One is at iManage, and the other at its receiver, as all goes.
  here.advance(minutes(6));
  simulator.addFault({ on: { route: "api" }, do: { hold_before: true } });
  const running = workerStories.runSync(sync.id, stopping);
  await expect.poll(() => simulator.held().length).toBe(1);
  const answers: (() => void)[] = [];
  to.says((_, response) => void answers.push(() => response.end()));
  const called = to.next();
  const delivering = workerStories.deliver(made.body.id, stopping);
  await called;
  await shred(here);
  simulator.release();
  to.says((_, response) => void response.end());
  for (const answer of answers) answer();
  await Promise.allSettled([running, delivering]);

  // What a worker does that still knows of it.
  await workerStories.runSync(sync.id, stopping);
  await workerStories.deliver(made.body.id, stopping);
  expect(await workerStories.sweepSyncs()).toEqual([]);
  expect(await workerStories.sweepDeliveries()).toEqual([]);
  expect(await workerStories.subscriptionsBehind(organisation)).toEqual([]);
  expect((await nouns()).sort()).toEqual(["audit", "audit-head", "gate", "shredded"]);
  // Nor is it named where all organisations are.
  const shared = await redis.keys("b1:{s:*");
  for (const key of shared) expect(await membersOf(redis, key), key).not.toContain(organisation);

  async function shred({ organisation: id }: World) {
    const { keys } = await rootKeys.keys.read(organisationOwner(organisation));
    const { name } = (await broker.configuration.findOrganisation(id as OrganisationId))!;
    const facts = { v: 1, organisation, name, at: 1, by: "test", rootKeys: [], counts: {} } as const;
    const done = { ...facts, dataKeys: shredding.keyring.dataKeysOf(keys!) };
    await shredding.shreds.destroyKeys(done, BY_TEST);
    await workerStories.exportAudit();
    await shredding.shreds.removeRecords(done);
  }
});

async function membersOf(redis: Redis, key: string): Promise<string> {
  const type = await redis.type(key);
  if (type === "hash") return JSON.stringify(await redis.hgetall(key));
  if (type === "set") return JSON.stringify(await redis.smembers(key));
  if (type === "zset") return JSON.stringify(await redis.zrange(key, "0", "-1"));
  if (type === "stream") return "";
  return String(await redis.get(key));
}
