import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { MigratePorts } from "../broker/records/migrate-records.ts";
import { MIGRATIONS, type Migration } from "../broker/records/migrations.ts";
import { STORE_FORMAT, type StoreMark } from "../domain/store-format.ts";
import { RedisRecordWalk } from "../store/redis-record-walk.ts";
import { RedisStoreFormat } from "../store/redis-store-format.ts";
import type { Broker } from "./compose.ts";
import { onceStoreAnswers } from "./store-answers.ts";

/** Often enough that who is not heard of for a minute is gone. */
const ANNOUNCE_MS = 15_000;

const packageFile = new URL("../../package.json", import.meta.url);
/** As the package says it. */
export const PRODUCT_VERSION: string = JSON.parse(readFileSync(packageFile, "utf8")).version;

export const storeFormatOf = ({ stores }: Pick<Broker, "stores">): RedisStoreFormat =>
  new RedisStoreFormat(stores.fast);

/** What `records migrate` works with; other migrations in tests alone. */
export const migratePortsOf = (
  broker: Broker,
  migrations: readonly Migration[] = MIGRATIONS,
): MigratePorts => ({
  migrations,
  walk: new RedisRecordWalk(broker.stores.fast, broker.recordSeals),
  journal: storeFormatOf(broker),
  formats: storeFormatOf(broker),
  timers: broker.timers,
  monotonicMs: broker.clock.monotonicMs,
  version: PRODUCT_VERSION,
});

/**
 * Says that this process is at work, again and again, before it looks at the store's mark: so a migration that raises the mark
 * sees it, or it sees the mark. Marks a store that nobody has marked.
 */
export async function announceOurselves(
  broker: Broker,
  roles: Readonly<Record<string, boolean>>,
): Promise<{ readonly mark: StoreMark; readonly leave: () => Promise<void> }> {
  const formats = storeFormatOf(broker);
  const process_ = {
    id: `prc_${Buffer.from(broker.random.bytes(12)).toString("base64url")}`,
    roles: Object.keys(roles).filter((role) => roles[role]),
    version: PRODUCT_VERSION,
    host: hostname(),
    pid: process.pid,
    reads: STORE_FORMAT,
    startedAt: broker.clock.now(),
  };
  await onceStoreAnswers(broker, () => formats.announce(process_));
  const stop = broker.timers.every(ANNOUNCE_MS, () => {
    // A store that is away is told by the readiness; who was not heard of is heard of again.
    formats.announce(process_).catch(() => {});
  });
  return {
    mark: await onceStoreAnswers(
      broker,
      async () => (await formats.mark()) ?? (await formats.begin(STORE_FORMAT, PRODUCT_VERSION)),
    ),
    async leave() {
      stop();
      await formats.leave(process_.id).catch(() => {});
    },
  };
}
