import { readFileSync } from "node:fs";
import { onTestFinished } from "vitest";
import type { ClientId, OrganisationId } from "../../src/domain/id.ts";
import type { Policy, PolicyRule } from "../../src/domain/policy.ts";
import { Problem } from "../../src/domain/problem.ts";
import { type EventPage, EventReader, type ReadEvents } from "../../src/events/read-events.ts";
import { EventListener } from "../../src/store/change-listener.ts";
import { connectRedis, disconnect, whenReady } from "../../src/store/connect-redis.ts";
import { eventsKey, gateKey } from "../../src/store/keys.ts";
import { RedisEventLog } from "../../src/store/redis-event-log.ts";
import { ruleOf } from "../kit/policies.ts";
import { addressOf } from "../kit/redis.ts";
import { sealerKit } from "../security/kit.ts";
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

/** The same with who reads it: a client whose policy has one rule, that may be changed. */
export async function eventReaderKit(rule: Partial<PolicyRule> = {}) {
  const kit = await eventLogKit();
  const { ids, organisation, offset } = kit;
  const connection = connectRedis(addressOf(), "durable");
  onTestFinished(() => disconnect(connection));
  await whenReady(connection);
  const listener = new EventListener(connection);
  await listener.listen();
  const { sealer } = sealerKit();
  await sealer.prepare(`o:${ids.route}`);
  const standing: { state: "active" | "stopped" } = { state: "active" };
  const policyOf = (...rules: readonly Partial<PolicyRule>[]): Policy => ({
    v: 1,
    client: ids.client,
    organisation,
    rules: rules.map((one) => ruleOf({ actions: ["events"], ...one })),
    tokensPerMinute: 100,
  });
  const state = {
    policy: policyOf(rule) as Policy | undefined,
    stop: undefined as undefined | `ctn_${string}`,
    policyOf,
    standing,
  };
  const reader = new EventReader({
    clock: { now: () => Date.now() + offset.ms, monotonicMs: () => performance.now() },
    sealer,
    log: kit.log,
    announcements: listener,
    clients: {
      findStanding: async () => ({ state: standing.state, generation: 1 }),
      findPolicy: async (client, of) => ({
        policy: client === ids.client && of === organisation ? state.policy : undefined,
        generation: 1,
        mark: "",
      }),
    },
    stops: { findStop: async () => state.stop },
  });
  const caller = { client: ids.client as ClientId, address: "192.0.2.7" };
  return {
    ...kit,
    ...{ state, reader, listener, caller },
    read: (more: Partial<ReadEvents> = {}): Promise<EventPage> =>
      reader.read({ caller, organisation, ...more }),
    refused: (asked: Promise<unknown>) =>
      asked.then(
        () => "answered",
        (error: unknown) => (error instanceof Problem ? error.code : String(error)),
      ),
    /** Resolves when somebody waits. */
    async waiting() {
      while (listener.size === 0) await new Promise(setImmediate);
    },
  };
}
