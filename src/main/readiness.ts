import { organisationOwner } from "../broker/seal-contexts.ts";
import { judgeContinuity } from "../ops/continuity.ts";
import { judgeKeyAccess, readKeyFacts } from "../ops/key-access.ts";
import type { Readiness } from "../ops/ops-listener.ts";
import { durabilityOf, judgeRedis, readRedisFacts } from "../ops/self-checks.ts";
import { judgeStoreFormat } from "../ops/store-format.ts";
import type { Broker } from "./compose.ts";
import { storeFormatOf } from "./presence.ts";

/** What a process looks at before it starts, and whenever it is asked whether it is ready. */
export async function readiness(broker: Broker): Promise<Readiness> {
  const facts = await broker.stores.fast.call((redis) => readRedisFacts(redis, broker.clock));
  const production = broker.settings.NODE_ENV === "production";
  const keys = await readKeyFacts({
    organisations: async () =>
      (await broker.configuration.listOrganisationNames()).map(({ id, name }) => ({
        name,
        owner: organisationOwner(id),
      })),
    dataKeys: broker.dataKeys,
    sealer: broker.sealer,
  });
  return {
    checks: [
      ...judgeRedis(facts, production),
      judgeKeyAccess(keys),
      judgeContinuity(await broker.restoring()),
      judgeStoreFormat(await storeFormatOf(broker).mark()),
    ],
    durability: durabilityOf(facts),
  };
}
