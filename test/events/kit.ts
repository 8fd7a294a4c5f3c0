import { readFileSync } from "node:fs";
import type { OrganisationId } from "../../src/domain/id.ts";
import { eventsKey, gateKey } from "../../src/store/keys.ts";
import { RedisEventLog } from "../../src/store/redis-event-log.ts";
import { identities, redisFor } from "../sync/kit.ts";

const prelude = readFileSync(new URL("../../src/store/lua/prelude.lua", import.meta.url), "utf8");
const EMIT = `#!lua flags=allow-oom
${prelude}
emit(prefix_of(KEYS[1]), now_ms(), ARGV[1], cjson.decode(ARGV[2]))`;

/** An organisation's log on a real Redis, written by `emit` itself, with time shifted by `offset.ms`. */
export async function eventLogKit(url?: string) {
  const offset = { ms: 0 };
  const { store } = await redisFor(offset, url);
  const ids = identities();
  const log = new RedisEventLog(store);
  const { organisation } = ids;
  return {
    ...{ offset, store, log, ids, organisation },
    key: eventsKey(organisation),
    async emit(
      kind: string,
      fields: Readonly<Record<string, string>> = {},
      at: OrganisationId = organisation,
    ) {
      const flat = JSON.stringify(Object.entries({ server: ids.server, ...fields }).flat());
      await store.call((redis) => redis.eval(EMIT, 1, gateKey(at), kind, flat, offset.ms));
    },
    /** Numbers of the events behind a position. */
    async numbers(after?: Parameters<RedisEventLog["read"]>[1], limit = 100) {
      const answer = await log.read(organisation, after, limit);
      return answer.kind === "read" ? answer.events.map(({ position }) => position.number) : answer.kind;
    },
  };
}
