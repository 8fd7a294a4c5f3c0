import type { Organisation } from "../domain/organisation.ts";
import { claimDigest, memberDigest } from "./keys.ts";

/** A field of the client's hash beside the record: a place of its own, so that neither is taken for the other. */
export const standingPlace = (clientKey: string): string => `${clientKey} standing`;

/** What token requests read of an organisation: enabled 0|1, `some` or '', and the digests of its members. */
export function gateWords({ enabled, members }: Organisation): readonly (string | number)[] {
  const known = members.everyone
    ? []
    : [...members.subjects.map(memberDigest), ...members.claims.map(claimDigest)];
  return [enabled ? 1 : 0, members.everyone ? "" : "some", known.join(" ")];
}
