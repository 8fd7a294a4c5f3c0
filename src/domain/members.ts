/**
 * Whose iManage an organisation's integration is. `everyone`: *Enable integration for all members of this organisation*.
 * Otherwise the persons who are listed, and those of whom a client says what is claimed here.
 */
export type Members =
  | { readonly everyone: true }
  | {
      readonly everyone: false;
      /** Ids as clients name their persons. */
      readonly subjects: readonly string[];
      readonly claims: readonly MemberClaim[];
    };

/** Something that a client says of its person: `groups` is `imanage-users`. */
export interface MemberClaim {
  readonly name: string;
  readonly value: string;
}

export const everyone: Members = { everyone: true };

/** More than so many are named by a claim: a list of a whole firm is out of date the day it is written. */
export const MEMBERS_LISTED_MAX = 2_000;
export const MEMBER_CLAIMS_MAX = 20;

/** Default deny: who is neither listed nor claimed is no member. */
export function isMember(
  members: Members,
  person: { readonly id: string; readonly claims: readonly MemberClaim[] },
): boolean {
  if (members.everyone) return true;
  return (
    members.subjects.includes(person.id) ||
    members.claims.some(({ name, value }) =>
      person.claims.some((claim) => claim.name === name && claim.value === value),
    )
  );
}
