import type { Client } from "../../domain/client.ts";
import type { OrganisationId } from "../../domain/id.ts";
import { Problem } from "../../domain/problem.ts";
import type { ClientStore } from "../clients/ports.ts";
import type { ContainmentStore, StopQuestion, Stops } from "./ports.ts";

/**
 * Nothing begins, is redeemed or is read where tokens are stopped. What hands out a token does not ask here: it looks in the
 * script that would.
 * @throws Problem contained
 */
export async function refuseContained(
  { stops }: { readonly stops: Stops },
  organisation: OrganisationId,
  of: StopQuestion,
): Promise<void> {
  const containment = await stops.findStop(organisation, of);
  if (containment !== undefined) throw new Problem("contained", { members: { containment } });
}

/**
 * Clients as whoever lets them in sees them: one that is contained everywhere is one that is stopped, for as long. Asked
 * beside the record and not after it, so that it costs no round trip.
 */
export function clientsUncontained(
  clients: Pick<ClientStore, "findClient" | "findStanding" | "findPolicy">,
  containments: Pick<ContainmentStore, "findClientStop">,
): Pick<ClientStore, "findClient" | "findStanding" | "findPolicy"> {
  const unlessStopped = <T extends { readonly state: Client["state"] }>(
    found: T | undefined,
    stop: boolean,
  ) => (found === undefined || !stop ? found : { ...found, state: "stopped" as const });
  return {
    async findClient(id) {
      const [client, stop] = await Promise.all([clients.findClient(id), containments.findClientStop(id)]);
      return unlessStopped(client, stop);
    },
    async findStanding(id) {
      const [standing, stop] = await Promise.all([clients.findStanding(id), containments.findClientStop(id)]);
      return unlessStopped(standing, stop);
    },
    findPolicy: (client, organisation) => clients.findPolicy(client, organisation),
  };
}
