import type { AccessTokens } from "../broker/access/provide-access-token.ts";
import type { Clock, Log, Random, Sealer, Timers } from "../broker/ports.ts";
import type { ImanageApi } from "../imanage/imanage-api.ts";
import { ImanageDocuments } from "../imanage/imanage-documents.ts";
import { ImanageObjects } from "../imanage/imanage-objects.ts";
import { OperateSyncs } from "../sync/operate-syncs.ts";
import type { SyncPorts } from "../sync/ports.ts";
import { ChangeReader } from "../sync/read-changes.ts";
import { Snapshots } from "../sync/read-snapshot.ts";
import { SyncRuns } from "../sync/run-sync.ts";
import { withinQuota } from "../sync/space-quota.ts";
import { SyncSweep } from "../sync/sweep-syncs.ts";
import { Syncs } from "../sync/syncs.ts";
import { SyncTidying } from "../sync/tidy-syncs.ts";
import type { Stores } from "./open-stores.ts";

/** What changes in libraries: clients' wishes, the runs that read, and what is told. */
export function keepSyncs(by: {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly timers: Timers;
  readonly sealer: Sealer;
  readonly stores: Stores;
  /** Nobody waits for what it reads. */
  readonly api: ImanageApi;
  readonly clients: SyncPorts["clients"];
  readonly accessTokens: AccessTokens;
  /** What the syncs of one organisation may take of Redis. */
  readonly quotaBytes: number;
  /** Shorter intervals than a firm's iManage should be asked at: for the simulator alone. */
  readonly simulated: boolean;
}) {
  const { clock, random, log, timers, sealer, stores, api, clients, accessTokens, simulated } = by;
  const ports: SyncPorts = {
    clock,
    random,
    log,
    timers,
    sealer,
    syncs: stores.syncs,
    space: stores.space,
    schedule: stores.syncs,
    announcements: stores.changed,
    documents: new ImanageDocuments(api),
    objects: new ImanageObjects(api),
    servers: stores.configuration,
    clients,
    accessToken: accessTokens.provide.bind(accessTokens),
    stops: stores.containment,
  };
  const syncs = new Syncs(ports, { quotaBytes: by.quotaBytes, ...(simulated && { minIntervalMs: 1_000 }) });
  const runs: SyncPorts = {
    ...ports,
    accessToken: withinQuota(ports.accessToken, ports.space, by.quotaBytes),
  };
  return {
    syncs,
    operateSyncs: new OperateSyncs(ports, syncs),
    syncTidying: new SyncTidying(ports),
    syncRuns: new SyncRuns(runs, simulated ? { parkedRetryMs: 2_000 } : {}),
    syncSweep: new SyncSweep(ports, stores.syncsDue),
    changes: new ChangeReader(ports, syncs),
    snapshots: new Snapshots({ ...ports, slots: stores.snapshotSlots }, syncs),
  };
}
