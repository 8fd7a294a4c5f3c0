import type { GrantId } from "../../domain/id.ts";
import type { RefreshSchedule } from "../grants/ports.ts";

const ORGANISATIONS = 100;
const GRANTS_EACH = 200;

/** Grants whose due time has come, by the hint across organisations; each organisation's own due set is what counts. */
export async function sweepDueGrants(schedule: RefreshSchedule): Promise<readonly GrantId[]> {
  const due: GrantId[] = [];
  for (const organisation of await schedule.dueOrganisations(ORGANISATIONS)) {
    due.push(...(await schedule.dueGrants(organisation, GRANTS_EACH)));
    await schedule.restateHint(organisation);
  }
  return due;
}
