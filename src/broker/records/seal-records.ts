import { Problem } from "../../domain/problem.ts";
import type { AuditNote } from "../ports.ts";
import type { RecordSeal, RecordSeals } from "./ports.ts";

export interface SealOutcome {
  /** What is, or would be, taken over. */
  readonly taken: readonly RecordSeal[];
  /** What was another by the time it was to be sealed. */
  readonly changed: readonly RecordSeal[];
  /** What is refused and stays so. */
  readonly refused: readonly RecordSeal[];
  readonly sound: number;
}

/**
 * An operator's word that what is stored is his. Without places: what an earlier version stored without a MAC, which is
 * wanted once; afterwards such a record is a forgery, and so none is ever taken over by itself. An altered one is taken only by
 * its place, after somebody looked at it.
 * @throws Problem("not_found") where a place holds no record
 */
export async function sealRecords(
  seals: RecordSeals,
  places: readonly string[],
  { dryRun, note }: { readonly dryRun: boolean; readonly note: AuditNote },
): Promise<SealOutcome> {
  const records = await seals.survey();
  const missing = places.find((place) => !records.some((record) => record.place === place));
  if (missing !== undefined) throw new Problem("not_found", { detail: `There is no record at ${missing}.` });
  const wanted = records.filter(({ place, state }) =>
    places.length === 0 ? state === "unsealed" : places.includes(place),
  );
  const taken: RecordSeal[] = [];
  const changed: RecordSeal[] = [];
  for (const record of wanted) (dryRun || (await seals.seal(record, note)) ? taken : changed).push(record);
  return {
    taken,
    changed,
    refused: records.filter((record) => record.state !== "sealed" && !wanted.includes(record)),
    sound: records.filter(({ state }) => state === "sealed").length,
  };
}

/** How many records each root key still seals: it is retired at none. */
export async function rootKeysOfRecords(
  seals: Pick<RecordSeals, "survey">,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (const { rootKey } of await seals.survey()) {
    if (rootKey !== undefined) counts.set(rootKey, (counts.get(rootKey) ?? 0) + 1);
  }
  return counts;
}

/** Seals under the primary root key what another usable one sealed. Resumable: what is done is not done again. */
export async function rewrapRecords(
  seals: Pick<RecordSeals, "survey" | "rewrap">,
): Promise<{ readonly rewrapped: number; readonly left: readonly RecordSeal[] }> {
  let rewrapped = 0;
  const left: RecordSeal[] = [];
  for (const record of await seals.survey()) {
    if (record.state === "sealed" && !record.outdated) continue;
    if (record.state === "sealed" && (await seals.rewrap(record))) rewrapped += 1;
    // Somebody else wrote it meanwhile, under the primary key; or it does not open, and that is another command's.
    else if (record.state !== "sealed") left.push(record);
  }
  return { rewrapped, left };
}
