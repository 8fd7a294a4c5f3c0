import type { OrganisationId } from "../../domain/id.ts";
import type { Registration } from "../../domain/registration.ts";
import type { ChangePorts } from "./change-organisation.ts";
import { CLOUD } from "./desired-relations.ts";

/**
 * The operator's registrations that an organisation may choose by itself: those at the address that every firm shares, and
 * those that its servers use already. Any other would name it another firm, for whom the operator keeps it.
 */
export async function listUsableRegistrations(
  { store, addressRules }: Pick<ChangePorts, "store" | "addressRules">,
  organisation: OrganisationId,
): Promise<readonly Registration[]> {
  const [shared, servers] = await Promise.all([
    store.listSharedRegistrations(),
    store.listServers(organisation),
  ]);
  // Simulators stand for the cloud where there are any; in production there are none.
  const everyones = new Set([CLOUD, ...addressRules.loopbackOrigins]);
  const used = new Set(servers.map(({ registration }) => registration));
  return shared.filter(({ id, tokenOrigin }) => everyones.has(tokenOrigin) || used.has(id));
}
