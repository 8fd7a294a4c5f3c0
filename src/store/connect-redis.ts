import { Cluster, Redis } from "ioredis";

/** One server or a cluster: the rooms of the store never ask which. */
export type RedisConnection = Redis | Cluster;

export interface RedisAddress {
  readonly url: string;
  /** Nodes of a cluster, `host:port`; then `url` gives user, password and TLS only. */
  readonly clusterNodes?: readonly string[];
  readonly password?: string;
}

/**
 * `fast` answers or fails within a second, by the patience of its `RedisStore`, for everything someone waits for (F28).
 * `durable` holds its commands until Redis is back, for what must not be lost (F27): a refresh token that has arrived.
 */
export type RedisPatience = "fast" | "durable";

/**
 * `socketTimeout` ends a connection whose other end is gone without a word (a machine that lost its power, a firewall that
 * forgot): the system would believe in it for a quarter of an hour. Longer than any command may take to be answered, and than
 * a busy process takes to read the answer: on `durable` workers wait ten seconds for a job.
 */
const options = {
  fast: {
    protocol: 2,
    socketTimeout: 3_000,
    maxRetriesPerRequest: 1,
    connectTimeout: 2_000,
  },
  durable: { protocol: 2, socketTimeout: 15_000, maxRetriesPerRequest: null, connectTimeout: 5_000 },
} as const;

/** Up to a second between attempts to connect: a Redis that comes back is noticed before a person asks again. */
const retryStrategy = (attempt: number): number => Math.min(50 * attempt, 1_000);

/**
 * Opens a connection. It reconnects for ever; errors of the connection itself are told to `onError`, never thrown.
 * RESP2, because the shapes of answers then are the same from every server and in the tests' reading of them.
 * @param onError gets the code alone (`ECONNREFUSED`, `NOAUTH` …): foreign errors stay here (design §3.13).
 */
export function connectRedis(
  address: RedisAddress,
  patience: RedisPatience,
  onError: (code: string) => void = () => {},
): RedisConnection {
  const shared = {
    ...options[patience],
    ...(address.password === undefined ? {} : { password: address.password }),
  };
  const enableOfflineQueue = patience === "durable";
  const connection: RedisConnection =
    address.clusterNodes === undefined
      ? new Redis(address.url, { ...shared, enableOfflineQueue, retryStrategy })
      : new Cluster(address.clusterNodes.map(hostAndPort), {
          redisOptions: shared,
          enableOfflineQueue,
          clusterRetryStrategy: retryStrategy,
        });
  connection.on("error", (error: Error & { code?: string }) => {
    onError(error.code ?? error.message.split(" ", 1)[0] ?? "unknown");
  });
  return connection;
}

/** Resolves once commands can run. */
export async function whenReady(connection: RedisConnection): Promise<void> {
  if (connection.status === "ready") return;
  await new Promise<void>((resolve) => connection.once("ready", () => resolve()));
}

/** Ends a connection without waiting for a Redis that is away. */
export function disconnect(connection: RedisConnection): void {
  connection.disconnect();
}

const hostAndPort = (node: string): { host: string; port: number } => {
  const end = node.lastIndexOf(":");
  return { host: node.slice(0, end), port: Number(node.slice(end + 1)) };
};
