import { openOwnToken } from "../broker/access/own-token.ts";
import { AccessTokens } from "../broker/access/provide-access-token.ts";
import { exportAudit } from "../broker/audit/export-audit.ts";
import type { AuthorizationPorts } from "../broker/authorization/connect-ports.ts";
import type { ClientPorts } from "../broker/clients/authenticate-client.ts";
import type { DiagnosisPorts } from "../broker/diagnosis/diagnose-server.ts";
import { type LookAgainPorts, lookAgain } from "../broker/diagnosis/look-again.ts";
import type { GrantPorts } from "../broker/grants/manage-grants.ts";
import { Revoker } from "../broker/grants/revoke-pending.ts";
import { checkStandings } from "../broker/libraries/check-standings.ts";
import type { LibraryPagePorts } from "../broker/libraries/library-pages.ts";
import type { ChangePorts } from "../broker/organisations/change-organisation.ts";
import { tellExpiringSecrets } from "../broker/organisations/tell-expiring-secrets.ts";
import type { PortalPorts } from "../broker/portal/ports.ts";
import type { Clock, Timers } from "../broker/ports.ts";
import { PreviousTokenCheck } from "../broker/profile/previous-token-check.ts";
import { nextDueGrant } from "../broker/refresh/next-due-grant.ts";
import type { FailPoints } from "../broker/refresh/ports.ts";
import { GrantRefresher } from "../broker/refresh/refresh-grant.ts";
import { sweepDueGrants } from "../broker/refresh/sweep-due-grants.ts";
import { tellClosedServers } from "../broker/refresh/tell-closed-servers.ts";
import type { Settings } from "../config/settings.ts";
import { minutes } from "../domain/instant.ts";
import { ImanageApi } from "../imanage/imanage-api.ts";
import { ImanageAuthorizationServer } from "../imanage/imanage-authorization-server.ts";
import { ImanageProbes } from "../imanage/imanage-probes.ts";
import { Outbound } from "../imanage/outbound.ts";
import { systemClock, systemTimers } from "../ops/clock.ts";
import { makeFileAuditSink } from "../ops/file-audit-sink.ts";
import type { OperatorLog } from "../ops/log.ts";
import { makePackageTemplates } from "../ops/package-templates.ts";
import { makeBrokerTokens } from "../security/broker-tokens.ts";
import { readCertificates } from "../security/certificates.ts";
import { makeClientSecrets } from "../security/client-secrets.ts";
import { makeCursors } from "../security/cursors.ts";
import { makeHandles } from "../security/handles.ts";
import { systemRandom } from "../security/random.ts";
import type { RootKeyset } from "../security/root-keyset.ts";
import { makeSealer } from "../security/sealer.ts";
import { ChangeListener } from "../store/change-listener.ts";
import { connectRedis, disconnect, type RedisConnection, whenReady } from "../store/connect-redis.ts";
import { OutcomeListener } from "../store/outcome-listener.ts";
import { RedisAccessStore } from "../store/redis-access-store.ts";
import { RedisAuditBuffer } from "../store/redis-audit-buffer.ts";
import { RedisAuthorizationStore } from "../store/redis-authorization-store.ts";
import { RedisConfigurationStore } from "../store/redis-configuration-store.ts";
import { RedisContainmentStore } from "../store/redis-containment-store.ts";
import { RedisDataKeyStore } from "../store/redis-data-key-store.ts";
import { RedisDiagnosisStore } from "../store/redis-diagnosis-store.ts";
import { RedisGrantStore } from "../store/redis-grant-store.ts";
import { RedisIdempotencyStore } from "../store/redis-idempotency-store.ts";
import { RedisJobStarts } from "../store/redis-job-starts.ts";
import { RedisLibraryStore } from "../store/redis-library-store.ts";
import { RedisOperatorStore } from "../store/redis-operator-store.ts";
import { RedisPortalStore } from "../store/redis-portal-store.ts";
import { RedisProfileStore } from "../store/redis-profile-store.ts";
import { RedisRefreshStore } from "../store/redis-refresh-store.ts";
import { RedisStore } from "../store/redis-store.ts";
import { RedisSyncStore } from "../store/redis-sync-store.ts";
import { ChangeReader } from "../sync/read-changes.ts";
import { SyncRuns } from "../sync/run-sync.ts";
import { SyncSweep } from "../sync/sweep-syncs.ts";
import { Syncs } from "../sync/syncs.ts";
import type { WorkerStories } from "../workers/start-workers.ts";
import { operatorSettings } from "./operator-provider.ts";
import { productLogo } from "./product-logo.ts";
import { egressProxy, redisAddress } from "./read-addresses.ts";

export interface Surroundings {
  readonly settings: Settings;
  readonly rootKeyset: RootKeyset;
  readonly log: OperatorLog;
  readonly clock?: Clock;
  readonly timers?: Timers;
  /** Shifts the time that Redis scripts see: 0 outside tests. */
  readonly storeOffsetMs?: () => number;
  /** How long refreshes wait for other processes' offers after Redis lost its memory: fixed outside tests. */
  readonly storeSettlesMs?: number;
  /** Where tests hold, stop or kill a refresh. */
  readonly failPoints?: FailPoints | undefined;
}

/** An answer of Redis that somebody waits for comes by then, or he is told that the store is away (F28). */
const FAST_MS = 900;

/** Everything that can be told, introduced to everything that can be done. The only place that knows everyone. */
export type Broker = Awaited<ReturnType<typeof compose>>;

export async function compose({ settings, rootKeyset, log, ...given }: Surroundings) {
  const clock = given.clock ?? systemClock();
  const timers = given.timers ?? systemTimers();
  const random = systemRandom;

  const address = await redisAddress(settings);
  const connections: RedisConnection[] = [];
  const connect = (patience: "fast" | "durable", what: string): RedisConnection => {
    const connection = connectRedis(address, patience, (code) =>
      log.warn({ code, detail: what }, "redis connection"),
    );
    connections.push(connection);
    return connection;
  };
  const fast = new RedisStore(connect("fast", "fast"), given.storeOffsetMs, FAST_MS);
  const durable = new RedisStore(connect("durable", "durable"), given.storeOffsetMs);
  const announcements = connect("durable", "announcements");
  const outcomes = new OutcomeListener(announcements);
  const changed = new ChangeListener(announcements);

  const configuration = new RedisConfigurationStore(fast);
  const grantStore = new RedisGrantStore(fast);
  const authorizations = new RedisAuthorizationStore(fast);
  const refreshes = new RedisRefreshStore(
    { fast, durable, outcomes },
    {
      ...(given.storeSettlesMs !== undefined && { settleMs: given.storeSettlesMs }),
      onOffered: (offered, restored) => {
        const fields = { count: restored, detail: `${offered} offered` };
        if (restored > 0) log.error({ ...fields, code: "commits_were_lost" }, "commits restored");
        else if (offered > 0) log.info(fields, "commits offered");
      },
    },
  );
  const auditBuffer = new RedisAuditBuffer(fast);

  const dataKeys = new RedisDataKeyStore(fast);
  const sealer = makeSealer({ dataKeys, rootKeyset, random, clock });
  const handles = makeHandles(random);
  const clientSecrets = makeClientSecrets({ rootKeyset, random });
  const brokerTokens = makeBrokerTokens({ rootKeyset, random, now: () => clock.now() });

  const outbound = new Outbound({
    loopbackOrigins: settings.EGRESS_LOOPBACK_ORIGINS,
    privateRanges: settings.EGRESS_PRIVATE_CIDRS,
    proxy: await egressProxy(settings),
  });
  const authorizationServer = new ImanageAuthorizationServer(outbound, { now: () => clock.now() });
  const api = new ImanageApi(outbound, { now: () => clock.now() });

  const profiles = new RedisProfileStore(fast);
  const previousTokens = new PreviousTokenCheck({
    clock,
    log,
    sealer,
    profiles,
    tokens: grantStore,
    identities: api,
  });
  const refresher = new GrantRefresher({
    clock,
    timers,
    random,
    log,
    sealer,
    refreshes,
    grants: grantStore,
    servers: configuration,
    authorizationServer,
    previousTokens,
    ...(given.failPoints && { failPoints: given.failPoints }),
  });
  const accessTokens = new AccessTokens({
    clock,
    timers,
    sealer,
    access: new RedisAccessStore(fast, settings.AUDIT_BUFFER_MAX_ENTRIES),
    clients: configuration,
    servers: configuration,
    refreshes,
    refresher,
  });
  const revoker = new Revoker({
    clock,
    log,
    sealer,
    outbox: grantStore,
    grants: grantStore,
    servers: configuration,
    organisations: configuration,
    authorizationServer,
  });
  const diagnosisStore = new RedisDiagnosisStore(fast);
  const authorization: AuthorizationPorts = {
    clock,
    timers,
    random,
    log,
    sealer,
    handles,
    authorizations,
    consents: grantStore,
    grants: grantStore,
    servers: configuration,
    organisations: configuration,
    clients: configuration,
    authorizationServer,
    identities: api,
    libraries: api,
    profiles,
    signIns: diagnosisStore,
    publicBaseUrl: settings.PUBLIC_BASE_URL,
  };
  const ownTokenPorts = {
    clock,
    sealer,
    grants: grantStore,
    servers: configuration,
    tokens: grantStore,
    refreshes,
    refresher,
  };
  const syncStore = new RedisSyncStore(fast);
  const libraryStore = new RedisLibraryStore(fast);
  const libraryPages: LibraryPagePorts = {
    ...authorization,
    lent: libraryStore,
    standings: libraryStore,
    memory: libraryStore,
    gates: profiles,
    diagnoses: diagnosisStore,
    syncs: syncStore,
    ownTokens: { open: (grant) => openOwnToken(ownTokenPorts, grant) },
  };
  const clients: ClientPorts = { clock, clients: configuration, clientSecrets, brokerTokens };
  const grants: GrantPorts = { grants: grantStore, clients: configuration, revoker };

  const diagnosis: DiagnosisPorts = {
    clock,
    random,
    log,
    sealer,
    servers: configuration,
    grants: grantStore,
    tokens: grantStore,
    profiles,
    gates: profiles,
    probes: new ImanageProbes(outbound, { now: () => clock.now() }),
    diagnoses: diagnosisStore,
    signIns: diagnosisStore,
    publicBaseUrl: settings.PUBLIC_BASE_URL,
    outgoingAddresses: settings.OUTGOING_ADDRESSES,
  };

  const syncPorts = {
    clock,
    random,
    log,
    sealer,
    syncs: syncStore,
    schedule: syncStore,
    announcements: changed,
    documents: api,
    servers: configuration,
    clients: configuration,
    accessToken: accessTokens.provide.bind(accessTokens),
  };
  // Shorter than a firm's iManage should be asked: for the simulator alone.
  const minIntervalMs = settings.NODE_ENV === "production" ? {} : { minIntervalMs: 1_000 };
  const syncs = new Syncs(syncPorts, minIntervalMs);
  const syncRuns = new SyncRuns(
    syncPorts,
    settings.NODE_ENV === "production" ? {} : { parkedRetryMs: 2_000 },
  );
  const syncSweep = new SyncSweep(syncPorts);

  const auditSink = makeFileAuditSink(settings.AUDIT_FILE);
  const auditPorts = { buffer: auditBuffer, sink: auditSink, organisations: configuration };
  const workerStories: WorkerStories = {
    sweepRefreshes: () => sweepDueGrants(grantStore),
    refreshGrant: async (id) => (await refresher.refresh(id, { why: "due" })).kind === "refreshed",
    nextDueGrant: (after, not) => nextDueGrant({ schedule: grantStore, random, timers }, after, not),
    sweepSyncs: () => syncSweep.sweep(),
    runSync: (id, signal, progressed) => syncRuns.run(id, signal, progressed),
    exportAudit: () => exportAudit(auditPorts),
    revokePending: () => revoker.revokeAll(),
    lookAgain: () => lookAgain(lookAgainPorts),
    checkStandings: () => checkStandings({ ...libraryPages, organisations: configuration }),
    async reapUnbound() {
      for (const { id } of await configuration.listOrganisations()) {
        await grantStore.reapUnbound(id, 100);
        await grantStore.warnOfExpiry(id, 500);
        const now = await fast.now();
        await tellClosedServers({ log, gates: profiles, servers: configuration }, id, now, minutes(1));
        await tellExpiringSecrets({ log, store: configuration }, id, now, minutes(1));
      }
    },
  };

  const lookAgainPorts: LookAgainPorts = { ...diagnosis, organisations: configuration };
  const operators = {
    clock,
    random,
    handles,
    log,
    sessions: new RedisOperatorStore(fast),
    ...(await operatorSettings(settings)),
  };
  const changePorts: ChangePorts = {
    readCertificates: (pem) => readCertificates(pem, clock.now()),
    store: configuration,
    sealer,
    clientSecrets,
    clock,
    random,
    addressRules: {
      loopbackOrigins: settings.EGRESS_LOOPBACK_ORIGINS,
      loopbackReturnUrls: settings.NODE_ENV !== "production",
    },
  };
  const packages = makePackageTemplates(settings.PACKAGE_TEMPLATE_DIR);
  const portal: PortalPorts = {
    ...authorization,
    portal: new RedisPortalStore(fast),
    grants: grantStore,
    organisations: configuration,
    revoker,
    configuration: changePorts,
    packages,
    diagnoses: diagnosisStore,
    gates: profiles,
  };

  return {
    settings,
    logo: await productLogo(settings),
    log,
    clock,
    random,
    sealer,
    dataKeys,
    configuration,
    grantStore,
    auditBuffer,
    profiles,
    packages,
    previousTokens,
    containment: new RedisContainmentStore(fast),
    clientSecrets,
    cursors: makeCursors(rootKeyset),
    refresher,
    accessTokens,
    revoker,
    authorization,
    libraryPages,
    libraryStore,
    portal,
    clients,
    grants,
    diagnosis,
    api,
    idempotency: new RedisIdempotencyStore(fast),
    syncs,
    changePorts,
    operators,
    changes: new ChangeReader(syncPorts, syncs),
    workerStories,
    // However long Redis is away: an orderly end that is not noted would count as a crash.
    jobStarts: new RedisJobStarts(durable),
    timers,
    stores: { fast, durable },
    redisAddress: address,

    /** Resolves once Redis answers and the outcomes of refreshes in other processes are heard. */
    async ready(): Promise<void> {
      await Promise.all(connections.map(whenReady));
      await Promise.all([outcomes.listen(), changed.listen()]);
    },
    /** The hints across organisations, written anew from what each organisation's own schedule says. */
    async reconcile(): Promise<void> {
      for (const { id } of await configuration.listOrganisations()) await grantStore.restateHint(id);
    },

    /** Lets refreshes that are under way be stored (they may have rotated a token), then lets go of everything. */
    async close(): Promise<void> {
      await refresher.settled();
      await previousTokens.settled();
      await revoker.settled();
      await outbound.close();
      await auditSink.close();
      for (const connection of connections) disconnect(connection);
    },
  };
}
