import { secretExpiryToTell } from "../../domain/expiring-secret.ts";
import type { OrganisationId } from "../../domain/id.ts";
import type { Instant, Milliseconds } from "../../domain/instant.ts";
import type { Log } from "../ports.ts";
import type { ConfigurationStore } from "./ports.ts";

export interface ExpiringSecretsPorts {
  readonly log: Pick<Log, "error" | "warn">;
  readonly store: Pick<ConfigurationStore, "listServers" | "findRegistration">;
}

/**
 * Tells operators, on the log, of an organisation's client secrets that end soon: afterwards no grant of the server can be
 * refreshed, though none is lost.
 */
export async function tellExpiringSecrets(
  { log, store }: ExpiringSecretsPorts,
  organisation: OrganisationId,
  now: Instant,
  lookedMs: Milliseconds,
): Promise<void> {
  for (const server of await store.listServers(organisation)) {
    const registration = await store.findRegistration(server.registration);
    const left = registration && secretExpiryToTell(registration, now, lookedMs);
    if (left === undefined) continue;
    const when = left === 0 ? "today" : left === 1 ? "in a day" : `in ${left} days`;
    const fields = {
      organisation,
      server: server.id,
      code: "client_secret_expiring",
      count: left,
      detail: `The client secret of this server ends ${when}. An iManage administrator makes another under Control Center › Applications; enter it beside the one that ends, and both count until then.`,
    };
    if (left <= 3) log.error(fields, "client secret");
    else log.warn(fields, "client secret");
  }
}
