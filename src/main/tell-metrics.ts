import type { Queue } from "bullmq";
import { addLooks } from "../ops/metrics/looks.ts";
import { readQueueDepths } from "../ops/metrics/queue-depths.ts";
import { readRedisState } from "../ops/metrics/redis-state.ts";
import type { Broker } from "./compose.ts";

/** What is asked for at `/metrics`: what this process counted, and what it sees when it is asked. */
export function tellMetrics(broker: Broker, queues: readonly Queue[]): () => Promise<string> {
  const { metrics, census, stores, clock, settings } = broker;
  addLooks(metrics.registry, {
    census: () => census.read(),
    // Jobs carry the wall clock of whoever added them.
    queues: () => readQueueDepths(queues, () => Date.now()),
    redis: () => readRedisState(stores.fast.connection, clock),
    auditBacklogLimit: settings.AUDIT_BUFFER_MAX_ENTRIES,
  });
  return () => metrics.registry.metrics();
}
