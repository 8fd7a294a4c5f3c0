import type { GrantId } from "../../src/domain/id.ts";
import { grantKey } from "../../src/store/keys.ts";
import type { World } from "./world.ts";

/** Puts a grant's access token at its moment of expiry: it still lives, but shorter than callers want. For every process. */
export async function expireSoon(
  world: Pick<World, "broker">,
  grant: string,
  leftMs = 30_000,
): Promise<void> {
  const store = world.broker.stores.fast;
  const now = await store.now();
  await store.call((redis) => redis.hset(grantKey(grant as GrantId), "at_exp", now + leftMs));
}
