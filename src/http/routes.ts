import { getAudit, postAuditLookup } from "./audit.ts";
import {
  deleteClientSecret,
  getClient,
  getClients,
  postClientSecrets,
  postClientStart,
  postClientStop,
  postClients,
  putClient,
} from "./clients.ts";
import { getConnectSession, postConnectSessionComplete, postConnectSessions } from "./connect-sessions.ts";
import {
  getContainment,
  getContainmentReauthorizations,
  getContainmentReceipts,
  getContainments,
  postContainmentLift,
  postContainments,
} from "./containments.ts";
import { getDiagnosis, getSupportBundle, postDiagnose } from "./diagnoses.ts";
import { getEventDeliveries, postEventReplay, postEventTest } from "./event-deliveries.ts";
import {
  deleteEventSubscription,
  getEventSubscription,
  getEventSubscriptions,
  patchEventSubscription,
  postEventSubscriptions,
  postSecretRotation,
} from "./event-subscriptions.ts";
import { getEvent, getEvents } from "./events.ts";
import { postPoliciesExplain } from "./explain-policies.ts";
import { deleteGrantById, getGrantById, getGrants, getGrantTimeline } from "./grants.ts";
import { deleteLibrary, getLibraries, getLibrary } from "./libraries.ts";
import { getOrganisation, getOrganisations, putOrganisation } from "./organisations.ts";
import { deletePolicyRoute, getPolicies, getPolicy, putPolicyRoute } from "./policies.ts";
import { postPortalSessions } from "./portal-sessions.ts";
import { postAccessTokens } from "./post-access-tokens.ts";
import { getServerPackage, getServerRegistration } from "./registration-help.ts";
import type { Route } from "./route.ts";
import { getServer, getServers, putServer } from "./servers.ts";
import { postSubjectEnd, postSubjectMove } from "./subjects.ts";
import { getSyncChanges, getSyncSnapshot } from "./sync-changes.ts";
import {
  deleteSync,
  getSync,
  getSyncs,
  patchSync,
  postSyncPause,
  postSyncReset,
  postSyncResume,
  postSyncRun,
  postSyncs,
} from "./syncs.ts";

/** Every route under `/v1`. The OpenAPI document is made from this list, and so are the handlers. */
export const routes: readonly Route[] = [
  postAccessTokens,
  postConnectSessions,
  getConnectSession,
  postConnectSessionComplete,
  postPortalSessions,
  getGrants,
  getGrantById,
  getGrantTimeline,
  deleteGrantById,
  postSubjectMove,
  postSubjectEnd,
  getLibraries,
  getLibrary,
  deleteLibrary,
  postSyncs,
  getSyncs,
  getSync,
  patchSync,
  postSyncRun,
  postSyncReset,
  postSyncPause,
  postSyncResume,
  deleteSync,
  getSyncChanges,
  getEvents,
  getEvent,
  getSyncSnapshot,
  postEventSubscriptions,
  getEventSubscriptions,
  getEventSubscription,
  patchEventSubscription,
  deleteEventSubscription,
  postSecretRotation,
  postEventTest,
  getEventDeliveries,
  postEventReplay,
  postPoliciesExplain,
  getOrganisations,
  getOrganisation,
  putOrganisation,
  getServers,
  getServer,
  putServer,
  postDiagnose,
  getDiagnosis,
  getSupportBundle,
  getServerRegistration,
  getServerPackage,
  getClients,
  postClients,
  getClient,
  putClient,
  postClientStop,
  postClientStart,
  postClientSecrets,
  deleteClientSecret,
  getPolicies,
  getPolicy,
  putPolicyRoute,
  deletePolicyRoute,
  postContainments,
  getContainments,
  getContainment,
  postContainmentLift,
  getContainmentReceipts,
  getContainmentReauthorizations,
  getAudit,
  postAuditLookup,
];
