import { z } from "zod";
import { hostAndPort, isLoopback, redisUrl } from "./addresses.ts";
import { integer, list, path } from "./kinds.ts";
import type { Relation, Values } from "./relations.ts";
import { type environmentSettings, isProduction } from "./settings-process.ts";

function flag() {
  return z
    .enum(["true", "false"], "must be true or false")
    .default("false")
    .transform((text) => text === "true");
}

export const redisSettings = {
  REDIS_URL: z
    .string("is required: where Redis is, for example redis://127.0.0.1:6379")
    .transform(redisUrl)
    .describe(
      "Where Redis is: `redis://` or, with TLS, `rediss://`. May name a user; the password comes from REDIS_PASSWORD_FILE.",
    ),
  REDIS_PASSWORD_FILE: path().optional().describe("File with the Redis password."),
  REDIS_CLUSTER_NODES: list(hostAndPort).describe(
    "First nodes of a Redis Cluster, `host:port`, separated by commas. Empty: one Redis at REDIS_URL. User, password and TLS are taken from there.",
  ),
  REDIS_SENTINELS: list(hostAndPort).describe(
    "Sentinels that know the master, `host:port`, separated by commas. User, password, TLS and database of the master are taken from REDIS_URL, its host is not.",
  ),
  REDIS_SENTINEL_MASTER: z
    .string()
    .regex(
      /^[\w.-]{1,200}$/,
      "must be the name under which Sentinel watches the master, for example mymaster",
    )
    .optional()
    .describe("Name under which they watch it."),
  REDIS_SENTINEL_USERNAME: z
    .string()
    .max(200, "is too long for a name")
    .optional()
    .describe("User at the Sentinels, where they ask for one."),
  REDIS_SENTINEL_PASSWORD_FILE: path().optional().describe("File with the password of the Sentinels."),
  REDIS_SENTINEL_TLS: flag().describe("`true` where the Sentinels speak TLS."),
  REDIS_CA_FILE: path()
    .optional()
    .describe(
      "File with the authorities that issue the certificates of Redis and of the Sentinels, PEM. Not set: those that Node trusts.",
    ),
  REDIS_WAIT_REPLICAS: integer(0, 5)
    .default(0)
    .describe(
      "How many replicas must have a change before it is acknowledged (WAIT). 1 narrows what a failover can lose, for one round trip to a replica on every change; while so many do not answer, changes are answered 503.",
    ),
  REDIS_PLAINTEXT_ACCEPTED: flag().describe(
    "`true` allows `redis://` to another machine in production, for a network that only the broker and its Redis share.",
  ),
};

export const redisRelations: readonly Relation<Values<typeof redisSettings & typeof environmentSettings>>[] =
  [
    {
      setting: "REDIS_URL",
      dependsOn: ["NODE_ENV"],
      holds: (c) => !isProduction(c) || new URL(c.REDIS_URL).password === "",
      message: "must hold no password in production: put it into a file and name that in REDIS_PASSWORD_FILE",
    },
    {
      setting: "REDIS_PASSWORD_FILE",
      dependsOn: ["NODE_ENV", "REDIS_URL", "REDIS_CLUSTER_NODES", "REDIS_SENTINELS"],
      holds: (c) => !isProduction(c) || !isRemoteRedis(c) || c.REDIS_PASSWORD_FILE !== undefined,
      message: "is required in production when Redis is on another machine",
    },
    {
      setting: "REDIS_URL",
      dependsOn: ["NODE_ENV", "REDIS_CLUSTER_NODES", "REDIS_SENTINELS", "REDIS_PLAINTEXT_ACCEPTED"],
      holds: (c) =>
        !isProduction(c) ||
        !isRemoteRedis(c) ||
        c.REDIS_URL.startsWith("rediss:") ||
        c.REDIS_PLAINTEXT_ACCEPTED,
      message:
        "must begin with rediss:// in production when Redis is on another machine; REDIS_PLAINTEXT_ACCEPTED=true says that only the broker and its Redis share the network",
    },
    {
      setting: "REDIS_SENTINELS",
      dependsOn: ["REDIS_CLUSTER_NODES"],
      holds: (c) => c.REDIS_SENTINELS.length === 0 || c.REDIS_CLUSTER_NODES.length === 0,
      message: "must not be set together with REDIS_CLUSTER_NODES: a cluster does without Sentinel",
    },
    {
      setting: "REDIS_SENTINEL_MASTER",
      dependsOn: ["REDIS_SENTINELS"],
      holds: (c) => (c.REDIS_SENTINELS.length === 0) === (c.REDIS_SENTINEL_MASTER === undefined),
      message: "and REDIS_SENTINELS are set together, or neither",
    },
    {
      setting: "REDIS_SENTINEL_TLS",
      dependsOn: ["NODE_ENV", "REDIS_SENTINELS", "REDIS_PLAINTEXT_ACCEPTED"],
      holds: (c) =>
        !isProduction(c) ||
        c.REDIS_SENTINEL_TLS ||
        c.REDIS_PLAINTEXT_ACCEPTED ||
        c.REDIS_SENTINELS.every(({ host }) => isLoopback(host)),
      message:
        "must be true in production when Sentinels are on another machine: who answers for them says where our Redis is; REDIS_PLAINTEXT_ACCEPTED=true says that only the broker and its Redis share the network",
    },
  ];

const isRemoteRedis = (c: {
  readonly REDIS_URL: string;
  readonly REDIS_CLUSTER_NODES: readonly { readonly host: string }[];
  readonly REDIS_SENTINELS: readonly { readonly host: string }[];
}): boolean =>
  !isLoopback(new URL(c.REDIS_URL).hostname) ||
  [...c.REDIS_CLUSTER_NODES, ...c.REDIS_SENTINELS].some(({ host }) => !isLoopback(host));
