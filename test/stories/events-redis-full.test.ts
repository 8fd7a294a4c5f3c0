import type { Redis } from "ioredis";
import { expect, it } from "vitest";
import { contain, liftContainment } from "../../src/broker/containment/contain.ts";
import type { ClientId, GrantId, OrganisationId } from "../../src/domain/id.ts";
import { days } from "../../src/domain/instant.ts";
import { organisationPrefix } from "../../src/store/keys.ts";
import { RedisEventLog } from "../../src/store/redis-event-log.ts";
import { manyGrants } from "../kit/many-grants.ts";
import { BY_TEST } from "../kit/put-records.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { world } from "../kit/world.ts";

it("in a Redis that is full a change is told in the step in which it is made, or is refused whole: never made and not told", async () => {
  const here = await world({ redisUrl: (await ownRedisForThisTest()).url });
  const organisation = here.organisation as OrganisationId;
  const { grantStore, containment, stores } = here.broker;
  const redis = stores.fast.connection as Redis;
  const log = new RedisEventLog(stores.fast);
  const full = (yes: boolean) => redis.config("SET", "maxmemory", yes ? "1" : "0");
  const [gone, kept] = (await manyGrants(here, 2)) as [GrantId, GrantId];
  let seen = await log.newest(organisation);
  const news = async () => {
    const read = await log.read(organisation, seen, 100);
    if (read.kind !== "read") throw new Error("expired");
    seen = await log.newest(organisation);
    return read.events.map(({ kind, fields: { grant } }) => [kind, grant].filter(Boolean).join(" "));
  };
  /** Everything of the organisation, as it lies in Redis. What a containment ends is still being counted beside it. */
  const all = async () => {
    const prefix = organisationPrefix(organisation);
    const keys = (await redis.keys(`${prefix}*`))
      .filter((key) => !key.startsWith(`${prefix}containment`))
      .toSorted();
    return Promise.all(
      keys.map(async (key) => `${key} ${(await redis.dumpBuffer(key))?.toString("base64")}`),
    );
  };
  expect(await news()).toEqual([]);

  await full(true);
  // What ends access is done, and told.
  await grantStore.deleteGrant(gone, BY_TEST);
  expect(await news()).toEqual([`grant.revoked ${gone}`]);
  const target = { kind: "client", client: here.client.id as ClientId, organisation } as const;
  const { id } = await contain(containment, { target, effect: "stop", reason: "leaked" }, BY_TEST);
  expect(await news()).toEqual(["containment.begun"]);
  await liftContainment(containment, (await containment.containments.findContainment(id))!, "over", BY_TEST);
  expect(await news()).toEqual(["containment.lifted"]);

  // What can wait is refused, with nothing of it done; and done and told once there is room.
  const before = await all();
  await expect(manyGrants(here, 1, 7)).rejects.toMatchObject({ code: "store_unavailable" });
  here.advance(days(336));
  await expect(grantStore.warnOfExpiry(organisation, 500)).rejects.toThrow();
  expect(await all()).toEqual(before);
  expect(await news()).toEqual([]);
  await full(false);
  await grantStore.warnOfExpiry(organisation, 500);
  expect(await news()).toEqual([`grant.expiring ${kept}`]);
  expect((await manyGrants(here, 1, 7)).length).toBe(1);
  expect(await news()).toEqual([expect.stringMatching(/^grant\.authorized /)]);
});
