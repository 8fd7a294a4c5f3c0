import { z } from "zod";
import { hostAndPort, isLoopback, redisUrl } from "./addresses.ts";
import { list, path } from "./kinds.ts";
import type { Relation, Values } from "./relations.ts";
import { type environmentSettings, isProduction } from "./settings-process.ts";

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
  REDIS_PLAINTEXT_ACCEPTED: z
    .enum(["true", "false"], "must be true or false")
    .default("false")
    .transform((text) => text === "true")
    .describe(
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
      dependsOn: ["NODE_ENV", "REDIS_URL", "REDIS_CLUSTER_NODES"],
      holds: (c) => !isProduction(c) || !isRemoteRedis(c) || c.REDIS_PASSWORD_FILE !== undefined,
      message: "is required in production when Redis is on another machine",
    },
    {
      setting: "REDIS_URL",
      dependsOn: ["NODE_ENV", "REDIS_CLUSTER_NODES", "REDIS_PLAINTEXT_ACCEPTED"],
      holds: (c) =>
        !isProduction(c) ||
        !isRemoteRedis(c) ||
        c.REDIS_URL.startsWith("rediss:") ||
        c.REDIS_PLAINTEXT_ACCEPTED,
      message:
        "must begin with rediss:// in production when Redis is on another machine; REDIS_PLAINTEXT_ACCEPTED=true says that only the broker and its Redis share the network",
    },
  ];

const isRemoteRedis = (c: {
  readonly REDIS_URL: string;
  readonly REDIS_CLUSTER_NODES: readonly { readonly host: string }[];
}): boolean =>
  !isLoopback(new URL(c.REDIS_URL).hostname) || c.REDIS_CLUSTER_NODES.some(({ host }) => !isLoopback(host));
