import type { ConsentStore, NewBinding, NewConsent } from "../broker/authorization/ports.ts";
import type {
  GrantBinding,
  GrantPosition,
  GrantStore,
  PendingRevocation,
  RefreshSchedule,
  RevocationOutbox,
  RevocationOutcome,
} from "../broker/grants/ports.ts";
import type { AuditNote } from "../broker/ports.ts";
import { timing } from "../domain/access-policy.ts";
import type { Grant, GrantState, ImportState, UpstreamUser } from "../domain/grant.ts";
import type { TimelineEntry } from "../domain/grant-timeline.ts";
import {
  type ClientId,
  type ContainmentId,
  type GrantId,
  type OrganisationId,
  organisationOf,
  type RegistrationId,
  type ServerId,
} from "../domain/id.ts";
import { days, type Milliseconds } from "../domain/instant.ts";
import type { Sealed } from "../domain/sealed.ts";
import type { Server } from "../domain/server.ts";
import type { UserSubject } from "../domain/subject.ts";
import { DueHint } from "./due-hint.ts";
import {
  bindingDigest,
  bindingKey,
  consentKey,
  dueHintKey,
  dueKey,
  expiryKey,
  gateKey,
  grantBindingsKey,
  grantKey,
  grantsKey,
  laterRevocationsKey,
  revocationsKey,
  storyKey,
  timelineKey,
  unboundKey,
} from "./keys.ts";
import type { RedisStore } from "./redis-store.ts";

const GRANT_FIELDS = [
  "state",
  "server",
  "registration",
  "owner",
  "gen",
  "consented_at",
  "created_at",
  "rt",
  "rt_exp",
  "at_exp",
  "refreshed_at",
  "used_at",
  "due_at",
  "problem",
  "problem_at",
  "spares",
  "refreshes",
  "failing_since",
  "imported",
] as const;

/** A day, and more than a passing fault's worth of tries: then a containment's token is given up, and its receipt says so. */
const REVOCATION_PATIENCE = { refusals: 50, ms: days(1) };

/** Grants beside the hot path: their birth, their lists, their end, and when to look at them. */
export class RedisGrantStore implements ConsentStore, GrantStore, RefreshSchedule, RevocationOutbox {
  readonly #store: RedisStore;
  readonly #dueHint: DueHint;

  constructor(store: RedisStore) {
    this.#store = store;
    this.#dueHint = new DueHint(store, dueHintKey(), dueKey);
  }

  async findConsent(
    server: Server,
    user: UpstreamUser,
  ): Promise<{ grant: GrantId; consentGeneration: number } | undefined> {
    const grant = (await this.#store.call((redis) =>
      redis.get(consentKey(server.id, user.customerId, user.userId)),
    )) as GrantId | null;
    if (grant === null) return undefined;
    const gen = await this.#store.call((redis) => redis.hget(grantKey(grant), "gen"));
    return gen === null ? undefined : { grant, consentGeneration: Number(gen) };
  }

  async putConsent(
    consent: NewConsent,
    binding: NewBinding | undefined,
    note: AuditNote,
  ): Promise<"stored" | "stale" | "bound_to_another" | "contained"> {
    const organisation = organisationOf(consent.grant);
    const { server, user } = consent;
    const digest = binding === undefined ? "" : bindingDigest(server.id, binding.client, binding.subject);
    const consentIndex = consentKey(server.id, user.customerId, user.userId);
    const outcome = await this.#store.run(
      "put-consent",
      [
        grantKey(consent.grant),
        consentIndex,
        grantsKey(organisation),
        dueKey(organisation),
        gateKey(organisation),
        binding === undefined ? grantKey(consent.grant) : bindingKey(organisation, digest),
      ],
      [
        consent.grant,
        consent.consentGeneration,
        server.id,
        server.registration,
        JSON.stringify(user),
        consentIndex.slice(consentIndex.lastIndexOf(":") + 1),
        consent.refreshToken ?? "",
        consent.refreshTokenFingerprint ?? "",
        consent.refreshTokenLifeMs,
        consent.accessToken,
        consent.accessTokenFingerprint,
        consent.accessTokenLifeMs,
        consent.softMarginMs,
        consent.keepAliveMs,
        digest,
        JSON.stringify(binding ?? {}),
        note.actor,
        note.requestId,
        timing.unboundGrantMs,
        consent.receivedAgoMs,
      ],
    );
    if (outcome === "stored") await this.restateHint(organisation);
    return outcome as "stored" | "stale" | "bound_to_another" | "contained";
  }

  async findGrant(id: GrantId): Promise<Grant | undefined> {
    const values = await this.#store.call((redis) => redis.hmget(grantKey(id), ...GRANT_FIELDS));
    return readGrant(id, values);
  }

  async readAccessToken(grant: GrantId, minTtlMs: Milliseconds) {
    const keys = [grantKey(grant), gateKey(organisationOf(grant))];
    const [kind, token, gen, attempt] = (await this.#store.run("own-token", keys, [minTtlMs])) as string[];
    if (kind === "contained") return "contained" as const;
    if (kind !== "token") return undefined;
    return { accessToken: token as Sealed, consentGeneration: Number(gen), attempt: Number(attempt) };
  }

  async reapUnbound(organisation: OrganisationId, limit: number): Promise<number> {
    return (await this.#store.run("reap-unbound", [unboundKey(organisation)], [limit])) as number;
  }

  async listGrants(
    organisation: OrganisationId,
    after: GrantPosition | undefined,
    limit: number,
  ): Promise<readonly Grant[]> {
    // Equal scores are ordered by id, so the position names both; those of the same instant are read and passed over.
    const from = after === undefined ? "-inf" : String(after.createdAt);
    const found: Grant[] = [];
    for (let offset = 0; found.length < limit; offset += limit) {
      const ids = (await this.#store.call((redis) =>
        redis.zrangebyscore(grantsKey(organisation), from, "+inf", "LIMIT", offset, limit),
      )) as GrantId[];
      const grants = await Promise.all(ids.map((id) => this.findGrant(id)));
      found.push(...grants.filter((grant) => grant !== undefined).filter((grant) => isBehind(grant, after)));
      if (ids.length < limit) break;
    }
    found.length = Math.min(found.length, limit);
    return found;
  }

  async countGrants(organisation: OrganisationId): Promise<number> {
    const [all, unbound] = await Promise.all(
      [grantsKey(organisation), unboundKey(organisation)].map((key) =>
        this.#store.call((redis) => redis.zcard(key)),
      ),
    );
    return Math.max(0, all! - unbound!);
  }

  async listBindings(id: GrantId): Promise<readonly GrantBinding[]> {
    const stored = await this.#store.call((redis) => redis.hvals(grantBindingsKey(id)));
    return stored.map((text) => {
      const binding = JSON.parse(text) as GrantBinding & { since: string };
      return { ...binding, since: Number(binding.since) };
    });
  }

  async deleteGrant(id: GrantId, note: AuditNote): Promise<"deleted" | "gone"> {
    const deleted = await this.#store.run("delete-grant", [grantKey(id)], [id, note.actor, note.requestId]);
    return deleted === 1 ? "deleted" : "gone";
  }

  async timeline(id: GrantId): Promise<readonly TimelineEntry[]> {
    const [earlier, story] = await Promise.all([
      this.#store.call((redis) => redis.xrange(timelineKey(id), "-", "+")),
      this.#store.call((redis) => redis.get(storyKey(id))),
    ]);
    const lines = (story ?? "").split("\n").filter((line) => line !== "");
    const later = lines.map((line) => {
      const [at, kind, detail, ...more] = JSON.parse(line) as [string, string, string, ...string[]];
      return entryOf({ ...fieldsOf(more), at, kind, detail });
    });
    // While processes of the version before are at work, both are written.
    return [...earlier.map(([, flat]) => entryOf(fieldsOf(flat))), ...later].sort((a, b) => a.at - b.at);
  }

  async warnOfExpiry(organisation: OrganisationId, limit: number): Promise<number> {
    return (await this.#store.run("sweep-expiry", [expiryKey(organisation)], [limit])) as number;
  }

  async findUserGrant(
    server: ServerId,
    client: ClientId,
    subject: UserSubject,
  ): Promise<GrantId | undefined> {
    const key = bindingKey(organisationOf(server), bindingDigest(server, client, subject));
    return ((await this.#store.call((redis) => redis.get(key))) as GrantId | null) ?? undefined;
  }

  async moveUser(
    server: ServerId,
    client: ClientId,
    { from, to, grant }: { readonly from: UserSubject; readonly to: UserSubject; readonly grant: GrantId },
    note: AuditNote,
  ): Promise<"moved" | "already" | "unbound" | "bound_to_another" | "contained"> {
    const organisation = organisationOf(server);
    const digests = [from, to].map((subject) => bindingDigest(server, client, subject));
    const { type, issuer, id } = to;
    return (await this.#store.run(
      "move-binding",
      [...digests.map((digest) => bindingKey(organisation, digest)), gateKey(organisation)],
      [
        ...digests,
        ...[JSON.stringify({ type: "user", client, subject: { type, issuer, id } }), server, grant],
        ...[note.actor, note.requestId],
      ],
    )) as "moved" | "already" | "unbound" | "bound_to_another" | "contained";
  }

  async unbindUser(
    server: ServerId,
    client: ClientId,
    subject: UserSubject,
    note: AuditNote,
    from?: GrantId,
  ): Promise<GrantId | undefined> {
    const organisation = organisationOf(server);
    const digest = bindingDigest(server, client, subject);
    const grant = await this.#store.run(
      "unbind",
      [bindingKey(organisation, digest), gateKey(organisation)],
      [digest, server, "", note.actor, note.requestId, from ?? ""],
    );
    return grant === "" ? undefined : (grant as GrantId);
  }

  dueOrganisations(limit: number): Promise<readonly OrganisationId[]> {
    return this.#dueHint.dueOrganisations(limit);
  }

  async dueGrants(organisation: OrganisationId, limit: number): Promise<readonly GrantId[]> {
    const until = await this.#store.now();
    const ids = await this.#store.call((redis) =>
      redis.zrangebyscore(dueKey(organisation), "-inf", until, "LIMIT", 0, limit),
    );
    return ids as GrantId[];
  }

  restateHint(organisation: OrganisationId): Promise<void> {
    return this.#dueHint.restate(organisation);
  }

  async pending(
    organisation: OrganisationId,
    limit: number,
    after?: PendingRevocation["entry"],
  ): Promise<readonly PendingRevocation[]> {
    await this.#store.run(
      "revocations-ripen",
      [laterRevocationsKey(organisation), revocationsKey(organisation)],
      [limit],
    );
    const entries = await this.#store.call((redis) =>
      redis.xrange(
        revocationsKey(organisation),
        after === undefined ? "-" : `(${after}`,
        "+",
        "COUNT",
        limit,
      ),
    );
    return entries.map(([entry, flat]) => {
      const field = fieldsOf(flat);
      return {
        entry,
        grant: field.grant as GrantId,
        server: field.server as ServerId,
        registration: field.registration as RegistrationId,
        consentGeneration: Number(field.gen),
        kind: field.kind as PendingRevocation["kind"],
        token: field.sealed as Sealed,
        attempt: Number(field.att),
        since: Number(field.at),
        ...(field.containment !== undefined && { containment: field.containment as ContainmentId }),
      };
    });
  }

  async settle(
    organisation: OrganisationId,
    entry: PendingRevocation["entry"],
    outcome: RevocationOutcome,
  ): Promise<"settled" | "waits" | "gone"> {
    const why = "why" in outcome ? outcome.why : "";
    const { refusals, ms } = REVOCATION_PATIENCE;
    const keys = [revocationsKey(organisation)];
    const args = [entry, outcome.kind, why, refusals, ms];
    return (await this.#store.run("revocation-settle", keys, args)) as "settled" | "waits" | "gone";
  }
}

const isBehind = (grant: Grant, after: GrantPosition | undefined): boolean =>
  after === undefined ||
  grant.createdAt > after.createdAt ||
  (grant.createdAt === after.createdAt && grant.id > after.id);

export function fieldsOf(flat: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = Object.create(null);
  for (let i = 0; i + 1 < flat.length; i += 2) fields[flat[i]!] = flat[i + 1]!;
  return fields;
}

const entryOf = ({ at, kind = "", detail = "", ...more }: Record<string, string>): TimelineEntry => ({
  ...{ at: Number(at), kind, detail, more },
});

const instant = (text: string | null | undefined): number | undefined =>
  text === null || text === undefined ? undefined : Number(text);

function readGrant(id: GrantId, values: readonly (string | null)[]): Grant | undefined {
  const field = Object.fromEntries(GRANT_FIELDS.map((name, i) => [name, values[i]])) as Record<
    (typeof GRANT_FIELDS)[number],
    string | null
  >;
  if (field.state === null) return undefined;
  return {
    v: 1,
    id,
    organisation: organisationOf(id),
    server: field.server as ServerId,
    registration: field.registration as RegistrationId,
    state: field.state as GrantState,
    owner: JSON.parse(field.owner!) as UpstreamUser,
    consentGeneration: Number(field.gen),
    consentedAt: Number(field.consented_at),
    createdAt: Number(field.created_at),
    refreshable: field.rt !== null,
    refreshTokenExpiresAt: instant(field.rt_exp),
    accessTokenExpiresAt: instant(field.at_exp),
    lastRefreshedAt: instant(field.refreshed_at),
    lastUsedAt: instant(field.used_at),
    dueAt: instant(field.due_at),
    lastProblem: field.problem === null ? undefined : { code: field.problem, at: Number(field.problem_at) },
    spares: field.spares === null ? 0 : (JSON.parse(field.spares) as unknown[]).length,
    refreshes: Number(field.refreshes ?? 0),
    failingSince: instant(field.failing_since),
    imported: (field.imported ?? undefined) as ImportState | undefined,
  };
}
