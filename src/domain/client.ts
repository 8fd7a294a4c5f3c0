import type { ClientId, OrganisationId, ServerId } from "./id.ts";
import type { Instant } from "./instant.ts";

/** A downstream app that asks for tokens. It knows only organisations that a policy names. */
export interface Client {
  readonly v: 1;
  readonly id: ClientId;
  /** Stable name for configuration files; unique among clients. */
  readonly name: string;
  readonly displayName: string;
  /** Missing: `app`. Settable by file and CLI alone: nobody makes himself an operator through the interface he calls. */
  readonly role?: ClientRole;
  readonly secrets: readonly ClientSecret[];
  /** Where a browser may be sent back to, compared letter by letter (T06). */
  readonly returnUrls: readonly string[];
  /** Stopped: no token, at once, everywhere. */
  readonly state: "active" | "stopped";
  /** Raised by every change of secrets or state: broker tokens of an older generation are void. */
  readonly generation: number;
  readonly createdAt: Instant;
}

/** `operator`: manages clients and policies, and what concerns every organisation, as the operator's own programs do. */
export type ClientRole = "app" | "operator";

/** Whether a client may do what an operator does, in every organisation. No policy gives this. */
export const mayOperate = (client: Pick<Client, "role" | "state">): boolean =>
  client.role === "operator" && client.state === "active";

export interface ClientSecret {
  /** HMAC-SHA-256 of the secret under a key of the root keyset, base64url: a store's reader learns nothing (T35). */
  readonly hmac: string;
  readonly addedAt: Instant;
  readonly expiresAt: Instant | undefined;
}

/** `configure`: reads, checks and changes an organisation's members and servers, and opens its pages for people. */
export type ClientAction = "token" | "status" | "connect" | "revoke" | "sync" | "configure";

/** What one client may do in one organisation. No policy: the organisation does not exist for that client. */
export interface Policy {
  readonly v: 1;
  readonly client: ClientId;
  readonly organisation: OrganisationId;
  /** Undefined: every server of the organisation. */
  readonly servers: readonly ServerId[] | undefined;
  readonly actions: readonly ClientAction[];
  /** Token requests a minute, and as many at once as a tenth of that (at least 20). */
  readonly tokensPerMinute: number;
}

export type PolicyVerdict =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly because: "no_policy" | "server" | "action" };

/** Default deny: everything that is not named is refused. */
export function evaluatePolicy(
  policy: Policy | undefined,
  asked: { readonly action: ClientAction; readonly server?: ServerId },
): PolicyVerdict {
  if (policy === undefined) return { allowed: false, because: "no_policy" };
  if (asked.server !== undefined && policy.servers !== undefined && !policy.servers.includes(asked.server)) {
    return { allowed: false, because: "server" };
  }
  return policy.actions.includes(asked.action) ? { allowed: true } : { allowed: false, because: "action" };
}
