import type { PublicJwk } from "../../domain/client-keys.ts";
import type { GrantId } from "../../domain/id.ts";
import { hours } from "../../domain/instant.ts";
import type { Server } from "../../domain/server.ts";
import type { TokenEncrypter } from "../clients/ports.ts";
import type { GrantPosition, GrantStore } from "../grants/ports.ts";
import type { AuditNote, Random, Sealer } from "../ports.ts";
import { refreshTokenContext } from "../seal-contexts.ts";
import type { ExportStore, OfflineKeys } from "./ports.ts";

export interface ExportPorts {
  readonly random: Random;
  readonly sealer: Sealer;
  readonly exports: ExportStore;
  readonly encrypter: TokenEncrypter;
  readonly keys: OfflineKeys;
  readonly grants: Pick<GrantStore, "listGrants" | "listBindings">;
}

/** One line of an export. The token is a JWE to the offline key; the rest is whose it is. */
export interface ExportLine {
  readonly grant: GrantId;
  readonly subject: string | undefined;
  readonly issuer: string | undefined;
  readonly imanage_user: string;
  readonly libraries: readonly string[];
  readonly refresh_token_jwe: string;
}

const LIFE_MS = hours(1);
const GRANTS_AT_ONCE = 200;

/** The first operator: what is to leave, and to whose key. Answers the id that another one confirms. */
export async function requestExport(
  ports: Pick<ExportPorts, "random" | "exports" | "keys">,
  server: Server,
  key: PublicJwk,
  note: AuditNote,
): Promise<{ readonly id: string; readonly thumbprint: string }> {
  const id = `exp_${Buffer.from(ports.random.bytes(9)).toString("hex")}`;
  const thumbprint = await ports.keys.thumbprint(key);
  await ports.exports.request({ id, server: server.id, key, thumbprint, by: note.actor }, LIFE_MS, note);
  return { id, thumbprint };
}

/**
 * Writes what was confirmed. Each authorization is taken out of use as its token is read: two who use the same token lose it for both. May
 * be killed and run again within the hour: what was taken is answered again.
 */
export async function* writeExport(
  ports: ExportPorts,
  server: Server,
  id: string,
  note: AuditNote,
): AsyncGenerator<ExportLine | { readonly left: GrantId }> {
  const request = await ports.exports.find(server.id, id);
  if (request === undefined) return;
  let after: GrantPosition | undefined;
  for (;;) {
    const page = await ports.grants.listGrants(server.organisation, after, GRANTS_AT_ONCE);
    for (const { id: grant, server: of } of page) {
      if (of !== server.id) continue;
      const taken = await ports.exports.take(server.id, id, grant, note);
      if (taken === "not_confirmed") return;
      if (taken === "under_way") yield { left: grant };
      if (typeof taken === "string") continue;
      const token = await ports.sealer.open(
        taken.refreshToken,
        refreshTokenContext({
          grant,
          server,
          consentGeneration: taken.consentGeneration,
          attempt: taken.attempt,
        }),
      );
      const bindings = await ports.grants.listBindings(grant);
      const person = bindings.find((one) => one.type === "user");
      yield {
        grant,
        subject: person?.subject.id,
        issuer: person?.subject.issuer,
        imanage_user: taken.owner.userId,
        libraries: bindings.flatMap((one) => (one.type === "library" ? [one.library] : [])),
        refresh_token_jwe: await ports.encrypter.encrypt(token, {
          key: request.key,
          alg: "ECDH-ES+A256KW",
          enc: "A256GCM",
        }),
      };
    }
    const last = page.at(-1);
    if (last === undefined || page.length < GRANTS_AT_ONCE) return;
    after = { createdAt: last.createdAt, id: last.id };
  }
}
