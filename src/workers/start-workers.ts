import type { Log } from "../broker/ports.ts";
import type { GrantId, SyncId } from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";
import type { QueueConnection } from "./queues.ts";

/** What the jobs do: told by the stories, so that nothing here knows how. */
export interface WorkerStories {
  /** Grants whose time has come. */
  sweepRefreshes(): Promise<readonly GrantId[]>;
  refreshGrant(id: GrantId): Promise<unknown>;
  /** Syncs whose time has come. */
  sweepSyncs(): Promise<readonly SyncId[]>;
  /** @param signal ends the run at the next page: this process is stopping. */
  runSync(id: SyncId, signal: AbortSignal): Promise<unknown>;
  exportAudit(): Promise<unknown>;
  revokePending(): Promise<unknown>;
  reapUnbound(): Promise<unknown>;
}

export interface WorkerParts {
  /** Opens a connection of its own that waits for Redis as long as it takes (`maxRetriesPerRequest: null`). */
  readonly connect: () => QueueConnection;
  readonly stories: WorkerStories;
  readonly log: Log;
  readonly timing?: Partial<WorkerTiming>;
  readonly concurrency?: { readonly refreshes?: number; readonly syncs?: number };
}

export interface WorkerTiming {
  /** Between two looks at what is due. */
  readonly sweepMs: Milliseconds;
  readonly auditExportMs: Milliseconds;
  readonly revocationMs: Milliseconds;
  readonly reapMs: Milliseconds;
  /** How often the schedules are written again, so that queues that were deleted heal. */
  readonly restateMs: Milliseconds;
}

export interface Workers {
  /** Takes no further job and waits for those under way, which are told to stop where they can. */
  close(): Promise<void>;
}

/** Starts every worker of this process and sees that the schedules exist. */
export async function startWorkers(_parts: WorkerParts): Promise<Workers> {
  throw new Error("not yet");
}
