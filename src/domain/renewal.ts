import type { Grant } from "./grant.ts";
import type { GrantId } from "./id.ts";
import { days, hours, type Instant } from "./instant.ts";

/** What an admin has to do about one authorization that libraries depend on, and when. */
export type Renewal = Due | Ended;

interface Due {
  readonly kind: "due";
  readonly grant: GrantId;
  readonly libraries: readonly string[];
  readonly endsAt: Instant;
  /** The day for it, with time to spare; undefined where there is less than a week in between anyway. */
  readonly renewOn: Day | undefined;
  readonly lastDay: Day;
}

interface Ended {
  readonly kind: "ended";
  readonly grant: GrantId;
  readonly libraries: readonly string[];
  readonly since: Day;
  /** As long as it is so; one day ahead, since some calendars look once a day. */
  readonly until: Day;
}

/** A date without a time, as the instant at which it begins in UTC. */
export type Day = Instant;

export const dayOf = (at: Instant): Day => Math.floor(at / days(1)) * days(1);

/** The last day that is over before `endsAt` wherever on earth the calendar hangs: behind UTC by twelve hours at most. */
export const lastWholeDay = (endsAt: Instant): Day => dayOf(endsAt - hours(12)) - days(1);

export interface LentLibrary {
  readonly library: string;
  readonly grant: GrantId;
  readonly since: Instant;
}

/** The renewals of one admin, by what he has lent at one server. */
export function decideRenewals(
  lent: readonly LentLibrary[],
  grants: ReadonlyMap<GrantId, Grant>,
  now: Instant,
): readonly Renewal[] {
  return [...Map.groupBy(lent, ({ grant }) => grant)]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([id, of]): readonly Renewal[] => {
      const libraries = of.map(({ library }) => library).toSorted();
      const grant = grants.get(id);
      const endedAt = grant === undefined ? Math.max(...of.map(({ since }) => since)) : whenEnded(grant, now);
      if (endedAt !== undefined)
        return [
          {
            kind: "ended",
            grant: id,
            libraries,
            since: dayOf(Math.min(endedAt, now)),
            until: dayOf(now) + days(1),
          },
        ];
      // Without an end it lasts as long as the sign-in, minutes: nothing for a calendar.
      const endsAt = grant!.refreshTokenExpiresAt;
      if (endsAt === undefined) return [];
      const lastDay = lastWholeDay(endsAt);
      const renewOn = lastDay - days(7);
      const hasRoom = renewOn > dayOf(grant!.consentedAt);
      return [{ kind: "due", grant: id, libraries, endsAt, renewOn: hasRoom ? renewOn : undefined, lastDay }];
    });
}

function whenEnded(grant: Grant, now: Instant): Instant | undefined {
  if (grant.state === "reauthorization_required" || grant.state === "revoked")
    return grant.lastProblem?.at ?? grant.refreshTokenExpiresAt ?? grant.consentedAt;
  const ends = grant.refreshable ? grant.refreshTokenExpiresAt : grant.accessTokenExpiresAt;
  return ends !== undefined && ends <= now ? ends : undefined;
}
