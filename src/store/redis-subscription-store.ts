import type { AuditNote, RecordWrite } from "../broker/ports.ts";
import { type EventSubscription, subscriptionLimits } from "../domain/event-subscription.ts";
import {
  type ClientId,
  type EventPosition,
  type OrganisationId,
  organisationOf,
  type SubscriptionId,
} from "../domain/id.ts";
import { Problem } from "../domain/problem.ts";
import type { SubscriptionStore } from "../events/subscription-ports.ts";
import { DueHint } from "./due-hint.ts";
import {
  deliveryDueHintKey,
  deliveryDueKey,
  deliveryKey,
  eventTestsKey,
  gateKey,
  subscriptionKey,
  subscriptionsKey,
} from "./keys.ts";
import { readSubscription } from "./records.ts";
import type { RedisStore } from "./redis-store.ts";
import { AlteredRecord, ClosedRecord, type SealedRecords } from "./sealed-records.ts";
import { type RecordPlaces, storedText, writeRecord } from "./write-record.ts";

const TESTS_MAX = 10;

/** Clients' wishes to be called. They decide where events go, so they are believed with their MAC alone (T25). */
export class RedisSubscriptionStore implements SubscriptionStore {
  readonly #store: RedisStore;
  readonly #sealed: SealedRecords;
  readonly #places: RecordPlaces;
  readonly #dueHint: DueHint;

  constructor(store: RedisStore, sealed: SealedRecords) {
    this.#store = store;
    this.#sealed = sealed;
    this.#places = { store, sealed };
    this.#dueHint = new DueHint(store, deliveryDueHintKey(), deliveryDueKey);
  }

  async find(id: SubscriptionId): Promise<EventSubscription | undefined> {
    const key = subscriptionKey(id);
    const record = this.#sealed.read(key, await storedText(this.#store, key), readSubscription);
    if (record !== undefined && record.id !== id) throw this.#sealed.misled(key, id);
    return record;
  }

  async list(
    organisation: OrganisationId,
    client: ClientId | undefined,
  ): Promise<readonly EventSubscription[]> {
    const index = await this.#store.call((redis) => redis.hgetall(subscriptionsKey(organisation)));
    // Ids begin with the time they were made at.
    const ids = Object.keys(index).sort() as SubscriptionId[];
    const found = await Promise.all(ids.map((id) => this.#findOrTell(id)));
    return found
      .filter((one) => one !== undefined)
      .filter((one) => client === undefined || one.client === client);
  }

  async put(to: EventSubscription, write: RecordWrite<EventSubscription>): Promise<void> {
    const { id, client, organisation, enabled } = to;
    await writeRecord(this.#places, "put-subscription", keysOf(id), write, {
      stored: await storedText(this.#store, subscriptionKey(id)),
      read: readSubscription,
      record: to,
      more: [id, client, enabled ? 1 : 0, subscriptionLimits.perClient],
      audited: ["subscription", { client, subscription: id }],
    });
    if (enabled) await this.#hint(organisation);
  }

  async delete(before: EventSubscription, note: AuditNote): Promise<void> {
    const { id, client } = before;
    const write = { before, fields: [], note };
    await writeRecord(this.#places, "put-subscription", keysOf(id), write, {
      stored: await storedText(this.#store, subscriptionKey(id)),
      read: readSubscription,
      record: undefined,
      more: [id, client, 0, subscriptionLimits.perClient],
      audited: ["subscription", { client, subscription: id }],
    });
  }

  async emitTest({ id, client, organisation }: EventSubscription): Promise<EventPosition> {
    const told = (await this.#store.run(
      "emit-test",
      [gateKey(organisation), eventTestsKey(organisation, client)],
      [id, client, TESTS_MAX],
    )) as [number: string, at: string] | null;
    if (told === null) throw new Problem("not_found");
    const [number, at] = told;
    if (number === "") {
      const detail = `A client is sent ${TESTS_MAX} test events within ten minutes.`;
      throw new Problem("too_much_at_once", { detail, retryAfterMs: Number(at) });
    }
    return { number: Number(number), at: Number(at) };
  }

  async #findOrTell(id: SubscriptionId): Promise<EventSubscription | undefined> {
    try {
      return await this.find(id);
    } catch (error) {
      if (error instanceof AlteredRecord) return undefined;
      if (!(error instanceof ClosedRecord)) throw error;
      this.#sealed.leftOut(error);
      return undefined;
    }
  }

  /** What was to be stored is stored by now: a hint that cannot be written is left to the sweep that restates all. */
  async #hint(organisation: OrganisationId): Promise<void> {
    await this.#dueHint.atMost(organisation, await this.#store.now()).catch((error: unknown) => {
      if (!(error instanceof Problem)) throw error;
    });
  }
}

function keysOf(id: SubscriptionId): readonly [record: string, ...beside: string[]] {
  const organisation = organisationOf(id);
  return [subscriptionKey(id), subscriptionsKey(organisation), deliveryKey(id), deliveryDueKey(organisation)];
}
