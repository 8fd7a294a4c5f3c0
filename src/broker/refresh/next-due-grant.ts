import { type GrantId, organisationOf } from "../../domain/id.ts";
import { type Milliseconds, seconds } from "../../domain/instant.ts";
import type { RefreshSchedule } from "../grants/ports.ts";
import type { Random, Timers } from "../ports.ts";

export interface NextDuePorts {
  readonly schedule: Pick<RefreshSchedule, "dueGrants">;
  readonly random: Random;
  readonly timers: Timers;
}

/** Of so many, so that jobs that look at the same moment seldom choose the same. */
const CHOICE = 32;
/** Longer than a grant that found its server full stands back (`gate.lua`: 250 ms). */
const AHEAD_MS: Milliseconds = seconds(0.5);
const LOOK_AGAIN_MS: Milliseconds = 100;

/**
 * Another grant of the same organisation that is due, drawn by lot, none of those in `not`. Waits a moment where one comes
 * up at once; where none does, answers undefined at once.
 */
export async function nextDueGrant(
  { schedule, random, timers }: NextDuePorts,
  after: GrantId,
  not: ReadonlySet<GrantId>,
): Promise<GrantId | undefined> {
  const organisation = organisationOf(after);
  const among = async (aheadMs: Milliseconds) =>
    (await schedule.dueGrants(organisation, CHOICE, aheadMs)).filter((id) => !not.has(id));
  for (let waitedMs = 0; waitedMs <= AHEAD_MS; waitedMs += LOOK_AGAIN_MS) {
    const due = await among(0);
    if (due.length > 0) return due[random.bytes(1)[0]! % due.length];
    if ((await among(AHEAD_MS)).length === 0) return undefined;
    await timers.after(LOOK_AGAIN_MS).elapsed;
  }
  return undefined;
}
