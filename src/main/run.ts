import { readSettings, type Settings, SettingsError } from "../config/settings.ts";
import { timing } from "../domain/access-policy.ts";
import { seconds } from "../domain/instant.ts";
import { KmsError } from "../kms/kms-error.ts";
import { installCrashGuards } from "../ops/crash-guards.ts";
import { refuses } from "../ops/finding.ts";
import { inRequest, makeLog, type OperatorLog } from "../ops/log.ts";
import { addProcessMetrics } from "../ops/metrics/metrics.ts";
import type { Phase } from "../ops/ops-listener.ts";
import { makeShutdown, onSignals } from "../ops/shutdown.ts";
import { RootKeysetError } from "../security/root-keyset.ts";
import { connectRedis, disconnect } from "../store/connect-redis.ts";
import { startWorkers } from "../workers/start-workers.ts";
import { type Broker, compose } from "./compose.ts";
import { failPointsOverIpc } from "./fail-points.ts";
import { startMachineListeners } from "./machine-listeners.ts";
import { openQueues, opsApp } from "./ops.ts";
import { announceOurselves } from "./presence.ts";
import { readiness } from "./readiness.ts";
import { rootKeysetLook, rootKeysetOf } from "./root-keys.ts";
import { ListenError, listen, publicListener, stopListening } from "./start-http.ts";
import { onceStoreAnswers } from "./store-answers.ts";
import { exportMetrics, tellMetrics } from "./tell-metrics.ts";

/** How long the end of a process may wait for refreshes that have left: iManage may have rotated a token (F18). */
const LAST_REFRESH_MS = 75_000;
/** Callers are answered by 10 s; then kept connections end. */
const LAST_ANSWER_MS = timing.callerDeadlineMs + 3_000;
const RECONCILE_MS = 60_000;
/** How often it is looked whether the store is older than it was; and at once where it is another than before. */
const STORE_WATCH_MS = 10_000;

/**
 * One process of the broker: the public listener, the workers, or both. Starts in any order with Redis, refuses with a
 * sentence what would lose grants, and ends within its grace on SIGTERM.
 */
export async function run(roles: { readonly http: boolean; readonly worker: boolean }): Promise<void> {
  try {
    await start(roles, readSettings());
  } catch (error) {
    const sentence = explain(error);
    if (sentence === undefined) throw error;
    process.stderr.write(`${sentence}\n`);
    process.exit(1);
  }
}

async function start(
  roles: { readonly http: boolean; readonly worker: boolean },
  settings: Settings,
): Promise<void> {
  const log = makeLog({ level: settings.LOG_LEVEL });
  installCrashGuards({ log });
  const shutdown = makeShutdown(log);
  onSignals({ shutdown, log });

  const rootKeyset = await rootKeysetOf(settings, log);
  const tracer = await openTracer(settings, roles);
  if (tracer !== undefined) shutdown.push("traces", () => tracer.close());
  const broker = await compose({
    settings,
    rootKeyset,
    log,
    tracer,
    failPoints: settings.FAIL_POINTS ? failPointsOverIpc(process) : undefined,
  });
  shutdown.push("broker", () => broker.close(), LAST_REFRESH_MS);

  addProcessMetrics(broker.metrics.registry);
  let phase: Phase = "starting";
  // Health first, so that whoever waits can read why.
  const queues = openQueues(broker);
  shutdown.push("queues", async () => {
    await Promise.allSettled(queues.map((queue) => queue.close()));
    for (const queue of queues) disconnect(queue.opts.connection as never);
  });
  const metricsText = tellMetrics(broker, queues);
  const rootKeysetSeen = rootKeysetLook(settings, rootKeyset, () => broker.clock.monotonicMs());
  const ops = await listen(
    await opsApp(broker, queues, { metricsText, rootKeyset: rootKeysetSeen, phase: () => phase }),
    settings.OPS_HOST,
    settings.OPS_PORT,
  );
  shutdown.push("metrics", await exportMetrics(broker));
  shutdown.push("ops listener", () => stopListening(ops.server));

  await broker.ready();
  await onceStoreAnswers(broker, () => broker.storeWatch.begin());
  shutdown.push(
    "store watch",
    every(STORE_WATCH_MS, () => broker.storeWatch.look(), log),
  );
  const presence = await announceOurselves(broker, roles);
  shutdown.push("presence", presence.leave);
  await onceStoreAnswers(broker, () => refuseBadStore(broker, log));

  if (roles.worker) {
    const workers = await startWorkers({
      connect: () =>
        connectRedis(broker.redisAddress, "blocking", (code) =>
          log.warn({ code, detail: "worker" }, "redis connection"),
        ),
      stories: broker.workerStories,
      jobStarts: broker.jobStarts,
      onEvent: (hear) => broker.happened.each(hear),
      timers: broker.timers,
      tracer,
      inRequest,
      log,
      meters: broker.metrics.meters,
    });
    shutdown.push("workers", () => workers.close(), LAST_REFRESH_MS);
    shutdown.push(
      "reconciler",
      every(RECONCILE_MS, () => broker.reconcile(), log),
    );
  }
  if (roles.http) {
    const http = await listen(publicListener(broker), settings.HTTP_HOST, settings.HTTP_PORT);
    shutdown.push("public listener", () => stopListening(http.server), LAST_ANSWER_MS);
    log.info({ detail: settings.PUBLIC_BASE_URL }, "listening");
    const machines = await startMachineListeners(broker);
    shutdown.push("certificate files", machines.stop);
    for (const listener of [machines.direct, machines.behindProxy]) {
      if (listener === undefined) continue;
      shutdown.push("machines' listener", () => stopListening(listener.server), LAST_ANSWER_MS);
      log.info({ detail: `${settings.MTLS_BASE_URL} (port ${listener.port})` }, "listening for certificates");
    }
  }
  phase = "serving";
  log.info(
    {
      detail: Object.entries(roles)
        .filter(([, on]) => on)
        .map(([role]) => role)
        .join(" and "),
    },
    "ready",
  );
  // Newest, so first to end: whatever stands in front learns of it while it may still send requests.
  const drainMs = seconds(settings.SHUTDOWN_DRAIN_SECONDS);
  shutdown.push(
    "readiness",
    () => {
      phase = "ending";
      return new Promise((resolve) => setTimeout(resolve, drainMs));
    },
    drainMs + seconds(1),
  );
  process.send?.({ ready: true });
}

/** OpenTelemetry is loaded only here, and only where traces are asked for: a tenth of a second and 15 MB. */
async function openTracer(
  { TRACES_URL: url, TRACES_RATIO: ratio }: Settings,
  roles: Readonly<Record<string, boolean>>,
) {
  if (url === undefined) return undefined;
  const { makeOtelTracer } = await import("../ops/otel-tracer.ts");
  const role = Object.keys(roles)
    .filter((name) => roles[name] === true)
    .join("+");
  return makeOtelTracer({ url, ratio, role });
}

async function refuseBadStore(broker: Broker, log: OperatorLog): Promise<void> {
  const { checks, durability } = await readiness(broker);
  for (const finding of checks.filter(({ ok }) => !ok)) {
    log.warn({ code: finding.check, detail: finding.sentence }, "self-check");
  }
  const refusals = checks.filter(refuses);
  if (refusals.length > 0)
    throw new StartRefused(refusals.map(({ sentence, remedy }) => `${sentence} ${remedy ?? ""}`));
  if (durability !== undefined)
    log.info({ code: durability.class, detail: durability.sentence }, "durability");
}

class StartRefused extends Error {
  constructor(sentences: readonly string[]) {
    super(`Not started.\n${sentences.map((sentence) => `  ${sentence.trim()}`).join("\n")}`);
    this.name = "StartRefused";
  }
}

/** A sentence for what an operator can mend; undefined: unforeseen. */
export function explain(error: unknown): string | undefined {
  const known = [SettingsError, RootKeysetError, KmsError, ListenError, StartRefused];
  return known.some((kind) => error instanceof kind) ? (error as Error).message : undefined;
}

function every(ms: number, task: () => Promise<void>, log: OperatorLog): () => void {
  const timer = setInterval(() => {
    task().catch(() => log.warn({ code: "store_unavailable" }, "every so often"));
  }, ms);
  return () => clearInterval(timer);
}
