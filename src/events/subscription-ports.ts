import type { ClientStore } from "../broker/clients/ports.ts";
import type { Stops } from "../broker/containment/ports.ts";
import type { Meters } from "../broker/meter-ports.ts";
import type { AuditNote, Clock, Log, Random, RecordWrite, Sealer } from "../broker/ports.ts";
import type { EventKind } from "../domain/event-kinds.ts";
import type { EventSubscription } from "../domain/event-subscription.ts";
import type { ClientId, EventId, EventPosition, OrganisationId, SubscriptionId } from "../domain/id.ts";
import type { Instant, Milliseconds } from "../domain/instant.ts";
import type { Secret } from "../domain/secret.ts";
import type { Receiver, Sent } from "./delivery-plan.ts";
import type { EventAnnouncements, EventLog } from "./ports.ts";

/** What subscriptions and their deliveries need besides the log. `main` introduces them. */
export interface SubscriptionPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly sealer: Pick<Sealer, "seal" | "open">;
  readonly subscriptions: SubscriptionStore;
  readonly deliveries: DeliveryStore;
  readonly events: Pick<EventLog, "read" | "find" | "newest">;
  readonly announcements: EventAnnouncements;
  readonly sender: WebhookSender;
  readonly secrets: WebhookSecrets;
  readonly clients: Pick<ClientStore, "findPolicy" | "findStanding">;
  /** Nothing is sent for a client where its tokens are stopped. */
  readonly stops: Stops;
  readonly meters?: Pick<Meters, "delivery">;
}

export interface SubscriptionStore {
  /** @throws Problem("integrity_failure") for one that no broker wrote there */
  find(id: SubscriptionId): Promise<EventSubscription | undefined>;
  /** Of one client, or of all, oldest first; altered ones are left out, and told in the log. */
  list(organisation: OrganisationId, client: ClientId | undefined): Promise<readonly EventSubscription[]>;
  /**
   * Stores a record with its audit entry, in one step; a new one is told what happens from then on.
   * @throws Problem("configuration_conflict")
   */
  put(to: EventSubscription, write: RecordWrite<EventSubscription>): Promise<void>;
  /** Takes it away with everything that waits for it. @throws Problem("configuration_conflict") */
  delete(before: EventSubscription, note: AuditNote): Promise<void>;
  /** Writes a test event for one subscription into the log. @throws Problem("too_much_at_once") */
  emitTest(subscription: EventSubscription): Promise<EventPosition>;
}

/** Makes `whsec_…`, as Standard Webhooks writes its symmetric secrets. */
export interface WebhookSecrets {
  make(): Secret;
}

/** Sends one event, signed, through the egress guard (T18). Never throws for what a receiver did. */
export interface WebhookSender {
  /** Why nothing is ever sent there, in one word; undefined: the address may be tried. */
  refusal(url: string): string | undefined;
  send(delivery: SignedDelivery): Promise<Sent & { readonly elapsedMs: Milliseconds }>;
}

export interface SignedDelivery {
  readonly url: string;
  /** The event's: the same however often it is sent. */
  readonly id: EventId;
  readonly body: string;
  /** Newest first; each signs. */
  readonly secrets: readonly Secret[];
}

/** One event on its way: `<number>-<when it happened>-<when it was put on its lane>`. */
export type Waiting = `${number}-${number}-${number}`;

export interface LaneHead {
  readonly lane: string;
  readonly waiting: Waiting;
  /** Scheduled attempts so far. */
  readonly tries: number;
}

/**
 * What waits for each subscription: a cursor into the log, and behind it lanes, each a list of events in their order. One process at a
 * time works on a subscription, by a lease that every write renews; who has lost it is told so and changes nothing.
 */
export interface DeliveryStore {
  /** Takes the lease. Should whoever takes it die, the subscription is due again when it ends. */
  begin(id: SubscriptionId, owner: string, leaseMs: Milliseconds): Promise<BegunAnswer>;
  /** Puts events behind their lanes and moves the cursor, in one step; only if it stands where it was read. */
  fanOut(id: SubscriptionId, owner: string, batch: FanOut, leaseMs: Milliseconds): Promise<"stored" | "lost">;
  /** Heads of lanes whose time has come, the longest waiting first. @param probing the first of all, due or not */
  take(id: SubscriptionId, limit: number, probing: boolean): Promise<readonly LaneHead[]>;
  /** Notes one attempt and what becomes of the event; answers the lane's next one if that is due. */
  settle(id: SubscriptionId, owner: string, settled: Settled, leaseMs: Milliseconds): Promise<SettleAnswer>;
  /** Makes dead letters of what was put on a lane before a moment; answers how many, bounded. */
  bury(
    id: SubscriptionId,
    owner: string,
    before: Instant,
    limit: number,
    leaseMs: Milliseconds,
  ): Promise<number>;
  /**
   * Gives the lease back. `more`: something was told meanwhile, and the lease is kept.
   * @param heldMs nothing is to be done before; undefined: whenever something is told or a lane is due
   */
  end(
    id: SubscriptionId,
    owner: string,
    heldMs: Milliseconds | undefined,
  ): Promise<"ended" | "more" | "lost">;

  /**
   * Puts events on their lanes once more, behind what waits there, and takes them from the dead ones.
   * @param most may wait
   * @param audited whose it is and who did it: an entry is written in the same step
   * @throws Problem("too_much_at_once") where more would wait with them: none is put there
   */
  sendAgain(
    id: SubscriptionId,
    events: readonly { readonly lane: string; readonly position: EventPosition }[],
    most: number,
    audited: { readonly client: ClientId; readonly note: AuditNote } | undefined,
  ): Promise<void>;
  /** Dead letters, oldest first. */
  dead(id: SubscriptionId, after: number, limit: number): Promise<readonly EventPosition[]>;
  summary(id: SubscriptionId): Promise<DeliverySummary>;
  /** What became of events that were tried, newest event first. */
  history(id: SubscriptionId, before: number | undefined, limit: number): Promise<readonly DeliveryRecord[]>;
  findDelivery(id: SubscriptionId, event: EventPosition): Promise<DeliveryRecord | undefined>;

  /** Organisations that may have something due, by the hint. */
  dueOrganisations(limit: number): Promise<readonly OrganisationId[]>;
  due(organisation: OrganisationId, limit: number): Promise<readonly SubscriptionId[]>;
  restateHint(organisation: OrganisationId): Promise<void>;
  /** Subscriptions that are behind the organisation's log and not held. */
  behind(organisation: OrganisationId): Promise<readonly SubscriptionId[]>;
  /** Every organisation that there is. */
  organisations(): Promise<readonly OrganisationId[]>;
}

export type BegunAnswer =
  | { readonly kind: "gone" | "leased" }
  | {
      readonly kind: "begun";
      /** By the store's clock. */
      readonly now: Instant;
      readonly cursor: EventPosition;
      readonly receiver: Receiver;
      /** How many wait on lanes. */
      readonly waiting: number;
    };

export interface FanOut {
  readonly from: EventPosition;
  readonly to: EventPosition;
  readonly events: readonly { readonly lane: string; readonly position: EventPosition }[];
  /** Events that were no longer kept when it was their turn. */
  readonly missed: number;
}

export interface Settled extends LaneHead {
  readonly kind: EventKind;
  readonly event: "done" | "again" | "dead" | "withheld";
  readonly waitMs: Milliseconds;
  /** Undefined: nothing was sent. */
  readonly attempt:
    | { readonly status: number | undefined; readonly reason: string; readonly elapsedMs: Milliseconds }
    | undefined;
  /** It was refused, not its receiver down: it waits by its own schedule, whoever wakes the others. */
  readonly refused: boolean;
  readonly receiver: Receiver;
  /** Every other lane that waits is due. */
  readonly wake: boolean;
}

export type SettleAnswer =
  | { readonly kind: "settled"; readonly next: LaneHead | undefined }
  | { readonly kind: "lost" };

/** What became of one event for one subscription. */
export interface DeliveryRecord {
  readonly position: EventPosition;
  readonly kind: EventKind;
  readonly state: "delivered" | "waiting" | "dead" | "withheld";
  readonly attempts: readonly DeliveryAttempt[];
}

export interface DeliveryAttempt {
  readonly at: Instant;
  readonly status: number | undefined;
  readonly reason: string;
  readonly elapsedMs: Milliseconds;
}

export interface DeliverySummary {
  readonly receiver: Receiver;
  readonly waiting: number;
  readonly delivered: number;
  readonly dead: number;
  readonly missed: number;
  readonly lastTakenAt: Instant | undefined;
  readonly lastFailure: Pick<DeliveryAttempt, "at" | "status" | "reason"> | undefined;
  /** When something is sent next, unless something happens before; undefined: nothing waits. */
  readonly nextAt: Instant | undefined;
}
