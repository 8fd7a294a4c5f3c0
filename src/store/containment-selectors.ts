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

/**
 * Whom a containment touches, for its event: the fields of one (`domain/event-kinds.ts`), and the grant, or the iManage user, of
 * whose grant all users are told.
 */
export function touchedBy({ id, target, effect }: Containment): {
  readonly fields: readonly string[];
  readonly grant?: string;
  readonly user?: string;
} {
  const fields = ["containment", id, "target", target.kind, "effect", effect];
  if ("server" in target && target.server !== undefined) fields.push("server", target.server);
  if ("client" in target && target.client !== undefined) fields.push("client", target.client);
  switch (target.kind) {
    case "grant":
      return { fields: [...fields, "grant", target.grant], grant: target.grant };
    case "user":
      return { fields, user: consentDigest(target.server, target.user.customerId, target.user.userId) };
    case "subject": {
      const { client, subject } = target;
      return { fields: [...fields, "bindings", JSON.stringify([{ type: "user", client, subject }])] };
    }
    case "library": {
      const { library } = target;
      const named = [...fields, "library", library];
      return { fields: [...named, "bindings", JSON.stringify([{ type: "library", library }])] };
    }
    default:
      return { fields };
  }
}
