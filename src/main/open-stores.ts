import type { Meters } from "../broker/meter-ports.ts";
import type { RecordMac } from "../broker/ports.ts";
import type { Tracer } from "../broker/tracer.ts";
import type { Settings } from "../config/settings.ts";
import type { OperatorLog } from "../ops/log.ts";
import { ChangeListener, ClientListener, EventListener, SyncsDueListener } from "../store/change-listener.ts";
import { connectRedis, disconnect, type RedisConnection, whenReady } from "../store/connect-redis.ts";
import { OutcomeListener } from "../store/outcome-listener.ts";
import { RedisAccessStore } from "../store/redis-access-store.ts";
import { RedisAuditBuffer } from "../store/redis-audit-buffer.ts";
import { RedisAuthorizationStore } from "../store/redis-authorization-store.ts";
import { RedisCallBudget } from "../store/redis-call-budget.ts";
import { RedisCensusStore } from "../store/redis-census-store.ts";
import { RedisConfigurationStore } from "../store/redis-configuration-store.ts";
import { RedisContainmentStore } from "../store/redis-containment-store.ts";
import { RedisDataKeyStore } from "../store/redis-data-key-store.ts";
import { RedisDeliveryStore } from "../store/redis-delivery-store.ts";
import { RedisDiagnosisStore } from "../store/redis-diagnosis-store.ts";
import { RedisEventLog } from "../store/redis-event-log.ts";
import { RedisExportStore } from "../store/redis-export-store.ts";
import { RedisGrantStore } from "../store/redis-grant-store.ts";
import { RedisIdempotencyStore } from "../store/redis-idempotency-store.ts";
import { RedisImportStore } from "../store/redis-import-store.ts";
import { RedisJobStarts } from "../store/redis-job-starts.ts";
import { RedisLibraryStore } from "../store/redis-library-store.ts";
import { RedisOperatorStore } from "../store/redis-operator-store.ts";
import { RedisPortalStore } from "../store/redis-portal-store.ts";
import { RedisProfileStore } from "../store/redis-profile-store.ts";
import { RedisProofStore } from "../store/redis-proof-store.ts";
import { RedisRecordSeals } from "../store/redis-record-seals.ts";
import { RedisRefreshStore } from "../store/redis-refresh-store.ts";
import { RedisRestoreStore } from "../store/redis-restore-store.ts";
import { RedisSealedStore } from "../store/redis-sealed-store.ts";
import { RedisShredStore } from "../store/redis-shred-store.ts";
import { RedisSnapshot } from "../store/redis-snapshot.ts";
import { RedisSnapshotSlots } from "../store/redis-snapshot-slots.ts";
import { RedisStore } from "../store/redis-store.ts";
import { RedisSubscriptionStore } from "../store/redis-subscription-store.ts";
import { RedisSyncSpace } from "../store/redis-sync-space.ts";
import { RedisSyncStore } from "../store/redis-sync-store.ts";
import { SealedRecords } from "../store/sealed-records.ts";
import { auditLimits } from "./audit-sink.ts";
import { redisAddress } from "./read-addresses.ts";

/** An answer of Redis that somebody waits for comes by then, or he is told that the store is away (F28). */
const FAST_MS = 900;

export interface StoreSurroundings {
  /** Shifts the time that Redis scripts see: 0 outside tests. */
  readonly storeOffsetMs?: () => number;
  /** How long refreshes wait for other processes' offers after Redis lost its memory: fixed outside tests. */
  readonly storeSettlesMs?: number;
  /** How old what is known of the store is before it is held against it: fixed outside tests. */
  readonly storeMarkMs?: number;
  /** Undefined: nobody asked for traces. */
  readonly tracer?: Tracer | undefined;
}

export type Stores = Awaited<ReturnType<typeof openStores>>;

/** Everything that Redis keeps for us, on three connections. */
export async function openStores(
  settings: Settings,
  log: OperatorLog,
  mac: RecordMac,
  given: StoreSurroundings,
  meters: Meters,
) {
  const address = await redisAddress(settings);
  const connections: RedisConnection[] = [];
  const connect = (patience: "fast" | "durable", what: string): RedisConnection => {
    const connection = connectRedis(address, patience, (code) =>
      log.warn({ code, detail: what }, "redis connection"),
    );
    connections.push(connection);
    return connection;
  };
  const replicas = settings.REDIS_WAIT_REPLICAS;
  const { tracer } = given;
  const fast = new RedisStore(
    connect("fast", "fast"),
    given.storeOffsetMs,
    FAST_MS,
    meters,
    tracer,
  ).waitForReplicas(replicas);
  const durable = new RedisStore(
    connect("durable", "durable"),
    given.storeOffsetMs,
    undefined,
    meters,
    tracer,
  ).waitForReplicas(replicas);
  const announcements = connect("durable", "announcements");
  const sealed = new SealedRecords(mac, (place, why) =>
    log.error(
      { code: "integrity_failure", detail: `${place} is ${why}` },
      "alert: a stored record is refused",
    ),
  );
  const outcomes = new OutcomeListener(announcements);
  const changed = new ChangeListener(announcements);
  const happened = new EventListener(announcements);
  const syncsDue = new SyncsDueListener(announcements);
  const clientChanged = new ClientListener(announcements);
  let noticeAnother = async (): Promise<void> => {};
  const refreshes = new RedisRefreshStore(
    { fast, durable, outcomes },
    {
      onAnother: () => noticeAnother(),
      ...(given.storeSettlesMs !== undefined && { settleMs: given.storeSettlesMs }),
      onOffered: (offered, restored) => {
        const fields = { count: restored, detail: `${offered} offered` };
        if (restored > 0) log.error({ ...fields, code: "commits_were_lost" }, "commits restored");
        else if (offered > 0) log.info(fields, "commits offered");
      },
    },
  );
  return {
    address,
    fast,
    durable,
    changed,
    happened,
    syncsDue,
    clientChanged,
    refreshes,
    access: new RedisAccessStore(fast, settings.AUDIT_BUFFER_MAX_ENTRIES, sealed),
    auditBuffer: new RedisAuditBuffer(fast),
    calls: new RedisCallBudget(fast),
    census: new RedisCensusStore(fast),
    authorizations: new RedisAuthorizationStore(fast),
    configuration: new RedisConfigurationStore(fast, sealed, clientChanged.wroteHere),
    containment: new RedisContainmentStore(fast, clientChanged.wroteHere),
    dataKeys: new RedisDataKeyStore(fast),
    diagnoses: new RedisDiagnosisStore(fast),
    events: new RedisEventLog(fast),
    subscriptions: new RedisSubscriptionStore(fast, sealed),
    deliveries: new RedisDeliveryStore(fast),
    grants: new RedisGrantStore(fast),
    exports: new RedisExportStore(fast),
    imports: new RedisImportStore(fast),
    idempotency: new RedisIdempotencyStore(fast),
    // However long Redis is away: an orderly end that is not noted would count as a crash.
    jobStarts: new RedisJobStarts(durable),
    libraries: new RedisLibraryStore(fast),
    operators: new RedisOperatorStore(fast),
    portal: new RedisPortalStore(fast),
    profiles: new RedisProfileStore(fast),
    recordSeals: new RedisRecordSeals(fast, mac),
    shreds: new RedisShredStore(fast, auditLimits(settings).keptMs),
    restores: new RedisRestoreStore(fast),
    snapshot: new RedisSnapshot(durable),
    // Looks through everything: it may take its time.
    sealed: new RedisSealedStore(durable),
    proofs: new RedisProofStore(fast),
    syncs: new RedisSyncStore(fast),
    space: new RedisSyncSpace(fast),
    snapshotSlots: new RedisSnapshotSlots(fast),

    /** Calls `notice` when Redis is another than it was, before any refresh begins there. */
    onAnother(notice: () => Promise<void>): void {
      noticeAnother = notice;
    },

    /** Resolves once Redis answers and the outcomes of refreshes in other processes are heard. */
    async ready(): Promise<void> {
      await Promise.all(connections.map(whenReady));
      await Promise.all(
        [outcomes, changed, happened, syncsDue, clientChanged].map((listener) => listener.listen()),
      );
    },
    close(): void {
      for (const connection of connections) disconnect(connection);
    },
  };
}
