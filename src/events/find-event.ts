import type { Caller } from "../broker/clients/ports.ts";
import { type EventId, type OrganisationId, organisationId, routeOf } from "../domain/id.ts";
import type { Policy } from "../domain/policy.ts";
import { mustAllow } from "../domain/policy-refusal.ts";
import { Problem } from "../domain/problem.ts";
import type { EventPorts } from "./ports.ts";
import { type ToldEvent, tellEvent } from "./tell-event.ts";

/**
 * The caller's policy, which says what it is told.
 * @throws Problem not_found | not_allowed | contained
 */
export async function mayReadEvents(
  { clock, clients, stops }: Pick<EventPorts, "clock" | "clients" | "stops">,
  { client, address }: Caller,
  organisation: OrganisationId,
): Promise<Policy | undefined> {
  const { policy } = await clients.findPolicy(client, organisation);
  mustAllow(policy, { action: "events", server: undefined, subject: undefined, address }, clock.now());
  const stop = await stops.findStop(organisation, { client });
  if (stop !== undefined) throw new Problem("contained", { members: { containment: stop } });
  return policy;
}

/** @throws Problem("not_found") for what the caller may not know of, as for what is not there */
export async function findEvent(ports: EventPorts, caller: Caller, id: EventId): Promise<ToldEvent> {
  const policy = await mayReadEvents(ports, caller, organisationId(routeOf(id)));
  const event = await ports.log.find(id);
  const told = event && tellEvent(event, { ...caller, policy }, ports.clock.now());
  if (told === undefined) throw new Problem("not_found");
  return told;
}
