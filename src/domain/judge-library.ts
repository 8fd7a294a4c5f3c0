import type { ClosedGate } from "./closed-server.ts";
import type { Cause } from "./diagnosis-causes.ts";
import type { Grant } from "./grant.ts";
import type { Instant } from "./instant.ts";
import { type LibraryStanding, parkedBy } from "./library-standing.ts";
import { type LibraryTrouble, type LibraryTroubleCode, libraryTrouble } from "./library-trouble.ts";

/** All that is known of a library that somebody has lent an authorisation. */
export interface LibrarySeen {
  readonly now: Instant;
  /** Who lent it, in words. */
  readonly owner: string;
  readonly grant:
    | Pick<Grant, "state" | "refreshable" | "lastProblem" | "refreshTokenExpiresAt" | "accessTokenExpiresAt">
    | undefined;
  readonly gate: ClosedGate | undefined;
  /** What the server's last diagnosis found failed. */
  readonly causes: readonly Cause[];
  /** What the last look at the owner's role said. */
  readonly standing: LibraryStanding | undefined;
}

/**
 * What is wrong with a library's authorisation: what has ended first, then what stops it, then what only hinders it.
 * Undefined: nothing is known to be wrong. Rows are tested one by one in `test/domain/judge-library.test.ts`.
 */
export function judgeLibrary(seen: LibrarySeen): LibraryTrouble | undefined {
  const { grant, gate, standing, owner } = seen;
  const is = (code: LibraryTroubleCode, since: Instant | undefined) => libraryTrouble(code, since, owner);

  if (grant === undefined) return is("authorization_ended", undefined);
  const failedAt = grant.lastProblem?.at;
  switch (grant.state) {
    case "paused":
      return is("paused", failedAt);
    case "reauthorization_required":
    case "revoked":
      return whyEnded(seen);
    default:
      break;
  }
  if (!grant.refreshable && (grant.accessTokenExpiresAt ?? 0) <= seen.now)
    return is("refresh_switched_off", grant.accessTokenExpiresAt);
  const fault = parkedBy(standing);
  if (fault !== undefined) return is(fault, standing?.since);
  if (gate?.why === "misconfigured") {
    const disabled = seen.causes.includes("application.not_enabled");
    return is(disabled ? "application_disabled" : "client_secret_changed", gate.since);
  }
  if (gate?.why === "incident") return is("many_refused", gate.since);
  if (gate?.why === "upstream") return is("imanage_unreachable", gate.since);
  return undefined;
}

function whyEnded({ grant, standing, causes, now, owner }: LibrarySeen): LibraryTrouble {
  const since = grant?.lastProblem?.at;
  const code: LibraryTroubleCode = (() => {
    if (standing?.account === "unknown") return "owner_left";
    if ((grant?.refreshTokenExpiresAt ?? Infinity) <= now) return "authorization_expired";
    if (causes.includes("application.not_enabled")) return "application_disabled";
    return standing?.account === "there" ? "owner_blocked_or_signed_out" : "authorization_ended";
  })();
  return libraryTrouble(code, since, owner);
}
