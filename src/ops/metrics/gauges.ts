import type { AgedCensus } from "../../broker/census/ports.ts";
import { type MetricSpec, QUEUE_NAMES } from "./catalogue.ts";
import type { QueueDepth } from "./queue-depths.ts";
import type { RedisState } from "./redis-state.ts";
import type { Sample } from "./series.ts";

/** What is looked at when somebody asks. */
export interface GaugeSpec<T> extends MetricSpec {
  readonly type: "gauge";
  readonly of: "cluster";
  readonly read: (seen: T) => readonly Sample[];
  /** Labels that hold ids of servers, bounded by METRICS_SERVERS_MAX. */
  readonly servers?: true;
}

const one = (value: number): readonly Sample[] => [{ labels: {}, value }];
const seconds = (ms: number): readonly Sample[] => one(ms / 1_000);
const each = (label: string, values: Readonly<Record<string, number>>): readonly Sample[] =>
  Object.entries(values).map(([name, value]) => ({ labels: { [label]: name }, value }));
/** One where it is so, nothing where it is not: what a state is called stands in a label. */
const state = (label: string, all: readonly string[], is: string): readonly Sample[] =>
  all.map((name) => ({ labels: { [label]: name }, value: name === is ? 1 : 0 }));

const gauge = <T>(
  name: string,
  help: string,
  read: (seen: T) => readonly Sample[],
  labels: MetricSpec["labels"] = {},
): GaugeSpec<T> => ({ name: `token_broker_${name}`, type: "gauge", of: "cluster", help, labels, read });

const GATES = ["passing", "upstream", "incident", "misconfigured", "throttled"];
const WITHIN = ["1d", "7d", "30d"];

export const CENSUS_GAUGES: readonly GaugeSpec<AgedCensus>[] = [
  gauge("census_age_seconds", "How old the numbers of the census are: all of this block.", ({ ageMs }) =>
    seconds(ageMs),
  ),
  gauge("organisations", "Organisations.", ({ census }) => one(census.organisations)),
  gauge("grants", "Authorizations by state.", ({ census }) => each("state", census.grants), {
    state: ["active", "suspect", "reauthorization_required", "paused", "revoked"],
  }),
  gauge(
    "grants_ending",
    "Forecast of renewals: authorizations whose refresh token ends within a day, a week, a month. Each counts in the longer ones too.",
    ({ census }) => each("within", census.ending),
    { within: WITHIN },
  ),
  gauge(
    "refreshes_due",
    "Grants whose next refresh is due now (its time has come), within the hour, within the day.",
    ({ census }) => each("within", census.due),
    { within: ["now", "1h", "1d"] },
  ),
  gauge(
    "refresh_overdue_seconds",
    "How long the refresh that waits longest has been due.",
    ({ census: { overdueMs } }) => seconds(overdueMs),
  ),
  gauge(
    "servers",
    "iManage servers by their gate: `passing`, or why nothing is sent.",
    ({ census }) => each("gate", census.gates),
    { gate: GATES },
  ),
  {
    ...gauge(
      "server_closed_seconds",
      "Servers to which nothing is sent, why, and for how long; the longest first, METRICS_SERVERS_MAX of them.",
      ({ census }: AgedCensus) =>
        census.closed.map(({ id, gate, closedMs }) => ({
          labels: { server: id, gate },
          value: closedMs / 1_000,
        })),
      { server: [], gate: GATES.slice(1) },
    ),
    servers: true,
  },
  gauge("syncs", "Syncs by state.", ({ census }) => each("state", census.syncs), {
    state: ["active", "paused", "parked"],
  }),
  gauge(
    "sync_lag_seconds",
    "Since the last complete pass of the active sync for which that is longest.",
    ({ census: { syncLagMs } }) => seconds(syncLagMs),
  ),
  gauge(
    "syncs_behind",
    "Active syncs without a complete pass for three of their intervals and a minute.",
    ({ census: { syncsBehind } }) => one(syncsBehind),
  ),
  gauge(
    "event_receivers",
    "Subscriptions by how their receiver does.",
    ({ census }) => each("state", census.receivers),
    { state: ["answering", "down", "off"] },
  ),
  gauge(
    "event_receiver_down_seconds",
    "How long the receiver that is down longest has taken nothing.",
    ({ census: { receiverDownMs } }) => seconds(receiverDownMs),
  ),
  gauge("events_waiting", "Events on their way to receivers.", ({ census: { eventsWaiting } }) =>
    one(eventsWaiting),
  ),
  gauge(
    "events_unread",
    "Events of the log that the slowest subscription with an answering receiver has not looked at, in the organisation where they are most.",
    ({ census: { eventsUnread } }) => one(eventsUnread),
  ),
  gauge("events_oldest_seconds", "Age of the oldest of those.", ({ census: { eventsOldestMs } }) =>
    seconds(eventsOldestMs),
  ),
  gauge("dead_letters", "Events that no receiver took in time.", ({ census: { deadLetters } }) =>
    one(deadLetters),
  ),
  gauge(
    "audit_backlog",
    "Audit entries not yet kept elsewhere, in the organisation where they are most.",
    ({ census: { auditBacklog } }) => one(auditBacklog),
  ),
  gauge("audit_oldest_seconds", "Age of the oldest of those.", ({ census: { auditOldestMs } }) =>
    seconds(auditOldestMs),
  ),
  gauge("revocations_waiting", "Tokens that wait to be revoked at iManage.", ({ census: { revocations } }) =>
    one(revocations),
  ),
  gauge(
    "revocation_oldest_seconds",
    "How long the one that waits longest does.",
    ({ census: { revocationOldestMs } }) => seconds(revocationOldestMs),
  ),
];

const JOB_STATES = ["waiting", "active", "delayed", "failed"];

export const QUEUE_GAUGES: readonly GaugeSpec<readonly QueueDepth[]>[] = [
  gauge(
    "queue_jobs",
    "Jobs of each queue; `delayed` are scheduled ones, `failed` the newest that stay to be looked at.",
    (queues) =>
      queues.flatMap(({ queue, jobs }) => each("state", jobs).map((it) => withLabel(it, "queue", queue))),
    { queue: QUEUE_NAMES.filter((name) => name !== "other"), state: JOB_STATES },
  ),
  gauge(
    "queue_oldest_seconds",
    "How long the job that is next has been waiting for a worker.",
    (queues) => queues.map(({ queue, oldestMs }) => ({ labels: { queue }, value: oldestMs / 1_000 })),
    { queue: QUEUE_NAMES.filter((name) => name !== "other") },
  ),
];

const withLabel = ({ labels, value }: Sample, name: string, is: string): Sample => ({
  labels: { [name]: is, ...labels },
  value,
});

const CLASSES = ["D0", "D1", "D2", "D3", "unknown"];

export const REDIS_GAUGES: readonly GaugeSpec<RedisState>[] = [
  gauge(
    "redis_durability",
    "1 at the durability class of this Redis (README): what it forgets when.",
    ({ durability }) => state("class", CLASSES, durability),
    { class: CLASSES },
  ),
  gauge("redis_writable", "1 while Redis is a master; 0 while it is a replica.", ({ master }) =>
    one(master ? 1 : 0),
  ),
  gauge(
    "redis_last_write_ok",
    "0 after Redis could not write its append-only file or snapshot (F31). Nothing where it does not say.",
    ({ lastWriteOk }) => (lastWriteOk === undefined ? [] : one(lastWriteOk ? 1 : 0)),
  ),
  gauge(
    "redis_memory_bytes",
    "Memory of the master that is fullest: used, and its maxmemory (0: none).",
    ({ memory }) => each("kind", memory),
    { kind: ["used", "max"] },
  ),
  gauge("redis_replicas", "Replicas that are in step.", ({ replicas }) =>
    replicas === undefined ? [] : one(replicas),
  ),
  gauge("redis_replication_lag_bytes", "What the replica lacks that lacks most.", ({ replicationLagBytes }) =>
    one(replicationLagBytes),
  ),
  gauge(
    "redis_clock_skew_seconds",
    "How far Redis' clock is ahead of this process' machine.",
    ({ clockSkewMs }) => (clockSkewMs === undefined ? [] : seconds(clockSkewMs)),
  ),
];

/** Told even when nothing else can be. */
export const UP: MetricSpec = {
  name: "token_broker_redis_up",
  type: "gauge",
  help: "1 while Redis answers this process.",
  of: "process",
};

export const LIMITS: MetricSpec = {
  name: "token_broker_audit_backlog_limit",
  type: "gauge",
  help: "AUDIT_BUFFER_MAX_ENTRIES: where a backlog reaches it, tokens are refused.",
  of: "cluster",
};
