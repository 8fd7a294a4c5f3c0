import type { ExplainPorts } from "../broker/access/explain-access.ts";
import { openOwnToken } from "../broker/access/own-token.ts";
import type { AuthorizationPorts } from "../broker/authorization/connect-ports.ts";
import { CensusTaker } from "../broker/census/take-census.ts";
import { ContainmentWork } from "../broker/containment/carry-out.ts";
import type { ContainmentPorts } from "../broker/containment/contain.ts";
import type { DiagnosisPorts } from "../broker/diagnosis/diagnose-server.ts";
import type { LookAgainPorts } from "../broker/diagnosis/look-again.ts";
import type { ExportPorts } from "../broker/export/export-tokens.ts";
import type { GrantPorts } from "../broker/grants/manage-grants.ts";
import type { ImportPorts } from "../broker/import/run-import.ts";
import type { LibraryPagePorts } from "../broker/libraries/library-pages.ts";
import type { ChangePorts } from "../broker/organisations/change-organisation.ts";
import type { PortalPorts } from "../broker/portal/ports.ts";
import type { Clock, Timers } from "../broker/ports.ts";
import type { FailPoints } from "../broker/refresh/ports.ts";
import type { SubjectPorts } from "../broker/subjects/ports.ts";
import type { Settings } from "../config/settings.ts";
import { systemClock, systemTimers } from "../ops/clock.ts";
import type { OperatorLog } from "../ops/log.ts";
import { makeMetrics } from "../ops/metrics/metrics.ts";
import { makePackageTemplates } from "../ops/package-templates.ts";
import { auditChain } from "../security/audit-chain.ts";
import { makeBrokerTokens } from "../security/broker-tokens.ts";
import { readCertificates } from "../security/certificates.ts";
import { makeClientSecrets } from "../security/client-secrets.ts";
import { makeCursors } from "../security/cursors.ts";
import { makeHandles } from "../security/handles.ts";
import { offlineKeys } from "../security/offline-key.ts";
import { systemRandom } from "../security/random.ts";
import { makeRecordMac } from "../security/record-mac.ts";
import type { RootKeyset } from "../security/root-keyset.ts";
import { makeSealer } from "../security/sealer.ts";
import { makeSigner } from "../security/signer.ts";
import { makeTokenEncrypter } from "../security/token-encrypter.ts";
import { auditLimits, openAuditSink } from "./audit-sink.ts";
import { handOutTokens } from "./hand-out-tokens.ts";
import { keepDeliveries } from "./keep-deliveries.ts";
import { keepEvents } from "./keep-events.ts";
import { keepKeys } from "./keep-keys.ts";
import { keepStore } from "./keep-store.ts";
import { keepSyncs } from "./keep-syncs.ts";
import { knowCallers } from "./know-callers.ts";
import { openStores, type StoreSurroundings } from "./open-stores.ts";
import { operatorSettings } from "./operator-provider.ts";
import { productLogo } from "./product-logo.ts";
import { reachImanage } from "./reach-imanage.ts";
import { tellWorkers } from "./tell-workers.ts";

export interface Surroundings extends StoreSurroundings {
  readonly settings: Settings;
  readonly rootKeyset: RootKeyset;
  readonly log: OperatorLog;
  readonly clock?: Clock;
  readonly timers?: Timers;
  /** Where tests hold, stop or kill a refresh. */
  readonly failPoints?: FailPoints | undefined;
}

/** Everything that can be told, introduced to everything that can be done. The only place that knows everyone. */
export type Broker = Awaited<ReturnType<typeof compose>>;

export async function compose({ settings, rootKeyset, log, ...given }: Surroundings) {
  const clock = given.clock ?? systemClock();
  const timers = given.timers ?? systemTimers();
  const random = systemRandom;
  const metrics = makeMetrics();
  const { meters } = metrics;

  const stores = await openStores(settings, log, makeRecordMac(rootKeyset), given, meters);
  const { fast, durable, configuration, refreshes, profiles, dataKeys } = stores;
  const grantStore = stores.grants;
  const diagnosisStore = stores.diagnoses;
  const libraryStore = stores.libraries;

  const sealer = makeSealer({ dataKeys, rootKeyset, random, clock });
  const handles = makeHandles(random);
  const clientSecrets = makeClientSecrets({ rootKeyset, random });
  const brokerTokens = makeBrokerTokens({ rootKeyset, random, now: () => clock.now() });

  const { outbound, authorizationServer, api, backgroundApi, probes } = await reachImanage({
    ...{ settings, clock, timers, random, stores, meters, tracer: given.tracer },
  });

  const { previousTokens, refresher, accessTokens, revoker } = handOutTokens({
    ...{ clock, timers, random, log, sealer, stores, authorizationServer, api, meters },
    failPoints: given.failPoints,
  });
  const containmentWork = new ContainmentWork({
    log,
    containments: stores.containment,
    grants: grantStore,
    clients: configuration,
    organisations: configuration,
    revoker,
  });
  const containment: ContainmentPorts = {
    clock,
    random,
    containments: stores.containment,
    grants: grantStore,
    clients: configuration,
    servers: configuration,
    organisations: configuration,
    work: containmentWork,
  };
  const authorization: AuthorizationPorts = {
    clock,
    timers,
    random,
    log,
    sealer,
    handles,
    authorizations: stores.authorizations,
    consents: grantStore,
    grants: grantStore,
    servers: configuration,
    organisations: configuration,
    clients: configuration,
    authorizationServer,
    identities: api,
    libraries: api,
    profiles,
    stops: stores.containment,
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
  const libraryPages: LibraryPagePorts = {
    ...authorization,
    lent: libraryStore,
    standings: libraryStore,
    memory: libraryStore,
    gates: profiles,
    diagnoses: diagnosisStore,
    syncs: stores.syncs,
    ownTokens: { open: (grant) => openOwnToken(ownTokenPorts, grant) },
  };
  const { letIn, clients, people, clientAuthorities, tokensOnTheirWay } = knowCallers({
    clock,
    log,
    issuer: settings.PUBLIC_BASE_URL,
    stores,
    outbound,
    clientSecrets,
    brokerTokens,
  });
  const explain: ExplainPorts = {
    ...{ clock, access: stores.access, stops: stores.containment },
    ...{ clients: letIn, organisations: configuration, servers: configuration },
  };
  const imports: ImportPorts = {
    ...{ clock, random, sealer, imports: stores.imports, schedule: grantStore },
    ...{ servers: configuration, policies: configuration },
  };
  const exports: ExportPorts = {
    ...{ random, sealer, exports: stores.exports, grants: grantStore, keys: offlineKeys },
    encrypter: makeTokenEncrypter(),
  };
  const grants: GrantPorts = { clock, grants: grantStore, clients: configuration, revoker };
  const subjects: SubjectPorts = { ...grants, grants: grantStore, servers: configuration };

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
    probes,
    diagnoses: diagnosisStore,
    signIns: diagnosisStore,
    publicBaseUrl: settings.PUBLIC_BASE_URL,
    outgoingAddresses: settings.OUTGOING_ADDRESSES,
  };

  const { events, eventLog, trimEvents } = keepEvents({ clock, sealer, stores, clients: letIn });
  const { subscriptions, deliverer, deliverySweep, closeReceivers } = await keepDeliveries({
    ...{ clock, random, log, sealer, stores, clients: letIn, settings, meters, tracer: given.tracer },
  });
  const keptSyncs = keepSyncs({
    clock,
    random,
    log,
    timers,
    sealer,
    stores,
    api: backgroundApi,
    clients: letIn,
    accessTokens,
    quotaBytes: settings.SYNC_SPACE_MAX_MIB * 2 ** 20,
    simulated: settings.NODE_ENV !== "production",
  });

  const signer = makeSigner(rootKeyset);
  const auditSink = await openAuditSink(settings, timers);
  const auditPorts = {
    clock,
    timers,
    random,
    log,
    buffer: stores.auditBuffer,
    sink: auditSink,
    chain: auditChain,
    signer,
    organisations: configuration,
    limits: auditLimits(settings),
    meters,
  };
  const lookAgainPorts: LookAgainPorts = { ...diagnosis, organisations: configuration };
  const { rotations, rootKeys, shredding } = keepKeys({
    clock,
    timers,
    random,
    log,
    rootKeyset,
    sealer,
    clientSecrets,
    signer,
    revoker,
    stores,
  });
  const workerStories = tellWorkers({
    log,
    configuration,
    grants: grantStore,
    profiles,
    refresher,
    revoker,
    containmentWork,
    ...keptSyncs,
    trimEvents,
    deliverer,
    deliverySweep,
    census: stores.census,
    audit: auditPorts,
    lookAgain: lookAgainPorts,
    libraries: libraryPages,
    rotations,
    now: () => fast.now(),
  });
  const operators = {
    clock,
    random,
    handles,
    log,
    sessions: stores.operators,
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
    clients: letIn,
    portal: stores.portal,
    grants: grantStore,
    organisations: configuration,
    revoker,
    configuration: changePorts,
    packages,
    diagnoses: diagnosisStore,
    gates: profiles,
  };

  const census = new CensusTaker({
    store: stores.census,
    organisations: configuration,
    serversMax: settings.METRICS_SERVERS_MAX,
    monotonicMs: () => clock.monotonicMs(),
  });

  return {
    settings,
    tracer: given.tracer,
    logo: await productLogo(settings),
    log,
    metrics,
    census,
    clock,
    random,
    sealer,
    dataKeys,
    rotations,
    rootKeys,
    shredding,
    configuration,
    grantStore,
    auditBuffer: stores.auditBuffer,
    audit: auditPorts,
    profiles,
    recordSeals: stores.recordSeals,
    packages,
    previousTokens,
    ...(await keepStore({ settings, stores, rootKeyset, clock, log, given })),
    containment,
    containmentWork,
    clientSecrets,
    cursors: makeCursors(rootKeyset),
    signer,
    refresher,
    accessTokens,
    explain,
    revoker,
    authorization,
    libraryPages,
    libraryStore,
    portal,
    clients,
    tokensOnTheirWay,
    people,
    clientAuthorities,
    grants,
    subjects,
    imports,
    exports,
    diagnosis,
    api,
    backgroundApi,
    idempotency: stores.idempotency,
    ...keptSyncs,
    changePorts,
    operators,
    events,
    eventLog,
    subscriptions,
    happened: stores.happened,
    workerStories,
    jobStarts: stores.jobStarts,
    timers,
    stores: { fast, durable },
    redisAddress: stores.address,

    /** Resolves once Redis answers and the outcomes of refreshes in other processes are heard. */
    ready: () => stores.ready(),
    /** The hints across organisations, written anew from what each organisation's own schedule says. */
    async reconcile(): Promise<void> {
      for (const { id } of await configuration.listOrganisations()) await grantStore.restateHint(id);
    },

    /** Lets refreshes that are under way be stored (they may have rotated a token), then lets go of everything. */
    async close(): Promise<void> {
      await refresher.settled();
      await previousTokens.settled();
      await containmentWork.settled();
      await revoker.settled();
      await Promise.all([outbound.close(), closeReceivers()]);
      await auditSink.close();
      stores.close();
    },
  };
}
