import type { AuditNote } from "../broker/ports.ts";
import type { SyncId } from "../domain/id.ts";
import { Problem } from "../domain/problem.ts";
import { afterDiscard, afterRelease } from "./advance.ts";
import { jittered, syncTiming } from "./plan.ts";
import type { SyncPorts } from "./ports.ts";

type Ports = Pick<SyncPorts, "clock" | "syncs">;

/** What operators do about deletions that are held. Each answers how many documents it is about. */

/** They are told, and the sync goes on. */
export const releaseDeletions = (ports: Ports, id: SyncId, note: AuditNote): Promise<number> =>
  decide(ports, id, "released", note);

/** They are not told: the sync goes on, and its next full scan looks again. */
export const discardDeletions = (ports: Ports, id: SyncId, note: AuditNote): Promise<number> =>
  decide(ports, id, "discarded", note);

async function decide(
  { clock, syncs }: Ports,
  id: SyncId,
  how: "released" | "discarded",
  note: AuditNote,
): Promise<number> {
  const sync = await syncs.findSync(id);
  if (sync === undefined) throw new Problem("not_found");
  const { cursor } = sync;
  const { scan } = cursor;
  if (scan?.stage !== "held") {
    throw new Problem("invalid_request", { detail: "No deletions of this sync are held." });
  }
  const at = {
    now: clock.now(),
    passStartedAt: sync.passStartedAt ?? clock.now(),
    scanEveryMs: jittered(syncTiming.scanEveryMs, id),
    documents: true,
    overlapMs: syncTiming.overlapMs,
  };
  const next = how === "released" ? afterRelease(cursor, scan) : afterDiscard(cursor, scan, at);
  const answer = await syncs.decideDeletions(id, { cursor: next, how }, note);
  if (answer === "gone") throw new Problem("not_found");
  // Somebody else has decided meanwhile.
  if (answer === "overtaken") return decide({ clock, syncs }, id, how, note);
  return scan.missing ?? 0;
}
