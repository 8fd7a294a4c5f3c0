import type { AuditNote } from "../broker/ports.ts";
import type { EventKind } from "../domain/event-kinds.ts";
import {
  type ClientId,
  type EventPosition,
  type OrganisationId,
  organisationOf,
  type SubscriptionId,
} from "../domain/id.ts";
import { type Instant, type Milliseconds, minutes } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import type { Receiver } from "../events/delivery-plan.ts";
import type {
  BegunAnswer,
  DeliveryAttempt,
  DeliveryRecord,
  DeliveryStore,
  DeliverySummary,
  FanOut,
  LaneHead,
  SettleAnswer,
  Settled,
  Waiting,
} from "../events/subscription-ports.ts";
import { DueHint } from "./due-hint.ts";
import {
  deliveryDueHintKey,
  deliveryDueKey,
  deliveryKey,
  deliveryPartKey,
  gateKey,
  organisationNamesKey,
  subscriptionKey,
  subscriptionsKey,
} from "./keys.ts";
import { fieldsOf } from "./redis-grant-store.ts";
import type { RedisStore } from "./redis-store.ts";

export interface RedisDeliveryStoreOptions {
  /** Events of one subscription of which it is known what became of them. */
  readonly recordsKept?: number;
  readonly deadKept?: number;
}

/** What waits for subscriptions, and what became of it. */
export class RedisDeliveryStore implements DeliveryStore {
  readonly #store: RedisStore;
  readonly #dueHint: DueHint;
  readonly #recordsKept: number;
  readonly #deadKept: number;

  constructor(
    store: RedisStore,
    { recordsKept = 2_000, deadKept = 100_000 }: RedisDeliveryStoreOptions = {},
  ) {
    this.#store = store;
    this.#dueHint = new DueHint(store, deliveryDueHintKey(), deliveryDueKey);
    this.#recordsKept = recordsKept;
    this.#deadKept = deadKept;
  }

  async begin(id: SubscriptionId, owner: string, leaseMs: Milliseconds): Promise<BegunAnswer> {
    const [kind, now, flat] = (await this.#store.run(
      "delivery-begin",
      [deliveryKey(id), subscriptionKey(id), deliveryDueKey(organisationOf(id))],
      [id, owner, leaseMs],
    )) as ["gone" | "leased" | "begun", string, string[]];
    if (kind !== "begun") return { kind };
    const fields = fieldsOf(flat);
    return {
      kind,
      now: Number(now),
      cursor: positionOf(fields.cursor ?? "0-0"),
      receiver: receiverOf(fields),
      waiting: Number(fields.waiting ?? 0),
    };
  }

  async fanOut(
    id: SubscriptionId,
    owner: string,
    { from, to, events, missed }: FanOut,
    leaseMs: Milliseconds,
  ): Promise<"stored" | "lost"> {
    return (await this.#store.run(
      "delivery-fan-out",
      [deliveryKey(id), deliveryPartKey(id, "lanes")],
      [
        ...[id, owner, leaseMs, inWords(from), inWords(to), missed],
        ...events.flatMap(({ lane, position }) => [lane, inWords(position)]),
      ],
    )) as "stored" | "lost";
  }

  async take(id: SubscriptionId, limit: number, probing: boolean): Promise<readonly LaneHead[]> {
    const heads = (await this.#store.run(
      "delivery-take",
      [deliveryKey(id), deliveryPartKey(id, "lanes"), deliveryPartKey(id, "heads")],
      [id, limit, probing ? 1 : 0],
    )) as [string, Waiting | "", string][];
    return heads.flatMap(([lane, waiting, tries]) =>
      waiting === "" ? [] : [{ lane, waiting, tries: Number(tries) }],
    );
  }

  async settle(
    id: SubscriptionId,
    owner: string,
    settled: Settled,
    leaseMs: Milliseconds,
  ): Promise<SettleAnswer> {
    const { lane, waiting, event, waitMs, tries, kind, attempt, receiver, wake, refused } = settled;
    const [answer, next] = (await this.#store.run("delivery-settle", this.#lanesAndRecords(id), [
      ...[id, owner, leaseMs, lane, waiting, event, Math.ceil(waitMs), tries, refused ? 1 : 0, kind],
      attempt === undefined
        ? ""
        : `${attempt.status ?? 0} ${Math.round(attempt.elapsedMs)} ${attempt.reason}`,
      ...[receiver.failures, receiver.downSince ?? "", receiver.probeAt ?? "", receiver.pausedUntil ?? ""],
      ...[wake ? 1 : 0, this.#recordsKept, this.#deadKept],
    ])) as ["settled" | "lost", Waiting | ""];
    if (answer === "lost") return { kind: "lost" };
    return { kind: "settled", next: next === "" ? undefined : { lane, waiting: next, tries: 0 } };
  }

  async bury(
    id: SubscriptionId,
    owner: string,
    before: Instant,
    limit: number,
    leaseMs: Milliseconds,
  ): Promise<number> {
    const args = [id, owner, leaseMs, Math.floor(before), limit, this.#recordsKept, this.#deadKept];
    return Number(await this.#store.run("delivery-bury", this.#lanesAndRecords(id), args));
  }

  async end(
    id: SubscriptionId,
    owner: string,
    heldMs: Milliseconds | undefined,
  ): Promise<"ended" | "more" | "lost"> {
    const organisation = organisationOf(id);
    const [answer, due] = (await this.#store.run(
      "delivery-end",
      [deliveryKey(id), deliveryPartKey(id, "lanes"), deliveryDueKey(organisation), gateKey(organisation)],
      [id, owner, heldMs === undefined ? "" : Math.ceil(heldMs)],
    )) as ["ended" | "more" | "lost", string];
    if (answer === "ended" && due !== "") await this.#dueHint.atMost(organisation, Number(due));
    return answer;
  }

  async sendAgain(
    id: SubscriptionId,
    events: readonly { readonly lane: string; readonly position: EventPosition }[],
    most: number,
    audited: { readonly client: ClientId; readonly note: AuditNote } | undefined,
  ): Promise<void> {
    const organisation = organisationOf(id);
    const answer = (await this.#store.run(
      "delivery-again",
      [
        deliveryKey(id),
        deliveryPartKey(id, "lanes"),
        deliveryDueKey(organisation),
        deliveryPartKey(id, "dead"),
      ],
      [
        id,
        audited?.client ?? "",
        audited?.note.actor ?? "",
        audited?.note.requestId ?? "",
        audited?.note.address ?? "",
        most,
        ...events.flatMap(({ lane, position }) => [lane, inWords(position)]),
      ],
    )) as "queued" | "gone" | "full";
    if (answer === "full") {
      const detail =
        "So many events wait for this subscription that no more are added. Those that were stay.";
      throw new Problem("too_much_at_once", { detail, retryAfterMs: minutes(1) });
    }
    if (answer === "queued") await this.#dueHint.atMost(organisation, await this.#store.now());
  }

  async dead(id: SubscriptionId, after: number, limit: number): Promise<readonly EventPosition[]> {
    const dead = await this.#store.call((redis) =>
      redis.zrangebyscore(deliveryPartKey(id, "dead"), `(${after}`, "+inf", "LIMIT", 0, limit),
    );
    return dead.map(positionOf);
  }

  async summary(id: SubscriptionId): Promise<DeliverySummary> {
    const [fields, dead, due] = await Promise.all([
      this.#store.call((redis) => redis.hgetall(deliveryKey(id))),
      this.#store.call((redis) => redis.zcard(deliveryPartKey(id, "dead"))),
      this.#store.call((redis) => redis.zscore(deliveryDueKey(organisationOf(id)), id)),
    ]);
    const [status, , reason] = (fields.failed ?? "").split(" ");
    const waiting = Number(fields.waiting ?? 0);
    return {
      receiver: receiverOf(fields),
      waiting,
      delivered: Number(fields.delivered ?? 0),
      dead,
      missed: Number(fields.missed ?? 0),
      lastTakenAt: instant(fields.taken_at),
      lastFailure:
        fields.failed_at === undefined
          ? undefined
          : { at: Number(fields.failed_at), status: statusOf(status!), reason: reason ?? "" },
      nextAt: due === null || waiting === 0 || fields.lease !== undefined ? undefined : Number(due),
    };
  }

  async history(
    id: SubscriptionId,
    before: number | undefined,
    limit: number,
  ): Promise<readonly DeliveryRecord[]> {
    const numbers = await this.#store.call((redis) =>
      redis.zrevrangebyscore(
        deliveryPartKey(id, "log"),
        before === undefined ? "+inf" : `(${before}`,
        "-inf",
        "LIMIT",
        0,
        limit,
      ),
    );
    if (numbers.length === 0) return [];
    const records = await this.#store.call((redis) =>
      redis.hmget(deliveryPartKey(id, "records"), ...numbers),
    );
    return records.flatMap((text, i) => (text === null ? [] : [recordOf(Number(numbers[i]), text)]));
  }

  async findDelivery(id: SubscriptionId, { number, at }: EventPosition): Promise<DeliveryRecord | undefined> {
    const text = await this.#store.call((redis) =>
      redis.hget(deliveryPartKey(id, "records"), String(number)),
    );
    const record = text === null ? undefined : recordOf(number, text);
    return record?.position.at === at ? record : undefined;
  }

  dueOrganisations(limit: number): Promise<readonly OrganisationId[]> {
    return this.#dueHint.dueOrganisations(limit);
  }

  async due(organisation: OrganisationId, limit: number): Promise<readonly SubscriptionId[]> {
    const now = await this.#store.now();
    const ids = await this.#store.call((redis) =>
      redis.zrangebyscore(deliveryDueKey(organisation), "-inf", now, "LIMIT", 0, limit),
    );
    return ids as SubscriptionId[];
  }

  restateHint(organisation: OrganisationId): Promise<void> {
    return this.#dueHint.restate(organisation);
  }

  async behind(organisation: OrganisationId): Promise<readonly SubscriptionId[]> {
    const keys = [gateKey(organisation), subscriptionsKey(organisation)];
    return (await this.#store.run("delivery-behind", keys, [])) as SubscriptionId[];
  }

  async organisations(): Promise<readonly OrganisationId[]> {
    return (await this.#store.call((redis) => redis.hvals(organisationNamesKey()))) as OrganisationId[];
  }

  #lanesAndRecords(id: SubscriptionId): readonly string[] {
    const parts = ["lanes", "heads", "log", "records", "dead"] as const;
    return [deliveryKey(id), ...parts.map((part) => deliveryPartKey(id, part))];
  }
}

const inWords = ({ number, at }: EventPosition): string => `${number}-${at}`;

function positionOf(text: string): EventPosition {
  const [number, at] = text.split("-");
  return { number: Number(number), at: Number(at) };
}

const instant = (text: string | undefined): Instant | undefined =>
  text === undefined ? undefined : Number(text);
const statusOf = (text: string): number | undefined => (text === "0" ? undefined : Number(text));

const receiverOf = (fields: Readonly<Record<string, string | undefined>>): Receiver => ({
  failures: Number(fields.failures ?? 0),
  downSince: instant(fields.down_since),
  probeAt: instant(fields.probe_at),
  pausedUntil: instant(fields.paused_until),
});

/** As `delivery.lua` writes it. */
function recordOf(number: number, text: string): DeliveryRecord {
  const [head, ...lines] = text.split("\n");
  const [at, state, kind] = head!.split(" ");
  return {
    position: { number, at: Number(at) },
    kind: kind as EventKind,
    state: state as DeliveryRecord["state"],
    attempts: lines.map((line): DeliveryAttempt => {
      const [when, status, took, reason] = line.split(" ");
      return { at: Number(when), status: statusOf(status!), elapsedMs: Number(took), reason: reason ?? "" };
    }),
  };
}
