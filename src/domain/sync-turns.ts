import { type OrganisationId, organisationOf, type SyncId } from "./id.ts";
import { type Instant, type Milliseconds, minutes, seconds } from "./instant.ts";

/** A sync whose time has come. */
export interface DueSync {
  readonly id: SyncId;
  readonly dueAt: Instant;
  /** Its pass has begun, and more pages follow. */
  readonly underWay: boolean;
  /** Objects it is known to have: how long its pass may take. Undefined: no pass has come to its end yet. */
  readonly objects: number | undefined;
}

/** When a sync's turn comes: the lower number first. */
export interface SyncTurn {
  readonly id: SyncId;
  readonly turn: number;
  /** It has waited so long that it goes before others of its kind. */
  readonly late: boolean;
}

/** So many passes that begin go before the long ones of everybody; what an organisation has beyond them does not. */
const BEFORE_LONG = 4;
/** Odd turns are those of long passes, which have had one already. */
const isLong = (turn: number): boolean => turn % 2 === 1;
/** Whoever has waited so long is long no more, nor too big. */
const PATIENCE_MS: Milliseconds = minutes(1);

export const turnLengths = {
  /** A run that took so long lets a sync go first that begins a pass, or whose organisation has far fewer places, */
  beforeQuick: seconds(0.5),
  /** and one that took so long any other long one. */
  beforeLong: seconds(5),
} as const satisfies Record<string, Milliseconds>;

/**
 * In which order due syncs have their turns. Each organisation's first before any's second, so that twenty syncs of one do not
 * stand before another's only one; passes that begin before those under way, small libraries before big ones.
 */
export function inTurns(organisations: readonly (readonly DueSync[])[], now: Instant): readonly SyncTurn[] {
  return organisations
    .flatMap((due) => {
      const seen = due.map((one) => {
        const late = now - one.dueAt > PATIENCE_MS;
        return { ...one, late, long: one.underWay && !late, size: late ? 0 : magnitude(one.objects) };
      });
      seen.sort((a, b) => Number(a.long) - Number(b.long) || a.size - b.size || a.dueAt - b.dueAt);
      const quick = seen.filter(({ long }) => !long).length;
      return seen.map(({ id, late, long }, i) => {
        const rank = long ? Math.max(BEFORE_LONG, quick) + (i - quick) : i;
        return { id, late, turn: 2 * (rank + 1) + (long ? 1 : 0) };
      });
    })
    .sort((a, b) => a.turn - b.turn);
}

/** Ten documents and twenty are alike; ten and a million are not. What nobody has read yet is taken for a big one. */
const magnitude = (objects = 10_000): number => Math.floor(Math.log10(objects + 1));

/** A run of this process that has a place. */
export interface RunningSync {
  readonly id: SyncId;
  readonly forMs: Milliseconds;
  /** It has been told to give way, and does at its next page. */
  readonly leaving: boolean;
}

/**
 * Which runs give their places to those that wait, where no place is free: of the organisation that has most places the run
 * that has had its own longest. Nobody takes a place from another organisation that has no more than his own.
 */
export function whoGivesWay(
  running: readonly RunningSync[],
  waiting: readonly Pick<SyncTurn, "id" | "turn">[],
): readonly SyncId[] {
  const places = new Map<OrganisationId, number>();
  const placesOf = (id: SyncId) => places.get(organisationOf(id)) ?? 0;
  const count = (id: SyncId, by: number) => places.set(organisationOf(id), placesOf(id) + by);
  const staying = running.filter(({ leaving }) => !leaving).sort((a, b) => b.forMs - a.forMs);
  for (const { id } of staying) count(id, 1);

  const told: SyncId[] = [];
  // Places that are being left already go to the first of them.
  const leaving = running.length - staying.length;
  for (const { id } of waiting.slice(0, leaving)) count(id, 1);
  for (const { id, turn } of waiting.slice(leaving)) {
    const own = organisationOf(id);
    const mayTake = (run: RunningSync): boolean => {
      const more = placesOf(run.id) - placesOf(id);
      if (organisationOf(run.id) !== own && more <= 0) return false;
      const soon = !isLong(turn) || more > 1;
      return run.forMs >= (soon ? turnLengths.beforeQuick : turnLengths.beforeLong);
    };
    const [victim] = staying
      .filter((run) => !told.includes(run.id) && mayTake(run))
      .sort((a, b) => placesOf(b.id) - placesOf(a.id));
    if (victim === undefined) continue;
    told.push(victim.id);
    count(victim.id, -1);
    count(id, 1);
  }
  return told;
}
