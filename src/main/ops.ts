import { createHash, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { Queue } from "bullmq";
import type { OperatorPorts } from "../broker/operators/ports.ts";
import { type Settings, SettingsError } from "../config/settings.ts";
import { requestIds } from "../http/request-ids.ts";
import { judgeRootKeyset, type RootKeysetSeen } from "../ops/key-access.ts";
import { buildOpsApp, type OpsOperators, type Phase } from "../ops/ops-listener.ts";
import { judgeQueueAges, readQueueAges } from "../ops/queue-age.ts";
import { buildOpsPages, opsVisitors } from "../pages/ops-pages.ts";
import { connectRedis } from "../store/connect-redis.ts";
import { QUEUES, queueOptions } from "../workers/queues.ts";
import type { Broker } from "./compose.ts";
import { readiness } from "./readiness.ts";
import { pageDeps } from "./start-http.ts";

/** What answers on the ops listener. */
export async function opsApp(
  broker: Broker,
  queues: readonly Queue[],
  more: {
    readonly metricsText?: () => Promise<string> | string;
    readonly rootKeyset?: () => RootKeysetSeen;
    readonly phase?: () => Phase;
  } = {},
) {
  const { settings, log } = broker;
  const baseUrl = settings.OPS_BASE_URL ?? `http://127.0.0.1:${settings.OPS_PORT}`;
  const isMetricsToken = await metricsToken(settings);
  return buildOpsApp({
    checks: async () => {
      const found = await readiness(broker);
      const ages = await readQueueAges(queues, () => broker.clock.now());
      const keyset = more.rootKeyset === undefined ? [] : [judgeRootKeyset(more.rootKeyset())];
      return { ...found, checks: [...found.checks, ...keyset, judgeQueueAges(ages)] };
    },
    ...(more.phase !== undefined && { phase: more.phase }),
    queues,
    ...(more.metricsText !== undefined && { metricsText: more.metricsText }),
    ...(isMetricsToken !== undefined && { isMetricsToken }),
    operators: operatorsOf(broker, baseUrl),
    newRequestId: requestIds(broker.random),
    log,
    // `hostname()`: a container's own name, by which Prometheus and others beside it call it.
    allowedHosts: [
      "localhost",
      "127.0.0.1",
      "[::1]",
      settings.OPS_HOST,
      hostname(),
      new URL(baseUrl).hostname,
    ],
  });
}

/**
 * The operators' sign-in at this listener: the stories and pages of the public one, with sessions of their own. An address
 * of its own has its own cookies, so what is stolen of one is worth nothing at the other; a session is found by what is
 * derived of its cookie for this listener alone.
 */
function operatorsOf(broker: Broker, baseUrl: string): OpsOperators | undefined {
  const { settings } = broker;
  const { provider, handles } = broker.operators;
  if (provider === undefined) return undefined;
  const operators: OperatorPorts = {
    ...broker.operators,
    publicBaseUrl: baseUrl,
    handles: { digest: (cookie) => handles.derive(cookie, "ops session"), derive: handles.derive },
  };
  const given = pageDeps(broker, baseUrl);
  const deps = {
    ...given,
    operators,
    settings: { ...given.settings, ofOps: true, plainCookies: baseUrl.startsWith("http://") },
  };
  return {
    pages: buildOpsPages(deps, `${settings.PUBLIC_BASE_URL}/operators`),
    ...opsVisitors(deps),
    acts: broker.auditBuffer,
    baseUrl,
  };
}

const TOKEN_MIN = 32;

async function metricsToken(settings: Settings): Promise<((presented: string) => boolean) | undefined> {
  const file = settings.OPS_METRICS_TOKEN_FILE;
  if (file === undefined) return undefined;
  const refused = (message: string): never => {
    throw new SettingsError([{ setting: "OPS_METRICS_TOKEN_FILE", message }]);
  };
  const token = await readFile(file, "utf8").then(
    (text) => text.trim(),
    () => refused("names a file that cannot be read"),
  );
  if (!/^[\w.~+/=-]+$/.test(token) || token.length < TOKEN_MIN)
    refused(`names a file that holds no token: ${TOKEN_MIN} letters and digits at least`);
  const digest = (text: string) => createHash("sha256").update(text).digest();
  const known = digest(token);
  return (presented) => timingSafeEqual(digest(presented), known);
}

/** The dashboard's view of the queues, on a connection of its own that never waits for Redis. */
export function openQueues({ redisAddress, log }: Pick<Broker, "redisAddress" | "log">): Queue[] {
  return Object.values(QUEUES).map((name) => {
    const connection = connectRedis(redisAddress, "durable");
    const queue = new Queue(name, { ...queueOptions(name, connection), skipWaitingForReady: true });
    queue.on("error", () => log.warn({ code: "queue_unavailable", detail: name }, "queue"));
    return queue;
  });
}
