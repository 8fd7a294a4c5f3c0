import type { ServerId } from "../../domain/id.ts";
import type { Milliseconds } from "../../domain/instant.ts";
import type { LearnedProfile } from "../../domain/server-profile.ts";

/** What servers' answers have taught, shared by every process. */
export interface ServerProfiles {
  findProfile(server: ServerId): Promise<LearnedProfile>;
  /** From now on this counts: the latest observation wins. */
  learnPreviousAccessTokens(server: ServerId, observed: "survive" | "end"): Promise<void>;
  /** A code of this age came too late. MUST keep the youngest of those that still count. */
  learnLateCode(server: ServerId, ageMs: Milliseconds): Promise<void>;
}
