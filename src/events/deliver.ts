import type { AuditNote } from "../broker/ports.ts";
import { webhookSecretContext } from "../broker/seal-contexts.ts";
import { type EventSubscription, signing, wants } from "../domain/event-subscription.ts";
import { type EventPosition, eventId, organisationOf, type SubscriptionId } from "../domain/id.ts";
import { type Instant, type Milliseconds, minutes, seconds } from "../domain/instant.ts";
import type { Policy } from "../domain/policy.ts";
import { Problem } from "../domain/problem.ts";
import type { Secret } from "../domain/secret.ts";
import {
  afterAttempt,
  deadBefore,
  isDown,
  type Receiver,
  type Sent,
  verdictOf,
  width,
} from "./delivery-plan.ts";
import type { StoredEvent } from "./ports.ts";
import type { BegunAnswer, LaneHead, Settled, SubscriptionPorts } from "./subscription-ports.ts";
import { laneOf, type ToldEvent, tellEvent } from "./tell-event.ts";

/** Three of a delivery's deadlines: whoever has not written for so long is dead. */
const LEASE_MS = seconds(30);
/** Of one run, while others may wait for its place: a receiver that takes its time with ever more to take would keep it for days. */
const TURN_MS = seconds(20);
/** How often who is told, and whether anything is sent at all, is looked at again while events leave. */
const LOOK_MS = 250;
const FANNED_OUT_AT_ONCE = 200;
/** Of one subscription: what comes after waits in the log, which all subscriptions share. */
const WAITING_MAX = 50_000;
const BURIED_AT_ONCE = 1_000;
/** After so many events a lane lets those that wait longer go before it. */
const IN_A_ROW = 20;
const CONTAINED_MS = seconds(30);
const STOPPED_MS = minutes(1);
const FULL_MS = seconds(30);
const BROKEN_MS = minutes(1);

const BY_WORKER: AuditNote = { actor: "worker", requestId: "deliver-events" };

type Ports = Pick<
  SubscriptionPorts,
  | "clock"
  | "random"
  | "log"
  | "sealer"
  | "subscriptions"
  | "deliveries"
  | "events"
  | "announcements"
  | "sender"
  | "clients"
  | "stops"
  | "meters"
>;

/** Tells subscriptions what the log has for them. One run of one subscription at a time, anywhere. */
export class Deliverer {
  readonly #ports: Ports;

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  /**
   * @param stopping starts nothing more: this process is going.
   * @returns `goes_on`: its turn is over, and there is more to do
   */
  async run(
    id: SubscriptionId,
    stopping: AbortSignal = new AbortController().signal,
  ): Promise<"ended" | "goes_on"> {
    const owner = Buffer.from(this.#ports.random.bytes(16)).toString("base64url");
    const begun = await this.#ports.deliveries.begin(id, owner, LEASE_MS);
    if (begun.kind !== "begun") return "ended";
    const run = new DeliveryRun(this.#ports, id, owner, begun, stopping);
    try {
      return await run.deliver();
    } catch (error) {
      // A record that was altered, a store that is away: not at once again.
      await this.#ports.deliveries.end(id, owner, BROKEN_MS).catch(() => {});
      throw error;
    }
  }
}

/** Whom events are told to, as it was when it was looked at last. */
interface Addressee {
  readonly subscription: EventSubscription;
  readonly policy: Policy | undefined;
  readonly secrets: readonly Secret[];
}

class DeliveryRun {
  readonly #ports: Ports;
  readonly #id: SubscriptionId;
  readonly #owner: string;
  readonly #stopping: AbortSignal;
  readonly #begunAt: Instant;
  readonly #since: Milliseconds;
  #cursor: EventPosition;
  #receiver: Receiver;
  #waiting: number;
  #addressee: Addressee | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** Nothing is sent for so long. */
  #heldMs: Milliseconds | undefined;
  #lost = false;
  readonly #running = new Map<string, Promise<void>>();

  constructor(
    ports: Ports,
    id: SubscriptionId,
    owner: string,
    begun: BegunAnswer & { kind: "begun" },
    stopping: AbortSignal,
  ) {
    this.#ports = ports;
    this.#id = id;
    this.#owner = owner;
    this.#stopping = stopping;
    this.#begunAt = begun.now;
    this.#since = ports.clock.monotonicMs();
    this.#cursor = begun.cursor;
    this.#receiver = begun.receiver;
    this.#waiting = begun.waiting;
  }

  async deliver(): Promise<"ended" | "goes_on"> {
    const { deliveries, announcements } = this.#ports;
    try {
      for (;;) {
        // Listen first, then look: what is told in between is announced to us.
        const announced = announcements.next(organisationOf(this.#id), LOOK_MS);
        try {
          await this.#look();
          const caughtUp = this.#mayGoOn() ? await this.#fanOut() : true;
          const started = this.#mayGoOn() ? await this.#startLanes() : 0;
          if (this.#lost) return "ended";
          if (this.#running.size > 0) {
            if (started === 0 && caughtUp) await Promise.race([...this.#running.values(), announced.arrived]);
            continue;
          }
          if (started > 0 || (!caughtUp && this.#mayGoOn())) continue;
          const waitMs = this.#untilThen();
          const goesOn = waitMs === 0 && this.#turnIsOver() && !this.#stopping.aborted;
          if ((await deliveries.end(this.#id, this.#owner, waitMs)) !== "more")
            return goesOn && this.#heldMs === undefined ? "goes_on" : "ended";
        } finally {
          announced.cancel();
        }
      }
    } finally {
      await Promise.allSettled(this.#running.values());
    }
  }

  /** By the store's clock. */
  #now(): Instant {
    return this.#begunAt + this.#ports.clock.monotonicMs() - this.#since;
  }

  #mayGoOn(): boolean {
    return !this.#lost && !this.#stopping.aborted && this.#heldMs === undefined && !this.#turnIsOver();
  }

  #turnIsOver(): boolean {
    return this.#ports.clock.monotonicMs() - this.#since > TURN_MS;
  }

  /** How long nothing is to be done, whatever is told; undefined: something told is something to do. */
  #untilThen(): Milliseconds | undefined {
    if (this.#heldMs !== undefined) return this.#heldMs;
    if (this.#stopping.aborted) return 0;
    const { at } = width(this.#receiver, this.#now());
    if (at !== undefined) return Math.max(0, at - this.#now());
    if (this.#turnIsOver()) return 0;
    return this.#waiting >= WAITING_MAX ? FULL_MS : undefined;
  }

  /** Who is told, and whether anything is sent at all: records, policies and containments as they are now. */
  async #look(): Promise<void> {
    const { subscriptions, clients, stops, clock } = this.#ports;
    if (clock.monotonicMs() - this.#lookedAt < LOOK_MS) return;
    this.#lookedAt = clock.monotonicMs();
    const subscription = await subscriptions.find(this.#id);
    if (subscription === undefined || !subscription.enabled) {
      this.#heldMs = 0;
      return;
    }
    const { client, organisation } = subscription;
    const [standing, { policy }, stop] = await Promise.all([
      clients.findStanding(client),
      clients.findPolicy(client, organisation),
      stops.findStop(organisation, { client }),
    ]);
    // Told at once, after all was looked up: lanes go on meanwhile by what was known before.
    this.#heldMs = stop !== undefined ? CONTAINED_MS : standing?.state === "active" ? undefined : STOPPED_MS;
    if (this.#heldMs !== undefined) return;
    const known = this.#addressee;
    const secrets =
      known?.subscription === subscription &&
      known.secrets.length === signing(subscription, this.#now()).length
        ? known.secrets
        : await this.#secretsOf(subscription);
    this.#addressee = { subscription, policy, secrets };
  }

  #secretsOf(subscription: EventSubscription): Promise<readonly Secret[]> {
    const context = webhookSecretContext(subscription);
    return Promise.all(
      signing(subscription, this.#now()).map(({ sealed }) => this.#ports.sealer.open(sealed, context)),
    );
  }

  /** Puts what the log has behind the cursor on its lanes, a part of it. Answers whether that was all. */
  async #fanOut(): Promise<boolean> {
    const { events, deliveries } = this.#ports;
    if (this.#waiting >= WAITING_MAX) return true;
    const from = this.#cursor;
    const answer = await events.read(organisationOf(this.#id), from, FANNED_OUT_AT_ONCE);
    const expired = answer.kind === "expired";
    const to = expired ? { number: answer.floor, at: 0 } : answer.next;
    if (to.number === from.number && to.at === from.at) return true;
    const told = expired ? [] : answer.events.filter((event) => this.#told(event) !== undefined);
    const batch = {
      from,
      to,
      events: told.map((event) => ({ lane: laneOf(event), position: event.position })),
      missed: expired ? answer.floor - from.number : 0,
    };
    if ((await deliveries.fanOut(this.#id, this.#owner, batch, LEASE_MS)) === "lost") {
      this.#lost = true;
      return true;
    }
    this.#cursor = to;
    this.#waiting += told.length;
    return !expired && answer.events.length < FANNED_OUT_AT_ONCE;
  }

  #told(event: StoredEvent): ToldEvent | undefined {
    const { subscription, policy } = this.#addressee!;
    if (event.kind === "test" && event.fields.to !== subscription.id) return undefined;
    if (!wants(subscription, event.kind)) return undefined;
    return tellEvent(event, { client: subscription.client, policy, address: undefined }, this.#now());
  }

  /** Answers how many. */
  async #startLanes(): Promise<number> {
    const { deliveries } = this.#ports;
    const before = deadBefore(this.#receiver, this.#now());
    if (before !== undefined) {
      const buried = await deliveries.bury(this.#id, this.#owner, before, BURIED_AT_ONCE, LEASE_MS);
      this.#waiting -= buried;
      if (buried === BURIED_AT_ONCE) return buried;
    }
    const room = width(this.#receiver, this.#now()).lanes - this.#running.size;
    if (room <= 0) return 0;
    const heads = await deliveries.take(this.#id, room + this.#running.size, isDown(this.#receiver));
    const fresh = heads.filter(({ lane }) => !this.#running.has(lane)).slice(0, room);
    for (const head of fresh) {
      const sending = this.#send(head).finally(() => this.#running.delete(head.lane));
      // Told by whoever waits for all of them; a rejection in between is not unhandled.
      sending.catch(() => {});
      this.#running.set(head.lane, sending);
    }
    return fresh.length;
  }

  /** One lane, event by event, each once the one before it was taken. */
  async #send(first: LaneHead): Promise<void> {
    let head: LaneHead | undefined = first;
    for (let sent = 0; head !== undefined && sent < IN_A_ROW && this.#mayGoOn(); sent++) {
      head = await this.#attempt(head);
      if (width(this.#receiver, this.#now()).lanes === 0) return;
    }
  }

  /** Answers the lane's next event, if it may be sent now. */
  async #attempt(head: LaneHead): Promise<LaneHead | undefined> {
    const { events, sender, random } = this.#ports;
    const event = await events.find(eventId(organisationOf(this.#id), positionOf(head)));
    const told = event && this.#told(event);
    if (event === undefined || told === undefined) return this.#withhold(head, event);
    const { subscription, secrets } = this.#addressee!;
    const { id, ...body } = told;
    const sent = await sender.send({ url: subscription.url, id, body: JSON.stringify(body), secrets });
    const chance = random.bytes(1)[0]! / 256;
    const after = afterAttempt(this.#receiver, head.tries, sent, this.#now(), chance);
    this.#ports.meters?.delivery(after.event.kind === "dead" ? "dead" : verdictOf(sent), sent.elapsedMs);
    this.#tellOperators(subscription, this.#receiver, after.receiver, sent);
    this.#receiver = after.receiver;
    const next = await this.#settle({
      ...head,
      kind: event.kind,
      event: after.event.kind,
      waitMs: after.event.kind === "again" ? after.event.waitMs : 0,
      tries: after.tries,
      attempt: { status: sent.status, reason: reasonOf(sent), elapsedMs: sent.elapsedMs },
      refused: verdictOf(sent) === "refused",
      receiver: after.receiver,
      wake: after.wake,
    });
    if (after.disable) await this.#disable(subscription);
    return next;
  }

  /** It may not be told any more, or is no longer kept. */
  #withhold(head: LaneHead, event: StoredEvent | undefined): Promise<LaneHead | undefined> {
    return this.#settle({
      ...head,
      kind: event?.kind ?? "test",
      event: "withheld",
      waitMs: 0,
      attempt: undefined,
      refused: false,
      receiver: this.#receiver,
      wake: false,
    });
  }

  async #settle(settled: Settled): Promise<LaneHead | undefined> {
    const answer = await this.#ports.deliveries.settle(this.#id, this.#owner, settled, LEASE_MS);
    if (answer.kind === "lost") {
      this.#lost = true;
      return undefined;
    }
    if (settled.event !== "again") this.#waiting -= 1;
    return answer.next;
  }

  /** The receiver has said that it is gone. What waits is kept, for whoever enables it again. */
  async #disable(before: EventSubscription): Promise<void> {
    this.#heldMs = 0;
    const to: EventSubscription = { ...before, enabled: false, disabledBecause: "gone" };
    try {
      await this.#ports.subscriptions.put(to, { before, fields: ["enabled"], note: BY_WORKER });
    } catch (error) {
      // Somebody changes it at this moment: should its receiver still be gone, the next attempt says so again.
      if (!(error instanceof Problem) || error.code !== "configuration_conflict") throw error;
    }
  }

  #tellOperators(of: EventSubscription, before: Receiver, after: Receiver, sent: Sent): void {
    if (isDown(before) === isDown(after)) return;
    const fields = { subscription: of.id, client: of.client, organisation: of.organisation };
    if (isDown(after))
      this.#ports.log.warn({ ...fields, code: "receiver_down", detail: reasonOf(sent) }, "events");
    else this.#ports.log.info({ ...fields, outcome: "receiver_answers" }, "events");
  }
}

function positionOf({ waiting }: LaneHead): EventPosition {
  const [number, at] = waiting.split("-");
  return { number: Number(number), at: Number(at) };
}

const reasonOf = (sent: Sent): string =>
  sent.status === undefined ? sent.reason : sent.status >= 300 && sent.status < 400 ? "redirect" : "answered";
