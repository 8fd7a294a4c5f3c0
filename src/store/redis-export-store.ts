import type { ExportedGrant, ExportRequest, ExportStore } from "../broker/export/ports.ts";
import type { AuditNote } from "../broker/ports.ts";
import type { UpstreamUser } from "../domain/grant.ts";
import type { GrantId, ServerId } from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";
import type { Sealed } from "../domain/sealed.ts";
import { exportKey, grantKey, importedKey, importsKey } from "./keys.ts";
import type { RedisStore } from "./redis-store.ts";

/** Authorizations that leave, sealed to a key that no broker has. */
export class RedisExportStore implements ExportStore {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  async request(
    request: Omit<ExportRequest, "confirmedBy">,
    lifeMs: Milliseconds,
    note: AuditNote,
  ): Promise<void> {
    await this.#store.run(
      "export-request",
      [exportKey(request.server, request.id)],
      [
        ...[request.id, request.server, JSON.stringify(request), request.thumbprint],
        ...[note.actor, note.requestId, note.purpose ?? "", lifeMs],
      ],
    );
  }

  async find(server: ServerId, id: string): Promise<ExportRequest | undefined> {
    const [record, confirmedBy] = await this.#store.call((redis) =>
      redis.hmget(exportKey(server, id), "record", "confirmed_by"),
    );
    if (record == null) return undefined;
    return { ...(JSON.parse(record) as ExportRequest), confirmedBy: confirmedBy ?? undefined };
  }

  async confirm(server: ServerId, id: string, note: AuditNote): ReturnType<ExportStore["confirm"]> {
    const thumbprint = (await this.find(server, id))?.thumbprint ?? "";
    return (await this.#store.run(
      "export-confirm",
      [exportKey(server, id)],
      [server, thumbprint, note.actor, note.requestId],
    )) as Awaited<ReturnType<ExportStore["confirm"]>>;
  }

  async take(
    server: ServerId,
    id: string,
    grant: GrantId,
    note: AuditNote,
  ): Promise<ExportedGrant | "not_confirmed" | "under_way" | "nothing"> {
    const [word, gen, token, attempt, owner] = (await this.#store.run(
      "export-grant",
      [grantKey(grant), exportKey(server, id), importsKey(server), importedKey(server)],
      [grant, id, note.actor, note.requestId],
    )) as string[];
    if (word !== "taken") return word as "not_confirmed" | "under_way" | "nothing";
    return {
      grant,
      owner: JSON.parse(owner!) as UpstreamUser,
      consentGeneration: Number(gen),
      refreshToken: token as Sealed,
      attempt: Number(attempt),
    };
  }
}
