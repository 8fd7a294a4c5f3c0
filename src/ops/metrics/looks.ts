import type { Registry } from "prom-client";
import type { AgedCensus } from "../../broker/census/ports.ts";
import { type Milliseconds, seconds } from "../../domain/instant.ts";
import { CENSUS_GAUGES, type GaugeSpec, LIMITS, QUEUE_GAUGES, REDIS_GAUGES, UP } from "./gauges.ts";
import { expose } from "./metrics.ts";
import type { QueueDepth } from "./queue-depths.ts";
import type { RedisState } from "./redis-state.ts";
import type { Sample } from "./series.ts";

export interface Looks {
  readonly census: () => Promise<AgedCensus>;
  readonly queues: () => Promise<readonly QueueDepth[]>;
  readonly redis: () => Promise<RedisState>;
  readonly auditBacklogLimit: number;
  readonly monotonicMs?: () => Milliseconds;
}

/** Whoever scrapes waits no longer, whatever Redis does. */
const LOOK_MAX_MS = seconds(2);
const KEPT_MS = seconds(5);

/** Adds what is looked at when somebody asks. What cannot be seen is left out, and everything else is told. */
export function addLooks(registry: Registry, looks: Looks): void {
  const monotonicMs = looks.monotonicMs ?? (() => performance.now());
  const census = new Look(looks.census, monotonicMs);
  const queues = new Look(looks.queues, monotonicMs);
  const redis = new Look(looks.redis, monotonicMs);
  const add = <T>(specs: readonly GaugeSpec<T>[], look: Look<T>): void => {
    for (const { name, help, type, read } of specs)
      expose(registry, {
        ...{ name, help, type },
        async samples() {
          const seen = await look.see();
          return seen === undefined ? [] : read(seen);
        },
      });
  };
  const plain = (value: number): readonly Sample[] => [{ labels: {}, value }];
  expose(registry, { ...UP, samples: async () => plain((await redis.see()) === undefined ? 0 : 1) });
  add(REDIS_GAUGES, redis);
  add(CENSUS_GAUGES, census);
  expose(registry, { ...LIMITS, samples: () => plain(looks.auditBacklogLimit) });
  add(QUEUE_GAUGES, queues);
}

/** One look serves every metric of a scrape, and who scrapes again at once. */
class Look<T> {
  readonly #look: () => Promise<T>;
  readonly #monotonicMs: () => Milliseconds;
  #last: { readonly at: Milliseconds; readonly seen: Promise<T | undefined> } | undefined;

  constructor(look: () => Promise<T>, monotonicMs: () => Milliseconds) {
    this.#look = look;
    this.#monotonicMs = monotonicMs;
  }

  see(): Promise<T | undefined> {
    const now = this.#monotonicMs();
    if (this.#last === undefined || now - this.#last.at >= KEPT_MS)
      this.#last = { at: now, seen: within(LOOK_MAX_MS, this.#look()) };
    return this.#last.seen;
  }
}

/** Undefined where it fails, or takes too long. */
async function within<T>(ms: Milliseconds, seen: Promise<T>): Promise<T | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), ms);
  try {
    return await Promise.race([seen.catch(() => undefined), late]);
  } finally {
    clearTimeout(timer);
  }
}
