import { secretExpiryToTell } from "../../domain/expiring-secret.ts";
import type { OrganisationId } from "../../domain/id.ts";
import type { Instant, Milliseconds } from "../../domain/instant.ts";
import type { ClientConfigurationStore } from "../clients/ports.ts";
import type { Log } from "../ports.ts";
import type { ConfigurationStore } from "./ports.ts";

const whenOf = (left: number): string => (left === 0 ? "today" : left === 1 ? "in a day" : `in ${left} days`);

/** The same of the secrets that clients of the broker sign in with. */
export async function tellExpiringClientSecrets(
  {
    log,
    store,
  }: {
    readonly log: Pick<Log, "error" | "warn">;
    readonly store: Pick<ClientConfigurationStore, "listClients">;
  },
  now: Instant,
  lookedMs: Milliseconds,
): Promise<void> {
  for (const client of await store.listClients()) {
    const left = client.state === "active" ? secretExpiryToTell(client, now, lookedMs) : undefined;
    if (left === undefined) continue;
    const fields = {
      client: client.id,
      code: "broker_secret_expiring",
      count: left,
      detail: `The secret by which client ${client.name} proves itself here ends ${whenOf(left)}. Make the next with \`cli clients new-secret ${client.name}\`; both count until then.`,
    };
    if (left <= 3) log.error(fields, "client secret");
    else log.warn(fields, "client secret");
  }
}

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
    const fields = {
      organisation,
      server: server.id,
      code: "client_secret_expiring",
      count: left,
      detail: `The client secret of this server ends ${whenOf(left)}. An iManage administrator makes another under Control Center › Applications; enter it beside the one that ends, and both count until then.`,
    };
    if (left <= 3) log.error(fields, "client secret");
    else log.warn(fields, "client secret");
  }
}
