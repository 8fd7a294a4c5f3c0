import type { OrganisationId } from "../../domain/id.ts";
import { evaluatePolicy, type Policy, type PolicyRequest } from "../../domain/policy.ts";
import { mustAllow } from "../../domain/policy-refusal.ts";
import type { Clock } from "../ports.ts";
import type { Caller, ClientStore } from "./ports.ts";

export interface PolicyPorts {
  readonly clock: Pick<Clock, "now">;
  readonly clients: Pick<ClientStore, "findPolicy">;
}

/** What a caller is about to do in one organisation; what is not said is not limited by it. */
export type Asked = Pick<PolicyRequest, "action"> & Partial<Pick<PolicyRequest, "server" | "subject">>;

/**
 * Looks the caller's policy up and lets it go on, or not. Unknown and foreign are the same 404.
 * @returns the policy, for what of a list it lets see
 * @throws Problem not_found | not_allowed
 */
export async function allow(
  ports: PolicyPorts,
  { client, address }: Caller,
  organisation: OrganisationId,
  { action, server, subject }: Asked,
): Promise<Policy> {
  const { policy } = await ports.clients.findPolicy(client, organisation);
  mustAllow(policy, { action, server, subject, address }, ports.clock.now());
  // Without one nothing is allowed.
  return policy!;
}

/** Whether there is anything at all that the caller may do in an organisation now, from where it is. */
export async function isKnownTo(
  ports: PolicyPorts,
  { client, address }: Caller,
  organisation: OrganisationId,
): Promise<boolean> {
  const { policy } = await ports.clients.findPolicy(client, organisation);
  const now = ports.clock.now();
  // Of its purposes or its `min_ttl` it has said nothing yet.
  return (policy?.rules ?? []).some((rule) => {
    const { purposes: _, ...open } = rule;
    const asked = { server: undefined, subject: undefined, address };
    const alone = { ...policy!, rules: [open] };
    return rule.actions.some((action) => evaluatePolicy(alone, { action, ...asked }, now).allowed);
  });
}
