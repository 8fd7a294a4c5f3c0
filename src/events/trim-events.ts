import type { OrganisationId } from "../domain/id.ts";
import { days } from "../domain/instant.ts";
import type { EventLog } from "./ports.ts";

/** How long an event can be read: who was away for longer looks at how things stand. */
export const EVENTS_KEPT_MS = days(14);
/** Of one organisation: a bound for its memory, some 200 bytes each. */
export const EVENTS_KEPT_MAX = 200_000;

/** One step removes a bounded part: so many of them are more than what happens in the minute until the next time. */
const STEPS_MAX = 20;

/** Forgets what is old, or too much. */
export async function trimEvents(log: Pick<EventLog, "trim">, organisation: OrganisationId): Promise<void> {
  for (let step = 0; step < STEPS_MAX; step++)
    if ((await log.trim(organisation, EVENTS_KEPT_MS, EVENTS_KEPT_MAX)) === 0) return;
}
