import { days, type Instant, type Milliseconds, seconds } from "./instant.ts";
import type { ServerSettings } from "./server.ts";

/** What a server's own answers have taught about it. An operator who knows better pins it in the server's settings. */
export interface LearnedProfile {
  /** How refresh tokens came back. `undefined`: too few answers to say. */
  readonly rotation: "static" | "rotating" | undefined;
  /** Did the access token of before still work after a refresh? */
  readonly previousAccessTokens: Learned<"survive" | "end"> | undefined;
  /** The youngest code that came too late. */
  readonly codeLifeMs: Learned<Milliseconds> | undefined;
}

export interface Learned<T> {
  readonly value: T;
  readonly at: Instant;
}

/** What is learned is asked again after this long: administrators change servers without telling anybody. */
export const LEARNED_FOR_MS = days(7);

/** A code that is refused so soon was not refused for its age. */
export const CODE_LIFE_MIN_MS = seconds(1);

const current = <T>(learned: Learned<T> | undefined, now: Instant): T | undefined =>
  learned !== undefined && now - learned.at < LEARNED_FOR_MS ? learned.value : undefined;

/**
 * Is it worth a call to find out whether the access token of before still works (`ask`), is there something to write down
 * (`pin`), or nothing to do?
 */
export function decidePreviousTokenCheck(
  settings: Pick<ServerSettings, "previousAccessTokens">,
  learned: Pick<LearnedProfile, "previousAccessTokens">,
  now: Instant,
): "ask" | "pin" | "nothing" {
  const known = current(learned.previousAccessTokens, now);
  if (settings.previousAccessTokens === "unknown") return known === undefined ? "ask" : "nothing";
  return known === settings.previousAccessTokens ? "nothing" : "pin";
}

/** How long a code of this server lives: as it is set, or less where one came too late sooner than that. */
export function codeLifeOf(
  settings: Pick<ServerSettings, "codeLifeMs">,
  learned: Pick<LearnedProfile, "codeLifeMs">,
  now: Instant,
): Milliseconds {
  return Math.min(settings.codeLifeMs, current(learned.codeLifeMs, now) ?? settings.codeLifeMs);
}
