import { type AuditPorts, exportAudit } from "../broker/audit/export-audit.ts";
import { type KeepAuditPorts, keepAudit } from "../broker/audit/keep-audit.ts";
import type { ContainmentWork } from "../broker/containment/carry-out.ts";
import { type LookAgainPorts, lookAgain } from "../broker/diagnosis/look-again.ts";
import { eachInTurn } from "../broker/each-in-turn.ts";
import type { Revoker } from "../broker/grants/revoke-pending.ts";
import { advanceRotations, type RotationPorts } from "../broker/keys/rotate-data-keys.ts";
import { checkStandings } from "../broker/libraries/check-standings.ts";
import type { LibraryPagePorts } from "../broker/libraries/library-pages.ts";
import {
  tellExpiringClientSecrets,
  tellExpiringSecrets,
} from "../broker/organisations/tell-expiring-secrets.ts";
import type { Log } from "../broker/ports.ts";
import type { GrantRefresher } from "../broker/refresh/refresh-grant.ts";
import { sweepDueGrants } from "../broker/refresh/sweep-due-grants.ts";
import { tellClosedServers } from "../broker/refresh/tell-closed-servers.ts";
import type { OrganisationId } from "../domain/id.ts";
import { type Instant, minutes } from "../domain/instant.ts";
import type { Deliverer } from "../events/deliver.ts";
import type { DeliverySweep } from "../events/sweep-deliveries.ts";
import type { RedisCensusStore } from "../store/redis-census-store.ts";
import type { RedisConfigurationStore } from "../store/redis-configuration-store.ts";
import type { RedisGrantStore } from "../store/redis-grant-store.ts";
import type { RedisProfileStore } from "../store/redis-profile-store.ts";
import type { SyncRuns } from "../sync/run-sync.ts";
import type { SyncSweep } from "../sync/sweep-syncs.ts";
import type { SyncTidying } from "../sync/tidy-syncs.ts";
import type { WorkerStories } from "../workers/start-workers.ts";

/** What each job of the workers tells. */
export function tellWorkers(by: {
  readonly log: Log;
  readonly configuration: RedisConfigurationStore;
  readonly grants: RedisGrantStore;
  readonly profiles: RedisProfileStore;
  readonly refresher: GrantRefresher;
  readonly revoker: Revoker;
  readonly containmentWork: ContainmentWork;
  readonly syncRuns: SyncRuns;
  readonly syncSweep: SyncSweep;
  readonly deliverer: Deliverer;
  readonly deliverySweep: DeliverySweep;
  readonly trimEvents: (organisation: OrganisationId) => Promise<void>;
  readonly syncTidying: SyncTidying;
  readonly census: Pick<RedisCensusStore, "indexGrants">;
  readonly audit: AuditPorts & KeepAuditPorts;
  readonly lookAgain: LookAgainPorts;
  readonly libraries: LibraryPagePorts;
  readonly rotations: RotationPorts;
  /** The store's clock. */
  readonly now: () => Promise<Instant>;
}): WorkerStories {
  const { log, configuration, grants, profiles } = by;
  return {
    sweepRefreshes: () => sweepDueGrants(grants),
    async refreshGrant(id, server) {
      const outcome = await by.refresher.refresh(id, { why: "due" }, server);
      if (outcome.kind === "gated" && outcome.why === "busy") return "busy";
      return outcome.kind === "refreshed";
    },
    sweepSyncs: () => by.syncSweep.sweep(),
    runSync: (id, signal, progressed) => by.syncRuns.run(id, signal, progressed),
    sweepDeliveries: () => by.deliverySweep.sweep(),
    subscriptionsBehind: (organisation) => by.deliverySweep.behind(organisation),
    deliver: (id, signal) => by.deliverer.run(id, signal),
    exportAudit: () => exportAudit(by.audit),
    async revokePending() {
      await by.containmentWork.workAll();
      await by.revoker.revokeAll();
    },
    lookAgain: () => lookAgain(by.lookAgain),
    checkStandings: () => checkStandings({ ...by.libraries, organisations: configuration }),
    rotateKeys: () => advanceRotations(by.rotations),
    async reapUnbound() {
      const reapOf = async ({ id }: { readonly id: OrganisationId }) => {
        await by.census.indexGrants(id);
        await grants.reapUnbound(id, 100);
        await grants.warnOfExpiry(id, 500);
        await by.trimEvents(id);
        await by.syncTidying.tidy(id);
        const now = await by.now();
        await tellClosedServers({ log, gates: profiles, servers: configuration }, id, now, minutes(1));
        await tellExpiringSecrets({ log, store: configuration }, id, now, minutes(1));
      };
      await eachInTurn(
        [
          () => keepAudit(by.audit),
          async () => eachInTurn(await configuration.listOrganisations(), reapOf),
          async () => tellExpiringClientSecrets({ log, store: configuration }, await by.now(), minutes(1)),
        ],
        (part) => part(),
      );
    },
  };
}
