import { HELD_BACK, REFRESH_ENDS, TOKEN_RESULTS } from "../../domain/outcomes.ts";

/** One metric of ours. */
export interface MetricSpec {
  readonly name: string;
  readonly type: "counter" | "histogram" | "gauge";
  readonly help: string;
  /** Label → every value it can have. */
  readonly labels?: Readonly<Record<string, readonly string[]>>;
  /** Labels that follow from the others. */
  readonly derived?: (labels: Readonly<Record<string, string>>) => Record<string, string>;
  /** Names of the derived labels. */
  readonly derivedNames?: readonly string[];
  readonly buckets?: readonly number[];
  /**
   * `process`: what this process saw; add them up. `cluster`: what Redis holds; each process tells the same, so take
   * the greatest.
   */
  readonly of: "process" | "cluster";
}

/** Seconds. A token out of the store takes one millisecond, one that iManage is asked for a quarter of a second, and ten is the end. */
const ANSWER_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** The same for what may take a minute. */
const CALL_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const STORE_SECONDS = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];
const JOB_SECONDS = [0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300];

/** Scripts that somebody waits for have their own line; the others stand together. */
export const STORE_OPERATIONS = [
  "vend",
  "refresh-begin",
  "refresh-mark-sent",
  "refresh-renew",
  "refresh-commit",
  "refresh-fail",
  "call-ask",
  "call-tell",
  "sync-commit",
  "command",
  "other",
] as const;

export const QUEUE_NAMES = [
  "refresh-sweep",
  "refresh-grant",
  "sync-sweep",
  "sync",
  "audit-export",
  "revocation",
  "reap",
  "look-again",
  "library-standing",
  "key-rotation",
  "delivery-sweep",
  "deliver-events",
  "other",
] as const;

const CALLED = ["token", "api", "revocation", "probe", "keys"];
const CALL_ENDS = ["ok", "refused", "throttled", "failed", "unanswered", "not_sent"];
const keysOf = (of: object): readonly string[] => Object.keys(of);

/** What a process counts of its own work. */
export const COUNTED = {
  tokenRequests: {
    name: "token_broker_token_requests_total",
    type: "counter",
    help: "Requests for an iManage access token, by how they were answered, whose doing it is where there was none (`fault`), and for whom: a client, or a sync of our own.",
    labels: { result: keysOf(TOKEN_RESULTS), by: ["client", "sync"] },
    derived: ({ result }) => ({ fault: TOKEN_RESULTS[result as keyof typeof TOKEN_RESULTS] }),
    derivedNames: ["fault"],
    of: "process",
  },
  tokenSeconds: {
    name: "token_broker_token_request_seconds",
    type: "histogram",
    help: "How long a request for an access token took, without what lies before the story (reading and proving the request).",
    labels: { result: ["served", "served_after_refresh", "served_with_warning", "other"] },
    buckets: ANSWER_SECONDS,
    of: "process",
  },
  refreshes: {
    name: "token_broker_refreshes_total",
    type: "counter",
    help: "Refreshes that were begun, by how they ended, whose doing that is, and why they were wanted.",
    labels: { outcome: keysOf(REFRESH_ENDS), why: ["expired", "rejected", "due"] },
    derived: ({ outcome }) => ({ fault: REFRESH_ENDS[outcome as keyof typeof REFRESH_ENDS] }),
    derivedNames: ["fault"],
    of: "process",
  },
  refreshSeconds: {
    name: "token_broker_refresh_seconds",
    type: "histogram",
    help: "From the beginning of a refresh to its result being stored.",
    labels: { fault: ["none", "owner", "operator", "imanage", "broker"] },
    buckets: CALL_SECONDS,
    of: "process",
  },
  refreshesHeldBack: {
    name: "token_broker_refreshes_held_back_total",
    type: "counter",
    help: "Refreshes that were wanted and not begun: another process has the lease (`held`), a failure cools down (`cooling`), or the server's gate does not let them through.",
    labels: { why: HELD_BACK },
    of: "process",
  },
  callSeconds: {
    name: "token_broker_call_seconds",
    type: "histogram",
    help: "Requests to iManage (`token`, `api`, `revocation`, `probe`) and for the keys that others publish (`keys`), from the call to the last byte.",
    labels: { to: CALLED, outcome: CALL_ENDS },
    buckets: CALL_SECONDS,
    of: "process",
  },
  storeSeconds: {
    name: "token_broker_redis_call_seconds",
    type: "histogram",
    help: "Answers of Redis that somebody waited for, by script; single commands together.",
    labels: { operation: STORE_OPERATIONS },
    buckets: STORE_SECONDS,
    of: "process",
  },
  storeFailures: {
    name: "token_broker_redis_call_failures_total",
    type: "counter",
    help: "Calls of Redis without an answer, or with an error.",
    labels: { operation: STORE_OPERATIONS },
    of: "process",
  },
  deliverySeconds: {
    name: "token_broker_event_delivery_seconds",
    type: "histogram",
    help: "Attempts to tell a receiver an event: `taken`, `refused` (this event), `failed` (the receiver), `gone` (it answers 410), `dead` (it was the last attempt).",
    labels: { outcome: ["taken", "refused", "failed", "gone", "dead"] },
    buckets: CALL_SECONDS,
    of: "process",
  },
  jobSeconds: {
    name: "token_broker_job_seconds",
    type: "histogram",
    help: "Jobs of each queue, from their start to their end.",
    labels: { queue: QUEUE_NAMES, outcome: ["completed", "failed"] },
    buckets: JOB_SECONDS,
    of: "process",
  },
  auditExported: {
    name: "token_broker_audit_entries_exported_total",
    type: "counter",
    help: "Audit entries that are chained, signed and kept elsewhere.",
    of: "process",
  },
  auditExportFailures: {
    name: "token_broker_audit_export_failures_total",
    type: "counter",
    help: "Batches of audit entries that could not be kept elsewhere. They stay in Redis and are tried again.",
    of: "process",
  },
  httpSeconds: {
    name: "token_broker_http_request_seconds",
    type: "histogram",
    help: "Requests that we answered, whole: `token` (both ways to ask for one), `api` (the rest of /v1), `pages`, and `unmatched`. `aborted`: the caller went away.",
    labels: {
      surface: ["token", "api", "pages", "unmatched"],
      status: ["2xx", "3xx", "4xx", "5xx", "aborted"],
    },
    buckets: ANSWER_SECONDS,
    of: "process",
  },
} as const satisfies Record<string, MetricSpec>;
