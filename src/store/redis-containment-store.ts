import type {
  ContainmentPosition,
  ContainmentStore,
  HandedOut,
  HandedOutTokens,
  MarkedGrant,
  MarkedPage,
  RevocationReceipt,
  StoppedGrant,
  StopQuestion,
} from "../broker/containment/ports.ts";
import type { AuditNote } from "../broker/ports.ts";
import type { Containment, ContainmentProgress } from "../domain/containment.ts";
import type { ClientId, ContainmentId, GrantId, OrganisationId, ServerId } from "../domain/id.ts";
import type { Instant } from "../domain/instant.ts";
import { selectorsOf, touchedBy, windowOf } from "./containment-selectors.ts";
import {
  auditKey,
  bindingDigest,
  consentDigest,
  containmentGateKey,
  containmentKey,
  containmentsKey,
  libraryUsesKey,
  openContainmentsKey,
  stopsKey,
} from "./keys.ts";
import { readContainment } from "./records.ts";
import { fieldsOf } from "./redis-grant-store.ts";
import type { RedisStore } from "./redis-store.ts";

/** One script takes so many selectors: what it holds up takes some milliseconds. */
const SELECTORS_AT_ONCE = 2_000;
const ENTRIES_AT_ONCE = 2_000;

export class RedisContainmentStore implements ContainmentStore, HandedOut {
  readonly #store: RedisStore;

  readonly #wrote: () => void;

  /** @param wrote hears that this process has begun or lifted one */
  constructor(store: RedisStore, wrote: () => void = () => {}) {
    this.#store = store;
    this.#wrote = wrote;
  }

  async begin(
    containment: Containment,
    at: OrganisationId | undefined,
    note: AuditNote,
    grants: readonly StoppedGrant[] = [],
  ): Promise<"begun" | "lifted"> {
    const { id, target, effect, reason } = containment;
    const selectors = selectorsOf(target, grants);
    const window = windowOf(containment);
    const named = {
      ...idsOf(target),
      ...(at === undefined && "client" in target && { client: target.client }),
    };
    const entry = {
      action: "containment.begun",
      actor: note.actor,
      containment: id,
      target: target.kind,
      effect,
      ...named,
      purpose: reason.slice(0, 200),
      request: note.requestId,
      address: note.address ?? "",
    };
    for (let i = 0; i === 0 || i < selectors.length; i += SELECTORS_AT_ONCE) {
      const answer = await this.#store.run(
        "containment-begin",
        [containmentGateKey(id)],
        [
          id,
          JSON.stringify(containment),
          JSON.stringify(selectors.slice(i, i + SELECTORS_AT_ONCE)),
          window === undefined ? "" : JSON.stringify(window),
          JSON.stringify(touchedBy(containment)),
          ...Object.entries(entry).flat(),
        ],
      );
      this.#wrote();
      if (answer === "lifted") return "lifted";
    }
    return "begun";
  }

  async lift(
    id: ContainmentId,
    lifted: NonNullable<Containment["lifted"]>,
    note: AuditNote,
  ): Promise<"lifted" | "already" | "gone"> {
    const entry = {
      action: "containment.lifted",
      actor: note.actor,
      containment: id,
      purpose: lifted.reason.slice(0, 200),
      request: note.requestId,
      address: note.address ?? "",
    };
    const args = [id, JSON.stringify(lifted), ...Object.entries(entry).flat()];
    const answer = await this.#store.run("containment-lift", [containmentGateKey(id)], args);
    this.#wrote();
    return answer as "lifted" | "already" | "gone";
  }

  async findContainment(id: ContainmentId): Promise<Containment | undefined> {
    const [record, lifted] = await this.#store.call((redis) =>
      redis.hmget(containmentKey(id), "record", "lifted"),
    );
    if (record === null || record === undefined) return undefined;
    const containment = readContainment(JSON.parse(record));
    return lifted === null || lifted === undefined
      ? containment
      : { ...containment, lifted: JSON.parse(lifted) as NonNullable<Containment["lifted"]> };
  }

  async listContainments(
    organisation: OrganisationId | undefined,
    after: ContainmentPosition | undefined,
    limit: number,
  ): Promise<readonly Containment[]> {
    const found: Containment[] = [];
    // Equal scores are ordered by id, and the position is by the broker's clock: those about it are read and passed over.
    const from = after === undefined ? "+inf" : String(after.at + CLOCKS_APART_MS);
    for (let offset = 0; found.length < limit; offset += limit) {
      const ids = (await this.#store.call((redis) =>
        redis.zrevrangebyscore(containmentsKey(organisation), from, "-inf", "LIMIT", offset, limit),
      )) as ContainmentId[];
      const all = await Promise.all(ids.map((id) => this.findContainment(id)));
      found.push(...all.filter((one) => one !== undefined).filter((one) => isBehind(one, after)));
      if (ids.length < limit) break;
    }
    return found.slice(0, limit);
  }

  async progress(id: ContainmentId): Promise<ContainmentProgress> {
    const key = containmentKey(id);
    const [counts, refused] = await Promise.all([
      this.#store.call((redis) => redis.hgetall(key)),
      this.#store.call((redis) => redis.hlen(`${key}:why`)),
    ]);
    const n = (field: string) => Number(counts[field] ?? 0);
    return {
      counted: counts.counted === "1",
      grants: n("grants"),
      clients: n("clients"),
      users: n("users"),
      libraries: n("libraries"),
      tokens: n("tokens"),
      revoked: n("revoked"),
      alreadyDead: n("already_dead"),
      refused,
      givenUp: n("given_up"),
    };
  }

  async receipts(
    id: ContainmentId,
    after: string | undefined,
    limit: number,
  ): Promise<readonly RevocationReceipt[]> {
    const entries = await this.#readStream(`${containmentKey(id)}:receipts`, after, limit);
    return entries.map(([entry, field]) => ({
      entry,
      at: Number(field.at),
      grant: field.grant as GrantId,
      server: field.server as ServerId,
      kind: field.kind as RevocationReceipt["kind"],
      outcome: field.outcome as RevocationReceipt["outcome"],
      why: field.why ?? "",
      attempts: Number(field.attempts),
      since: Number(field.since),
    }));
  }

  async refusals(id: ContainmentId): Promise<readonly { why: string; attempts: number }[]> {
    const key = containmentKey(id);
    const [why, tries] = await Promise.all([
      this.#store.call((redis) => redis.hgetall(`${key}:why`)),
      this.#store.call((redis) => redis.hgetall(`${key}:tries`)),
    ]);
    return Object.entries(why).map(([entry, said]) => ({ why: said, attempts: Number(tries[entry] ?? 1) }));
  }

  async grantsOf(
    id: ContainmentId,
    after: string | undefined,
    limit: number,
  ): Promise<readonly MarkedGrant[]> {
    const entries = await this.#readStream(`${containmentKey(id)}:grants`, after, limit);
    return entries.map(([entry, field]) => ({
      entry,
      grant: field.grant as GrantId,
      generation: Number(field.gen),
    }));
  }

  async unfinished(organisation: OrganisationId | undefined): Promise<readonly ContainmentId[]> {
    const ids = await this.#store.call((redis) => redis.smembers(openContainmentsKey(organisation)));
    return ids.sort() as ContainmentId[];
  }

  async stoppedGrants(id: ContainmentId): Promise<readonly StoppedGrant[]> {
    const selectors = await this.#store.call((redis) => redis.smembers(`${containmentKey(id)}:selectors`));
    return selectors.flatMap((selector) => {
      const [, grant, generation] = /^tokens:([^/]+)\/(\d+)/.exec(selector) ?? [];
      return grant === undefined ? [] : [{ grant: grant as GrantId, generation: Number(generation) }];
    });
  }

  async cursorOf(id: ContainmentId): Promise<string | undefined> {
    return (await this.#store.call((redis) => redis.hget(containmentKey(id), "cursor"))) ?? undefined;
  }

  async mark(id: ContainmentId, page: MarkedPage): Promise<"marked" | "lifted" | "gone"> {
    const grants = page.grants.map(({ grant, generation, server, owner, clients, libraries }) => ({
      grant,
      gen: generation,
      tally: [
        ...clients.map((client) => `clients:${client}`),
        `users:${consentDigest(server, owner.customerId, owner.userId)}`,
        ...libraries.map((library) => `libraries:${server} ${library}`),
      ],
    }));
    return (await this.#store.run(
      "containment-mark",
      [containmentGateKey(id)],
      [
        id,
        page.revoke ? 1 : 0,
        JSON.stringify(grants),
        page.cursor ?? "",
        page.last ? 1 : 0,
        page.note.actor,
        page.note.requestId,
      ],
    )) as "marked" | "lifted" | "gone";
  }

  async findStop(organisation: OrganisationId, of: StopQuestion): Promise<ContainmentId | undefined> {
    const { client, server, subject, library, user } = of;
    const names = ["organisation"];
    if (server !== undefined) names.push(`server:${server}`);
    if (client !== undefined) names.push(`client:${client}`);
    if (client !== undefined && server !== undefined) names.push(`client:${client}@${server}`);
    if (server !== undefined && subject !== undefined)
      names.push(`binding:${bindingDigest(server, client, subject)}`);
    if (server !== undefined && library !== undefined)
      names.push(`binding:${bindingDigest(server, undefined, { type: "library", id: library })}`);
    if (server !== undefined && user !== undefined)
      names.push(`user:${consentDigest(server, user.customerId, user.userId)}`);
    const hits = await this.#store.call((redis) => redis.hmget(stopsKey(organisation), ...names));
    return hits.find((ids) => ids !== null)?.split(" ", 1)[0] as ContainmentId | undefined;
  }

  async findClientStop(client: ClientId): Promise<boolean> {
    return (await this.#store.call((redis) => redis.hexists(stopsKey(undefined), `client:${client}`))) === 1;
  }

  async libraryClients(
    organisation: OrganisationId,
  ): Promise<(server: ServerId, library: string) => readonly ClientId[]> {
    const uses = new Map<string, ClientId[]>();
    for (const use of await this.#store.call((redis) => redis.hkeys(libraryUsesKey(organisation)))) {
      const [digest, client] = use.split(" ") as [string, ClientId];
      uses.set(digest, [...(uses.get(digest) ?? []), client]);
    }
    return (server, library) =>
      uses.get(bindingDigest(server, undefined, { type: "library", id: library })) ?? [];
  }

  async tokens(organisation: OrganisationId, from: Instant, to: Instant): Promise<HandedOutTokens> {
    const key = auditKey(organisation);
    const entries = new Map<string, HandedOutTokens["entries"][number]>();
    let before = "+";
    let oldest: Instant | undefined;
    for (;;) {
      const batch = await this.#store.call((redis) =>
        redis.xrevrange(key, before, "-", "COUNT", ENTRIES_AT_ONCE),
      );
      for (const [entry, flat] of batch) {
        const { at, action, grant, client, server, token } = fieldsOf(flat);
        oldest = Number(at);
        before = `(${entry}`;
        if (action !== "token.issued" || oldest < from || oldest > to) continue;
        const one = { grant: grant as GrantId, client: client as ClientId, server: server as ServerId };
        entries.set(`${token} ${client}`, { ...one, token: token! });
      }
      if (batch.length < ENTRIES_AT_ONCE || (oldest !== undefined && oldest < from)) break;
    }
    const reaches = oldest !== undefined && oldest <= from;
    // Numbered from 1: where that one is still here, nothing was before it.
    const whole = reaches || (await this.#isWhole(key));
    return { entries: [...entries.values()], knownSince: whole ? undefined : (oldest ?? to) };
  }

  async #isWhole(key: string): Promise<boolean> {
    const first = await this.#store.call((redis) => redis.xrange(key, "-", "+", "COUNT", 1));
    if (first.length > 0) return first[0]![0] === "1-0";
    return (await this.#store.call((redis) => redis.hget(key.replace(/audit$/, "gate"), "audit"))) === null;
  }

  async #readStream(
    key: string,
    after: string | undefined,
    limit: number,
  ): Promise<[entry: string, fields: Record<string, string>][]> {
    const from = after === undefined ? "-" : `(${after}`;
    const entries = await this.#store.call((redis) => redis.xrange(key, from, "+", "COUNT", limit));
    return entries.map(([entry, flat]) => [entry, fieldsOf(flat)]);
  }
}

const CLOCKS_APART_MS = 60_000;

const isBehind = (one: Containment, after: ContainmentPosition | undefined): boolean =>
  after === undefined || one.since < after.at || (one.since === after.at && one.id < after.id);

/** What the audit names of a target: ids, and no person. */
function idsOf(target: Containment["target"]): Readonly<Record<string, string>> {
  const ids: Record<string, string> = {};
  if ("client" in target && target.client !== undefined) ids.client = target.client;
  if ("server" in target && target.server !== undefined) ids.server = target.server;
  if (target.kind === "grant") ids.grant = target.grant;
  return ids;
}
