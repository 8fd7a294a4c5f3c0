import { hostname } from "node:os";
import type { Queue } from "bullmq";
import { seconds } from "../domain/instant.ts";
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

const TOLD_EACH_MS = seconds(30);

/** Tells a collector the same, where one is named. Answers how to end it. */
export async function exportMetrics(broker: Broker): Promise<() => Promise<void>> {
  const { metrics, settings } = broker;
  if (settings.OTEL_METRICS_URL === undefined) return async () => {};
  const { exportByOtlp } = await import("../ops/metrics/otlp.ts");
  const exporter = await exportByOtlp({
    url: settings.OTEL_METRICS_URL,
    everyMs: TOLD_EACH_MS,
    registry: metrics.registry,
    resource: {
      "service.name": "imanage-token-broker",
      "service.instance.id": `${hostname()}:${process.pid}`,
    },
  });
  return () => exporter.close();
}
