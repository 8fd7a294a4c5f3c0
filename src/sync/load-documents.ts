import type { Sync } from "./ports.ts";
import type { LibraryCalls, Loaded, Wanted } from "./read-library.ts";
import { problemOf } from "./refusals.ts";

/** After so many failures in a row an object that cannot be loaded holds up the others no longer: a scan sees it. */
const PATIENCE = 5;

/** @throws Problem where they cannot be loaded, as long as there is patience with one that cannot. */
export async function loadDocuments(
  calls: LibraryCalls,
  sync: Sync,
  sequence: number,
  wanted: readonly Wanted[],
): Promise<Loaded> {
  if (wanted.length === 0) return { found: new Map(), absent: new Set(), hidden: new Set(), unloadable: 0 };
  const { answer } = await calls.load(sync, sequence, wanted, isPatient(sync));
  if (answer.kind !== "ok") throw problemOf(answer, "documents");
  return answer.value;
}

/** With an object that iManage fails to tell of. */
export function isPatient({ parkedBecause, lastError, counts }: Sync): boolean {
  // To have waited for someone to act says nothing about an object.
  const waited = parkedBecause !== undefined && lastError?.code === parkedBecause;
  return waited || counts.failures < PATIENCE;
}
