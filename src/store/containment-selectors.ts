import type { StoppedGrant } from "../broker/containment/ports.ts";
import type { Containment, ContainmentTarget } from "../domain/containment.ts";
import type { Instant } from "../domain/instant.ts";
import { bindingDigest, consentDigest } from "./keys.ts";

/** The words that `lua/containment.lua` looks for. */
export function selectorsOf(target: ContainmentTarget, grants: readonly StoppedGrant[]): readonly string[] {
  switch (target.kind) {
    case "organisation":
      return ["organisation"];
    case "client":
      return [`client:${target.client}${target.server === undefined ? "" : `@${target.server}`}`];
    case "server":
      return [`server:${target.server}`];
    case "grant":
      return [`grant:${target.grant}`];
    case "user":
      return [`user:${consentDigest(target.server, target.user.customerId, target.user.userId)}`];
    case "subject":
      return [`binding:${bindingDigest(target.server, target.client, target.subject)}`];
    case "library":
      return [`binding:${bindingDigest(target.server, undefined, { type: "library", id: target.library })}`];
    case "tokens":
      // Of that consent: who authorises again was handed nothing of it.
      return grants.map(
        ({ grant, generation }) =>
          `tokens:${grant}/${generation}${target.client === undefined ? "" : `@${target.client}`}`,
      );
    case "consents":
      return [];
  }
}

/** As the gate's field `windows` has it. */
export function windowOf({ id, target }: Containment):
  | {
      readonly id: string;
      readonly from: Instant;
      readonly to: Instant;
      readonly client?: string;
      readonly server?: string;
    }
  | undefined {
  if (target.kind !== "consents") return undefined;
  const { from, to, client, server } = target;
  return { id, from, to, ...(client !== undefined && { client }), ...(server !== undefined && { server }) };
}
