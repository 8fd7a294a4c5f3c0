import type {
  ImportedGrant,
  ImportedPosition,
  ImportStore,
  ImportToken,
  NewImport,
} from "../broker/import/ports.ts";
import type { AuditNote } from "../broker/ports.ts";
import type { IdentityFinding, ImportedIdentities } from "../broker/refresh/ports.ts";
import type { GrantState, ImportState, UpstreamUser } from "../domain/grant.ts";
import { type GrantId, organisationOf, type ServerId } from "../domain/id.ts";
import { type ImportVerdict, isImportFault, type LookedUp } from "../domain/import.ts";
import type { Milliseconds } from "../domain/instant.ts";
import type { Server } from "../domain/server.ts";
import {
  bindingDigest,
  bindingKey,
  consentDigest,
  consentKey,
  dueKey,
  grantKey,
  grantsKey,
  importedKey,
  importsKey,
} from "./keys.ts";
import type { RedisStore } from "./redis-store.ts";

/** Authorizations that another system kept before: how they come in, are opened, and are taken out again. */
export class RedisImportStore implements ImportStore, ImportedIdentities {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  async look(server: ServerId, tokens: readonly ImportToken[]): Promise<readonly LookedUp[]> {
    if (tokens.length === 0) return [];
    const said = (await this.#store.run(
      "import-look",
      [importsKey(server), ...tokens.map(({ user }) => consentKey(server, user.customerId, user.userId))],
      tokens.flatMap(({ fingerprint, binding }) => [fingerprint, digestOf(server, binding)]),
    )) as string[];
    return tokens.map((_, i) => {
      const [verdict, grant, imported] = said.slice(3 * i, 3 * i + 3);
      return {
        verdict: verdict as ImportVerdict,
        grant: grant === "" ? undefined : (grant as GrantId),
        imported: imported === "" ? undefined : (imported as ImportState),
      };
    });
  }

  async put(server: Server, token: NewImport, note: AuditNote): ReturnType<ImportStore["put"]> {
    const { organisation } = server;
    const { grant, user, binding } = token;
    const digest = digestOf(server.id, binding);
    const said = (await this.#store.run(
      "import-grant",
      [
        grantKey(grant),
        consentKey(server.id, user.customerId, user.userId),
        grantsKey(organisation),
        importsKey(server.id),
        importedKey(server.id),
        bindingKey(organisation, digest),
      ],
      [
        grant,
        token.as,
        server.id,
        server.registration,
        JSON.stringify(user),
        consentDigest(server.id, user.customerId, user.userId),
        token.refreshToken,
        token.fingerprint,
        token.refreshTokenEndsAt,
        digest,
        JSON.stringify(binding),
        note.actor,
        note.requestId,
      ],
    )) as string;
    if (said === "imported" || said === "renewed" || said === "same" || isImportFault(said))
      return said as Awaited<ReturnType<ImportStore["put"]>>;
    return "again";
  }

  async open(
    server: ServerId,
    grants: readonly { readonly grant: GrantId; readonly fingerprint: string }[],
    overMs: Milliseconds,
    note: AuditNote,
  ): ReturnType<ImportStore["open"]> {
    return (await this.#store.run(
      "import-open",
      [dueKey(organisationOf(server))],
      [
        note.actor,
        note.requestId,
        Math.round(overMs),
        ...grants.flatMap(({ grant, fingerprint }) => [grant, fingerprint]),
      ],
    )) as Awaited<ReturnType<ImportStore["open"]>>;
  }

  async undo(server: ServerId, grant: GrantId, note: AuditNote): ReturnType<ImportStore["undo"]> {
    const keys = [grantKey(grant), importsKey(server)];
    const args = [grant, note.actor, note.requestId];
    return (await this.#store.run("import-undo", keys, args)) as Awaited<ReturnType<ImportStore["undo"]>>;
  }

  async settle(
    server: ServerId,
    grant: GrantId,
    consentGeneration: number,
    finding: IdentityFinding,
  ): ReturnType<ImportedIdentities["settle"]> {
    const user = finding.kind === "unknown" ? undefined : finding.user;
    return (await this.#store.run(
      "import-verify",
      [
        grantKey(grant),
        user === undefined ? grantKey(grant) : consentKey(server, user.customerId, user.userId),
      ],
      [
        grant,
        consentGeneration,
        finding.kind,
        JSON.stringify(user ?? {}),
        user === undefined ? "" : consentDigest(server, user.customerId, user.userId),
        finding.kind === "unknown" ? finding.againInMs : 0,
      ],
    )) as Awaited<ReturnType<ImportedIdentities["settle"]>>;
  }

  async list(
    server: ServerId,
    after: ImportedPosition | undefined,
    limit: number,
  ): Promise<readonly ImportedGrant[]> {
    // Equal scores are ordered by id, so those of the same instant are read again and passed over.
    const from = after === undefined ? "-inf" : String(after.at);
    const found: ImportedGrant[] = [];
    for (let offset = 0; found.length < limit; offset += limit) {
      const flat = await this.#store.call((redis) =>
        redis.zrangebyscore(importedKey(server), from, "+inf", "WITHSCORES", "LIMIT", offset, limit),
      );
      const page = Array.from({ length: flat.length / 2 }, (_, i) => ({
        grant: flat[2 * i] as GrantId,
        at: Number(flat[2 * i + 1]),
      })).filter((one) => after === undefined || one.at > after.at || one.grant > after.grant);
      found.push(...(await Promise.all(page.map((one) => this.#imported(one)))));
      if (flat.length / 2 < limit) break;
    }
    return found.slice(0, limit);
  }

  async #imported(position: ImportedPosition): Promise<ImportedGrant> {
    const [imported, owner, att, problem, state] = await this.#store.call((redis) =>
      redis.hmget(grantKey(position.grant), "imported", "owner", "att", "problem", "state"),
    );
    return {
      ...position,
      state: (imported ?? undefined) as ImportState | undefined,
      there: owner !== null,
      grantState: (state ?? undefined) as GrantState | undefined,
      owner: owner == null ? undefined : (JSON.parse(owner) as UpstreamUser),
      sent: Number(att ?? 0) > 0,
      problem: problem ?? undefined,
    };
  }
}

const digestOf = (server: ServerId, { client, subject }: ImportToken["binding"]): string =>
  bindingDigest(server, client, subject);
