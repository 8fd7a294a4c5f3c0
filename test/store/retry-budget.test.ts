import { expect, it } from "vitest";
import type { GrantId } from "../../src/domain/id.ts";
import { minutes, seconds } from "../../src/domain/instant.ts";
import { grantKey, organisationPrefix } from "../../src/store/keys.ts";
import { expireSoon } from "../kit/expire.ts";
import { AMELIA, world } from "../kit/world.ts";

it("where every grant waits for a retry, time brings the budget back, and not only success", async () => {
  const here = await world();
  await here.connect();
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const { grant } = (await here.client.accessToken(ask)).body;
  const store = here.broker.stores.fast;

  // iManage hung for a minute: this grant's answer never came, and the retries of others have used the budget up.
  const now = await store.now();
  const gate = `${organisationPrefix(here.organisation as never)}server-gate:${here.server}`;
  await store.call((redis) => redis.hset(gate, { retries: "0", retries_at: now }));
  await store.call((redis) =>
    redis.hset(grantKey(grant as GrantId), { intent: "sent", sent_at: now - minutes(2) }),
  );
  await expireSoon(here, grant, -1);

  const early = await here.client.accessToken(ask);
  expect(early.status).toBe(503);
  expect(Number(early.headers.get("retry-after"))).toBeLessThanOrEqual(5);
  here.advance(seconds(5));
  expect((await here.client.accessToken(ask)).status).toBe(200);
});
