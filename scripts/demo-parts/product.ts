import { existsSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import type { Redis } from "ioredis";
import { readSettings } from "../../src/config/settings.ts";
import { redisAddress } from "../../src/main/read-addresses.ts";
import { connectRedis, disconnect, whenReady } from "../../src/store/connect-redis.ts";
import { type RunningRedis, startRedis } from "../redis/index.ts";
import type { Child, Children } from "./children.ts";
import { cli } from "./cli.ts";
import { type Folder, HOST, type Ports } from "./folder.ts";
import { Sentence } from "./sentence.ts";

export interface Surroundings {
  readonly folder: Folder;
  readonly ports: Ports;
  /** Under which browsers and iManage reach the broker. */
  readonly baseUrl: string;
  /** Origins on this machine that may be iManage. */
  readonly loopbackOrigins: readonly string[];
  readonly children: Children;
  /** Takes how to end what is no child of `children`. */
  readonly endings: (() => Promise<unknown>)[];
}

/** Redis, brokers and worker with their data in one folder, each a process of its own as in production. */
export class Product {
  readonly ports: Ports;
  readonly folder: Folder;
  /** Undefined: REDIS_URL names somebody else's. */
  readonly redis: RunningRedis | undefined;
  readonly redisUrl: string;
  /** For the operator's CLI. */
  readonly env: NodeJS.ProcessEnv;
  readonly #children: Children;

  private constructor(surroundings: Surroundings, redis: RunningRedis | undefined, redisUrl: string) {
    this.ports = surroundings.ports;
    this.folder = surroundings.folder;
    this.redis = redis;
    this.redisUrl = redisUrl;
    this.#children = surroundings.children;
    this.env = environment(surroundings, redis !== undefined, redisUrl);
  }

  /** With Redis running and the root keyset made; everything else is started by its own name. */
  static async open(surroundings: Surroundings, log: (line: string) => void): Promise<Product> {
    const { folder, ports, endings } = surroundings;
    const named = namedRedis();
    const redis =
      named === undefined
        ? await startRedis({ dir: folder.file("redis"), port: ports.redis, log })
        : undefined;
    if (redis !== undefined) endings.push(() => redis.stop());
    const product = new Product(surroundings, redis, named ?? redis!.url);
    const keyset = product.env.ROOT_KEYSET_FILE as string;
    if (!existsSync(keyset)) {
      if (redis === undefined) await mustBeEmpty(product.env, folder);
      await cli(["keys", "create", keyset], product.env);
    }
    return product;
  }

  /** How clients on this machine reach one of the two; browsers go to the first. */
  brokerAddress(which: 1 | 2): string {
    return `http://${HOST}:${which === 1 ? this.ports.broker1 : this.ports.broker2}`;
  }

  startBroker(which: 1 | 2): Promise<Child> {
    const { broker1, broker2, ops1, ops2 } = this.ports;
    const [http, ops] = which === 1 ? [broker1, ops1] : [broker2, ops2];
    return this.#children.start({
      name: `broker-${which}`,
      entry: "src/main/http.ts",
      env: { ...this.env, HTTP_PORT: String(http), OPS_PORT: String(ops) },
    });
  }

  startWorker(): Promise<Child> {
    return this.#children.start({
      name: "worker",
      entry: "src/main/worker.ts",
      env: { ...this.env, OPS_PORT: String(this.ports.opsWorker) },
    });
  }
}

export function namedRedis(): string | undefined {
  const named = process.env.REDIS_URL?.trim();
  return named === "" ? undefined : named;
}

/** Somebody else's Redis may hold a broker already, sealed with a keyset that is not here: it stays as it is. */
async function mustBeEmpty(env: NodeJS.ProcessEnv, folder: Folder): Promise<void> {
  const address = await redisAddress(readSettings(env));
  if (address.clusterNodes !== undefined) return;
  const connection = connectRedis(address, "fast") as Redis;
  try {
    const ready = whenReady(connection).then(() => true);
    if (!(await Promise.race([ready, pause(REDIS_WAIT_MS)])))
      throw new Sentence("The Redis that REDIS_URL names does not answer.");
    for await (const keys of connection.scanStream({ match: "b1:*", count: 1_000 }))
      if ((keys as string[]).length > 0)
        throw new Sentence(
          `The Redis that REDIS_URL names holds a broker's data already, and its root keyset is not in ${folder.shown()}: name an empty Redis, for example another database number.`,
        );
  } finally {
    disconnect(connection);
  }
}

const REDIS_WAIT_MS = 5_000;

/** What the caller has set and the demo does not decide (a firm's own CA, a proxy, private ranges) reaches the processes. */
function environment(
  { folder, baseUrl, loopbackOrigins, ports }: Surroundings,
  ownRedis: boolean,
  redisUrl: string,
): NodeJS.ProcessEnv {
  const { REDIS_PASSWORD_FILE, REDIS_CLUSTER_NODES, REDIS_PLAINTEXT_ACCEPTED, ...inherited } = process.env;
  const ofNamedRedis = { REDIS_PASSWORD_FILE, REDIS_CLUSTER_NODES, REDIS_PLAINTEXT_ACCEPTED };
  return {
    ...inherited,
    ...(ownRedis ? {} : ofNamedRedis),
    NODE_ENV: "development",
    REDIS_URL: redisUrl,
    PUBLIC_BASE_URL: baseUrl,
    HTTP_HOST: HOST,
    HTTP_PORT: String(ports.broker1),
    OPS_HOST: HOST,
    OPS_PORT: String(ports.ops1),
    ROOT_KEYSET_FILE: folder.file("root-keyset.json"),
    AUDIT_FILE: folder.file("audit.jsonl"),
    // Every process of the demo starts a second sooner once one has compiled what it is made of.
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? folder.file("compile-cache"),
    EGRESS_LOOPBACK_ORIGINS: loopbackOrigins.join(","),
  };
}
