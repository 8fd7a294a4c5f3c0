import type { OrganisationId } from "./id.ts";
import type { IdentityProvider } from "./identity-provider.ts";
import type { Instant } from "./instant.ts";
import type { Members } from "./members.ts";

/** A firm: the tenant and the shard. Everything of its own lives under one hash tag and changes together. */
export interface Organisation {
  readonly v: 1;
  readonly id: OrganisationId;
  /** The stable name that configuration files use; unique among organisations. */
  readonly name: string;
  /** What people read. */
  readonly displayName: string;
  /** Switched off, tokens stop at once and grants stay. */
  readonly enabled: boolean;
  readonly members: Members;
  /** Who vouches for its people by what it signs. Missing: its clients alone do. */
  readonly identityProvider?: IdentityProvider;
  readonly createdAt: Instant;
}
