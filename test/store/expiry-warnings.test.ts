import { expect, it } from "vitest";
import type { GrantId, OrganisationId } from "../../src/domain/id.ts";
import { days } from "../../src/domain/instant.ts";
import { expiryKey, gateKey, grantEndsKey, grantKey } from "../../src/store/keys.ts";
import { RedisCensusStore } from "../../src/store/redis-census-store.ts";
import { AMELIA, MOREAU, world } from "../kit/world.ts";

it("who ends in more than thirty days stands in one index; he is warned once when that day comes, also if a version before put him into both, and if he came back to life later", async () => {
  const here = await world();
  const organisation = here.organisation as OrganisationId;
  const { fast: store } = here.broker.stores;
  const grantOf = async (person: typeof AMELIA): Promise<GrantId> => {
    await here.connect(person);
    const asked = { server: here.server, subject: { type: "user", id: person.subject } };
    return (await here.client.accessToken(asked)).body.grant as GrantId;
  };
  const [new_, old] = [await grantOf(AMELIA), await grantOf(MOREAU)];
  const endOf = async (grant: GrantId) =>
    Number(await store.call((redis) => redis.hget(grantKey(grant), "rt_exp")));
  const warnings = async (grant: GrantId) =>
    (await here.broker.grantStore.timeline(grant))
      .filter(({ kind }) => kind === "grant.expiring")
      .map(({ detail }) => detail);
  const waiting = (grant: GrantId) => store.call((redis) => redis.zscore(expiryKey(organisation), grant));
  const sweep = () => here.broker.grantStore.warnOfExpiry(organisation, 1);
  const sweepAll = async () => {
    for (let i = 0; i < 5; i++) await sweep();
  };

  expect(await waiting(new_)).toBeNull();
  expect(await store.call((redis) => redis.zcard(grantEndsKey(organisation)))).toBe(2);
  await sweepAll();
  expect(await warnings(new_)).toEqual([]);

  const end = await endOf(old);
  await store.call((redis) => redis.zadd(expiryKey(organisation), end - days(30), old));
  here.advance(days(334.9));
  await sweepAll();
  expect([await warnings(new_), await warnings(old)]).toEqual([[], []]);
  here.advance(days(0.2));
  await sweepAll();
  await sweepAll();
  expect([await warnings(new_), await warnings(old)]).toEqual([["30 days left"], ["30 days left"]]);
  expect(Number(await waiting(old))).toBe(end - days(14));

  // Refused while that day came, and accepted again afterwards: what is left to be warned of is.
  await store.call((redis) => redis.zrem(expiryKey(organisation), new_));
  await store.call((redis) => redis.zrem(grantEndsKey(organisation), new_));
  await store.call((redis) => redis.hdel(gateKey(organisation), "indexed"));
  await new RedisCensusStore(store).indexGrants(organisation, 100);
  expect(Number(await waiting(new_))).toBe((await endOf(new_)) - days(14));
  here.advance(days(16));
  await sweepAll();
  expect(await warnings(new_)).toEqual(["30 days left", "14 days left"]);
});
