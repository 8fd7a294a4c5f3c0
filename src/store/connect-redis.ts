import { Cluster, Redis } from "ioredis";

/** One server or a cluster: the rooms of the store never ask which. */
export type RedisConnection = Redis | Cluster;

export interface RedisAddress {
  /** Of a cluster or behind Sentinel it gives user, password and TLS, and behind Sentinel the database; then its host is not asked. */
  readonly url: string;
  readonly password?: string;
  /** Nodes of a cluster, `host:port`. */
  readonly clusterNodes?: readonly string[];
  /** Who knows which server is the master now. */
  readonly sentinel?: SentinelAddress;
  /** PEM: who signs the certificates of these servers, where no public authority does. */
  readonly ca?: string;
}

export interface SentinelAddress {
  /** `host:port` of each. */
  readonly nodes: readonly string[];
  /** The name under which they watch the master. */
  readonly master: string;
  readonly username?: string;
  readonly password?: string;
  readonly tls: boolean;
}

/**
 * `fast` answers or fails within a second, by the patience of its `RedisStore`, for everything someone waits for (F28).
 * `durable` holds its commands until Redis is back, for what must not be lost (F27): a refresh token that has arrived.
 * `blocking` is the same for workers, who ask for a job and wait ten seconds for one.
 */
export type RedisPatience = "fast" | "durable" | "blocking";

/**
 * `socketTimeout` ends a connection whose other end is gone without a word (a machine that lost its power, a firewall that
 * forgot, a master that has frozen): the system would believe in it for a quarter of an hour. Longer than any command may take to be
 * answered, and than a busy process takes to read the answer.
 */
const options = {
  fast: {
    protocol: 2,
    socketTimeout: 3_000,
    maxRetriesPerRequest: 1,
    connectTimeout: 2_000,
  },
  durable: { protocol: 2, socketTimeout: 5_000, maxRetriesPerRequest: null, connectTimeout: 5_000 },
  blocking: { protocol: 2, socketTimeout: 15_000, maxRetriesPerRequest: null, connectTimeout: 5_000 },
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
  const shared = sharedOptions(address, patience);
  const connection = open(address, shared);
  connection.on("error", (error: Error & { code?: string }) => {
    onError(error.code ?? error.message.split(" ", 1)[0] ?? "unknown");
  });
  return connection;
}

type SharedOptions = ReturnType<typeof sharedOptions>;

const sharedOptions = (address: RedisAddress, patience: RedisPatience) => ({
  ...options[patience],
  ...accessOf(address),
  reconnectOnError: (error: Error) => movedOn(error, patience),
  enableOfflineQueue: patience !== "fast",
});

function open(address: RedisAddress, shared: SharedOptions): RedisConnection {
  const { clusterNodes, sentinel, ca } = address;
  if (clusterNodes !== undefined) {
    const { enableOfflineQueue, ...redisOptions } = shared;
    return new Cluster(clusterNodes.map(hostAndPort), {
      redisOptions,
      enableOfflineQueue,
      clusterRetryStrategy: retryStrategy,
      // Names stay names: certificates are made out to them.
      dnsLookup: (name, callback) => callback(null, name),
    });
  }
  // Not `autoResubscribe`: see `keepSubscribed`. A cluster subscribes again by itself, and catches what becomes of it.
  const single = { ...shared, retryStrategy, autoResubscribe: false };
  if (sentinel === undefined) return new Redis(address.url, single);
  const { nodes, master: name, username, password, tls } = sentinel;
  return new Redis({
    ...single,
    db: Number(new URL(address.url).pathname.slice(1)) || 0,
    sentinels: nodes.map(hostAndPort),
    name,
    enableTLSForSentinelMode: shared.tls !== undefined,
    // Not `failoverDetector`: told of a failover while it connects, ioredis 6.0 gives the connection up for ever. A master that is
    // demoted ends its connections, one that has frozen is given up after `socketTimeout`.
    sentinelRetryStrategy: retryStrategy,
    sentinelCommandTimeout: 2_000,
    ...(username !== undefined && { sentinelUsername: username }),
    ...(password !== undefined && { sentinelPassword: password }),
    ...(tls && { sentinelTLS: ca === undefined ? {} : { ca } }),
  });
}

/** User, password and TLS: the same for every server of a cluster, and for whichever is the master. */
function accessOf({ url, password, ca }: RedisAddress) {
  const parsed = new URL(url);
  const named = decodeURIComponent(parsed.username);
  const secret = password ?? (decodeURIComponent(parsed.password) || undefined);
  return {
    ...(named !== "" && { username: named }),
    ...(secret !== undefined && { password: secret }),
    ...(parsed.protocol === "rediss:" && { tls: ca === undefined ? {} : { ca } }),
  };
}

/**
 * A server that has become a replica refuses writes and keeps its connections: a new one finds the master. The command was
 * not carried out, so `durable` sends it again by itself.
 */
const movedOn = (error: Error, patience: RedisPatience): false | 1 | 2 =>
  !error.message.startsWith("READONLY") ? false : patience === "fast" ? 1 : 2;

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
  return { host: node.slice(0, end).replace(/^\[|\]$/g, ""), port: Number(node.slice(end + 1)) };
};
