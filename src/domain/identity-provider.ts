import type { AssertionAlgorithm, ClientKeys } from "./client-keys.ts";

/** Who vouches for an organisation's people beside its clients: its OpenID Provider, by what that signs. */
export interface IdentityProvider {
  /** `iss`, letter by letter. People whom it vouches for have it as their issuer, and are nobody else's. */
  readonly issuer: string;
  /** Where its keys are. `discovery`: where its own metadata says, at an address of the issuer's origin. */
  readonly source: ClientKeys["source"] | "discovery";
  /** `aud`: the client ids, there, of the applications that may send us what they got. */
  readonly audiences: readonly string[];
  readonly subjectClaim: SubjectClaim;
  readonly algorithms: readonly AssertionAlgorithm[];
}

/** Claims that are one person's for ever. `oid` is Entra ID's: its `sub` is another one for each application. */
export const SUBJECT_CLAIMS = ["sub", "oid"] as const;
export type SubjectClaim = (typeof SUBJECT_CLAIMS)[number];

/** Names that are given to somebody else one day. */
export const MOVING_CLAIMS = ["email", "upn", "preferred_username", "unique_name", "name"] as const;
