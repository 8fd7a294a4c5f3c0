import type { Caller } from "../broker/clients/ports.ts";
import type { AuditNote } from "../broker/ports.ts";
import { webhookSecretContext } from "../broker/seal-contexts.ts";
import type { EventKind } from "../domain/event-kinds.ts";
import {
  type EventSubscription,
  subscriptionLimits as limits,
  signing,
  withNewSecret,
} from "../domain/event-subscription.ts";
import {
  type EventId,
  type EventPosition,
  eventId,
  eventPosition,
  makeId,
  type OrganisationId,
  organisationOf,
  routeOf,
  type SubscriptionId,
} from "../domain/id.ts";
import type { Instant, Milliseconds } from "../domain/instant.ts";
import { mustAllow } from "../domain/policy-refusal.ts";
import { Problem } from "../domain/problem.ts";
import type { Secret } from "../domain/secret.ts";
import type { StoredEvent } from "./ports.ts";
import type { DeliveryRecord, DeliverySummary, SubscriptionPorts } from "./subscription-ports.ts";
import { laneOf, tellEvent } from "./tell-event.ts";

export interface Told {
  readonly url: string;
  readonly kinds: "all" | readonly EventKind[];
  readonly description: string;
  readonly enabled: boolean;
}

/** What is sent once more: one event, those of a time, or every dead letter. */
export type ReplayWish =
  | { readonly event: EventId }
  | { readonly from: Instant; readonly to: Instant }
  | { readonly dead: true };

export interface SubscriptionView {
  readonly subscription: EventSubscription;
  readonly delivery: DeliverySummary;
}

export interface DeliveryView extends Omit<DeliveryRecord, "position"> {
  readonly event: EventId;
  readonly at: Instant;
  /** Where it stands in the list. */
  readonly number: number;
}

const AT_ONCE = 500;
/** Of a replay: what is more is asked for in parts. As many wait for a subscription at the most. */
const REPLAYED_MAX = 100_000;

type Ports = Pick<
  SubscriptionPorts,
  | "clock"
  | "random"
  | "sealer"
  | "subscriptions"
  | "deliveries"
  | "events"
  | "sender"
  | "secrets"
  | "clients"
  | "stops"
>;

/** What clients do with their subscriptions. Another client's is not there, nor is one where its policy has no `events`. */
export class Subscriptions {
  readonly #ports: Ports;
  readonly #waitingMax: number;

  constructor(ports: Ports, { waitingMax = REPLAYED_MAX }: { readonly waitingMax?: number } = {}) {
    this.#ports = ports;
    this.#waitingMax = waitingMax;
  }

  /** @returns the secret beside it, which nobody is shown again */
  async create(
    caller: Caller,
    organisation: OrganisationId,
    told: Partial<Told> & Pick<Told, "url">,
    note: AuditNote,
  ): Promise<{ readonly view: SubscriptionView; readonly secret: Secret }> {
    const { clock, random, subscriptions } = this.#ports;
    await this.#mustBeAllowed(caller, organisation);
    await this.#mayWrite(caller, organisation);
    const there = await subscriptions.list(organisation, caller.client);
    if (there.length >= limits.perClient) {
      throw new Problem("configuration_refused", {
        detail: `A client has at most ${limits.perClient} subscriptions in an organisation.`,
      });
    }
    const now = clock.now();
    const bare: EventSubscription = {
      v: 1,
      id: makeId("sub", routeOf(organisation), now, random.bytes(16)),
      organisation,
      client: caller.client,
      url: this.#mayBeCalled(told.url),
      kinds: kindsOf(told.kinds ?? "all"),
      description: told.description ?? "",
      enabled: told.enabled ?? true,
      secrets: [],
      createdAt: now,
    };
    const { subscription, secret } = await this.#withSecret(bare, 0);
    const fields = ["url", "kinds", "description", "enabled", "secret"];
    await subscriptions.put(subscription, { before: undefined, fields, note });
    return { view: await this.#view(subscription), secret };
  }

  async find(caller: Caller, id: SubscriptionId): Promise<SubscriptionView> {
    return this.#view(await this.#find(caller, id));
  }

  /** The client's own, oldest first. */
  async list(caller: Caller, organisation: OrganisationId): Promise<readonly SubscriptionView[]> {
    await this.#mustBeAllowed(caller, organisation);
    const found = await this.#ports.subscriptions.list(organisation, caller.client);
    return Promise.all(found.map((subscription) => this.#view(subscription)));
  }

  /** What is not told stays. */
  async change(
    caller: Caller,
    id: SubscriptionId,
    told: Partial<Told>,
    note: AuditNote,
  ): Promise<SubscriptionView> {
    return this.#change(await this.#findToWrite(caller, id), told, note);
  }

  async delete(caller: Caller, id: SubscriptionId, note: AuditNote): Promise<void> {
    const before = await this.#findToWrite(caller, id);
    await this.#ports.subscriptions.delete(before, note);
  }

  /** Another secret beside the one there is, which goes on signing until it ends. */
  async rotateSecret(
    caller: Caller,
    id: SubscriptionId,
    overlapMs: Milliseconds | undefined,
    note: AuditNote,
  ): Promise<{ readonly view: SubscriptionView; readonly secret: Secret }> {
    const before = await this.#findToWrite(caller, id);
    const { subscription, secret } = await this.#withSecret(before, overlapMs ?? limits.overlapMs);
    const write = { before, fields: ["secret"], act: "secret_rotated" as const, note };
    await this.#ports.subscriptions.put(subscription, write);
    return { view: await this.#view(subscription), secret };
  }

  /** Tells it an event that nothing has brought about. */
  async test(caller: Caller, id: SubscriptionId): Promise<EventId> {
    const subscription = await this.#findToWrite(caller, id);
    if (!subscription.enabled) {
      throw new Problem("invalid_request", { detail: "The subscription is disabled; enable it." });
    }
    return eventId(subscription.organisation, await this.#ports.subscriptions.emitTest(subscription));
  }

  /** What became of events that were tried, newest event first; of one alone where it is named. */
  async deliveries(
    caller: Caller,
    id: SubscriptionId,
    of: { readonly event?: EventId; readonly before?: number; readonly limit: number },
  ): Promise<readonly DeliveryView[]> {
    const { organisation } = await this.#find(caller, id);
    const { deliveries } = this.#ports;
    if (of.event === undefined)
      return (await deliveries.history(id, of.before, of.limit)).map(viewIn(organisation));
    const position = organisationOf(of.event) === organisation ? eventPosition(of.event) : undefined;
    const found = position && (await deliveries.findDelivery(id, position));
    return found === undefined ? [] : [viewIn(organisation)(found)];
  }

  /** Answers how many are sent again at the most: those that it did not subscribe to are left out as they leave. */
  async replay(caller: Caller, id: SubscriptionId, wish: ReplayWish, note: AuditNote): Promise<number> {
    return this.#replay(await this.#findToWrite(caller, id), wish, note);
  }

  /** For operators, who see every client's. */
  readonly operators = {
    list: async (organisation: OrganisationId): Promise<readonly SubscriptionView[]> => {
      const found = await this.#ports.subscriptions.list(organisation, undefined);
      return Promise.all(found.map((subscription) => this.#view(subscription)));
    },
    find: async (id: SubscriptionId): Promise<SubscriptionView> => this.#view(await this.#known(id)),
    change: async (
      id: SubscriptionId,
      told: Pick<Told, "enabled">,
      note: AuditNote,
    ): Promise<SubscriptionView> => this.#change(await this.#known(id), told, note),
    replay: async (id: SubscriptionId, wish: ReplayWish, note: AuditNote): Promise<number> =>
      this.#replay(await this.#known(id), wish, note),
  };

  async #change(before: EventSubscription, told: Partial<Told>, note: AuditNote): Promise<SubscriptionView> {
    const given = Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined));
    const kinds = told.kinds === undefined ? {} : { kinds: kindsOf(told.kinds) };
    const { disabledBecause, ...kept } = before;
    let to: EventSubscription = { ...kept, ...given, ...kinds };
    if (!to.enabled && disabledBecause !== undefined) to = { ...to, disabledBecause };
    if (to.url !== before.url) {
      this.#mayBeCalled(to.url);
      to = await this.#sealedFor(to, before);
    }
    const fields = Object.keys(to).filter(
      (name) => name !== "secrets" && !same(to[name as keyof Told], before[name as keyof Told]),
    );
    if (fields.length > 0) await this.#ports.subscriptions.put(to, { before, fields, note });
    return this.#view(to);
  }

  async #replay(
    { id, client, organisation }: EventSubscription,
    wish: ReplayWish,
    note: AuditNote,
  ): Promise<number> {
    const { deliveries, events, clients, clock } = this.#ports;
    const { policy } = await clients.findPolicy(client, organisation);
    // Whoever asks: what its client may not know of is not put on a lane, or the list of deliveries would tell that it was (T29).
    const mayBeTold = (event: StoredEvent) =>
      (event.kind !== "test" || event.fields.to === id) &&
      tellEvent(event, { client, policy, address: undefined }, clock.now()) !== undefined;
    let count = 0;
    const again = async (all: readonly StoredEvent[]) => {
      const found = all.filter(mayBeTold);
      if (found.length === 0) return;
      await deliveries.sendAgain(
        id,
        found.map((event) => ({ lane: laneOf(event), position: event.position })),
        this.#waitingMax,
        count === 0 ? { client, note } : undefined,
      );
      count += found.length;
    };
    if ("event" in wish) {
      const event = organisationOf(wish.event) === organisation ? await events.find(wish.event) : undefined;
      if (event === undefined || !mayBeTold(event)) throw new Problem("not_found");
      await again([event]);
    } else if ("dead" in wish) {
      for (let after = 0; count < REPLAYED_MAX; ) {
        const dead = await deliveries.dead(id, after, AT_ONCE);
        if (dead.length === 0) break;
        after = dead.at(-1)!.number;
        await again(await this.#eventsAt(organisation, dead));
      }
    } else await this.#ofTime(organisation, wish, again);
    return count;
  }

  async #ofTime(
    organisation: OrganisationId,
    { from, to }: { readonly from: Instant; readonly to: Instant },
    again: (found: readonly StoredEvent[]) => Promise<void>,
  ): Promise<void> {
    const { events } = this.#ports;
    const newest = (await events.newest(organisation)).number;
    // There is no such number yet: the log then answers what is of a later time.
    let after: EventPosition | undefined = { number: newest + 1, at: from - 1 };
    for (let looked = 0; looked < REPLAYED_MAX; looked += AT_ONCE) {
      const answer = await events.read(organisation, after, AT_ONCE);
      // Trimmed while we read: what went is no longer kept.
      if (answer.kind === "expired") {
        after = undefined;
        continue;
      }
      const due = answer.events.filter(
        ({ position }) => position.number <= newest && position.at >= from && position.at <= to,
      );
      await again(due);
      const last = answer.events.at(-1)?.position;
      if (last === undefined || last.number >= newest || last.at > to) return;
      after = answer.next;
    }
  }

  async #eventsAt(
    organisation: OrganisationId,
    positions: readonly EventPosition[],
  ): Promise<readonly StoredEvent[]> {
    const found = await Promise.all(
      positions.map((position) => this.#ports.events.find(eventId(organisation, position))),
    );
    return found.filter((event) => event !== undefined);
  }

  async #find(caller: Caller, id: SubscriptionId): Promise<EventSubscription> {
    const subscription = await this.#known(id);
    if (subscription.client !== caller.client) throw new Problem("not_found");
    await this.#mustBeAllowed(caller, subscription.organisation);
    return subscription;
  }

  async #known(id: SubscriptionId): Promise<EventSubscription> {
    const subscription = await this.#ports.subscriptions.find(id);
    if (subscription === undefined) throw new Problem("not_found");
    return subscription;
  }

  async #mustBeAllowed({ client, address }: Caller, organisation: OrganisationId): Promise<void> {
    const { policy } = await this.#ports.clients.findPolicy(client, organisation);
    const asked = { action: "events", server: undefined, subject: undefined, address } as const;
    mustAllow(policy, asked, this.#ports.clock.now());
  }

  /** Whoever holds a contained client's secret neither leads its events elsewhere nor silences them. @throws Problem contained */
  async #mayWrite({ client }: Caller, organisation: OrganisationId): Promise<void> {
    const stop = await this.#ports.stops.findStop(organisation, { client });
    if (stop !== undefined) throw new Problem("contained", { members: { containment: stop } });
  }

  async #findToWrite(caller: Caller, id: SubscriptionId): Promise<EventSubscription> {
    const subscription = await this.#find(caller, id);
    await this.#mayWrite(caller, subscription.organisation);
    return subscription;
  }

  /** @throws Problem("invalid_request") for an address that nothing is ever sent to (T18) */
  #mayBeCalled(url: string): string {
    const because =
      url.length > limits.urlLength
        ? "url_too_long"
        : // A URL's parser leaves them out or escapes them, and so they would stand in no address that is called, but in records.
          /[\p{C}\p{Z}]/u.test(url)
          ? "url_malformed"
          : this.#ports.sender.refusal(url);
    if (because === undefined) return url;
    const message = `${REFUSALS[because] ?? "is no address that events may be sent to"} (${because})`;
    throw new Problem("invalid_request", { faults: [{ field: "url", message }] });
  }

  async #withSecret(
    of: EventSubscription,
    overlapMs: Milliseconds,
  ): Promise<{ readonly subscription: EventSubscription; readonly secret: Secret }> {
    const { clock, sealer, secrets } = this.#ports;
    const secret = secrets.make();
    const sealed = await sealer.seal(secret, webhookSecretContext(of));
    return { subscription: withNewSecret(of, sealed, clock.now(), overlapMs), secret };
  }

  /** Secrets are sealed for the origin that they sign for: another address, another seal. */
  async #sealedFor(to: EventSubscription, before: EventSubscription): Promise<EventSubscription> {
    const { clock, sealer } = this.#ports;
    const secrets = await Promise.all(
      signing(before, clock.now()).map(async (secret) => ({
        ...secret,
        sealed: await sealer.seal(
          await sealer.open(secret.sealed, webhookSecretContext(before)),
          webhookSecretContext(to),
        ),
      })),
    );
    return { ...to, secrets };
  }

  async #view(subscription: EventSubscription): Promise<SubscriptionView> {
    return { subscription, delivery: await this.#ports.deliveries.summary(subscription.id) };
  }
}

const REFUSALS: Readonly<Record<string, string>> = {
  url_malformed: "is no URL",
  url_scheme: "must begin with https://",
  url_userinfo: "must not carry a name or a password",
  url_fragment: "must not carry a fragment",
  url_port: "names a port that nothing is sent to",
  address_denied: "is no public address",
  url_too_long: `must not be longer than ${limits.urlLength} characters`,
};

const kindsOf = (kinds: Told["kinds"]): Told["kinds"] =>
  kinds === "all" ? kinds : [...new Set(kinds)].sort();
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

const viewIn =
  (organisation: OrganisationId) =>
  ({ position, ...record }: DeliveryRecord): DeliveryView => ({
    ...record,
    event: eventId(organisation, position),
    at: position.at,
    number: position.number,
  });
