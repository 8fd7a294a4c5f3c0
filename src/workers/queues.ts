import type { QueueOptions } from "bullmq";
import type { Cluster, Redis } from "ioredis";

export type QueueConnection = Redis | Cluster;

/** Every queue of the product. Jobs hold ids, never tokens; a lost queue loses nothing (design §3.9). */
export const QUEUES = {
  refreshSweep: "refresh-sweep",
  refreshGrant: "refresh-grant",
  syncSweep: "sync-sweep",
  sync: "sync",
  auditExport: "audit-export",
  revocation: "revocation",
  reap: "reap",
} as const;

export type QueueName = (typeof QUEUES)[keyof typeof QUEUES];

/** In front of all keys of a queue: a hash tag of its own, so that a cluster spreads queues over its nodes. */
export const queuePrefix = (name: QueueName): string => `b1:{q:${name}}`;

/** With these anyone opens a queue: workers, and the operators' dashboard. */
export const queueOptions = (name: QueueName, connection: QueueConnection): QueueOptions => ({
  connection,
  prefix: queuePrefix(name),
});
