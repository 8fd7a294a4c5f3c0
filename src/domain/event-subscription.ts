import type { EventKind } from "./event-kinds.ts";
import type { ClientId, OrganisationId, SubscriptionId } from "./id.ts";
import type { Instant, Milliseconds } from "./instant.ts";
import { hours } from "./instant.ts";
import type { Sealed } from "./sealed.ts";

/** A client's wish to be called when something happens in an organisation. */
export interface EventSubscription {
  readonly v: 1;
  readonly id: SubscriptionId;
  readonly organisation: OrganisationId;
  readonly client: ClientId;
  /** Where it is called. */
  readonly url: string;
  readonly kinds: "all" | readonly EventKind[];
  readonly description: string;
  readonly enabled: boolean;
  /** Why it was disabled, where nobody did it: its receiver said that it is gone (410). */
  readonly disabledBecause?: "gone";
  /** Newest first; two while one takes the other's place. */
  readonly secrets: readonly SubscriptionSecret[];
  readonly createdAt: Instant;
}

/** What deliveries are signed with. Sealed for the origin of the URL. */
export interface SubscriptionSecret {
  readonly sealed: Sealed;
  readonly addedAt: Instant;
  readonly endsAt?: Instant;
}

export const subscriptionLimits = {
  /** Of one client in one organisation. */
  perClient: 50,
  urlLength: 2_048,
  descriptionLength: 200,
  /** How long an earlier secret goes on signing, unless said otherwise. */
  overlapMs: hours(24) as Milliseconds,
  overlapMaxMs: hours(24 * 7) as Milliseconds,
} as const;

/** Secrets that sign now, newest first. */
export const signing = (
  { secrets }: Pick<EventSubscription, "secrets">,
  now: Instant,
): readonly SubscriptionSecret[] => secrets.filter(({ endsAt }) => endsAt === undefined || endsAt > now);

/** A new secret beside the one there is, which ends; there are never more than two. */
export function withNewSecret(
  subscription: EventSubscription,
  sealed: Sealed,
  now: Instant,
  overlapMs: Milliseconds,
): EventSubscription {
  const [latest] = signing(subscription, now);
  const earlier = latest === undefined || overlapMs <= 0 ? [] : [{ ...latest, endsAt: now + overlapMs }];
  return { ...subscription, secrets: [{ sealed, addedAt: now }, ...earlier] };
}

export const wants = ({ kinds }: Pick<EventSubscription, "kinds">, kind: EventKind): boolean =>
  kind === "test" || kinds === "all" || kinds.includes(kind);
