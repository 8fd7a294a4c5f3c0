import type { GrantId, SyncId } from "../../src/domain/id.ts";

export const GRANT = "grt_abcdefghjk01234567890123456789012345" as GrantId;
export const SYNC = "syn_abcdefghjk01234567890123456789012345" as SyncId;

export const TURN = { id: SYNC, turn: 1, late: false };

/** Schedules fast enough to wait for. */
export const FAST = {
  sweepMs: 50,
  syncSweepMs: 50,
  auditExportMs: 50,
  revocationMs: 50,
  reapMs: 50,
  restateMs: 100,
  graceMs: 5_000,
};
