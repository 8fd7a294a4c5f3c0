import { days, type Instant, type Milliseconds } from "./instant.ts";

/** How many days before the last client secret of a registration, or of a client of ours, ends somebody is told, besides the day it does. */
const WARNED_AT_DAYS = [30, 14, 7, 3, 1, 0] as const;

/**
 * Days that are left of the client secret that lives longest, each time a warning is due and only then, whoever of many
 * processes looks. Undefined: nothing to say. @param lookedMs how long ago somebody looked last
 */
export function secretExpiryToTell(
  { secrets }: { readonly secrets: readonly { readonly expiresAt: Instant | undefined }[] },
  now: Instant,
  lookedMs: Milliseconds,
): number | undefined {
  if (secrets.length === 0) return undefined;
  const ends = Math.max(...secrets.map(({ expiresAt }) => expiresAt ?? Number.POSITIVE_INFINITY));
  return WARNED_AT_DAYS.find((left) => {
    const at = ends - days(left);
    return at <= now && at > now - lookedMs;
  });
}
