import { certificateText } from "../broker/organisations/desired-certificate.ts";
import { encryptionText, keysText } from "../broker/organisations/desired-client-keys.ts";
import type { ConfigurationStore } from "../broker/organisations/ports.ts";
import type { Clock } from "../broker/ports.ts";
import type { ServerProfiles } from "../broker/profile/ports.ts";
import type { GateReader } from "../broker/refresh/ports.ts";
import { describeClosedServer } from "../domain/closed-server.ts";
import type { Grant } from "../domain/grant.ts";
import { rfc3339 } from "../domain/instant.ts";
import { ruleText } from "../domain/policy-texts.en.ts";
import { redirectUriOf } from "../domain/registration.ts";
import { codeLifeOf } from "../domain/server-profile.ts";

/** Records as rows for people and programs. Nothing sealed and no HMAC is among them: there is nobody to read it. */

export type Row = Readonly<Record<string, string | number | boolean | readonly string[] | null>>;

export async function organisationRows(store: ConfigurationStore): Promise<Row[]> {
  const organisations = await store.listOrganisations();
  return Promise.all(
    organisations.map(async ({ id, name, displayName, enabled, createdAt }) => ({
      name,
      id,
      display_name: displayName,
      enabled,
      servers: (await store.listServers(id)).map((server) => server.name),
      created_at: rfc3339(createdAt),
    })),
  );
}

export interface ServerRowsPorts {
  readonly store: ConfigurationStore;
  readonly profiles: Pick<ServerProfiles, "findProfile"> & GateReader;
  readonly clock: Pick<Clock, "now">;
}

export async function serverRows(
  { store, profiles, clock }: ServerRowsPorts,
  publicBaseUrl: string,
): Promise<Row[]> {
  const organisations = await store.listOrganisations();
  const rows = await Promise.all(
    organisations.map(async (organisation) => {
      const servers = await store.listServers(organisation.id);
      return Promise.all(
        servers.map(async (server) => {
          const registration = await store.findRegistration(server.registration);
          const learned = await profiles.findProfile(server.id);
          const closed = await profiles.findClosedGate(server.id);
          const now = clock.now();
          return {
            name: `${organisation.name}/${server.name}`,
            id: server.id,
            kind: server.kind,
            address: server.endpoints.apiBaseUrl,
            customer_id: server.customerId ?? null,
            client_id: registration?.clientId ?? null,
            client_secrets: registration?.secrets.length ?? 0,
            shared_registration: registration?.organisation === undefined,
            redirect_uri: redirectUriOf(publicBaseUrl, server.registration),
            rotation: pinnedOr(server.settings.rotation, learned.rotation),
            previous_access_tokens: pinnedOr(
              server.settings.previousAccessTokens,
              learned.previousAccessTokens?.value,
            ),
            code_life_seconds: Math.floor(codeLifeOf(server.settings, learned, now) / 1_000),
            closed: closed === undefined ? null : describeClosedServer(closed, now).sentence,
            trusted_certificates: (server.trustedCertificates?.certificates ?? []).map(
              ({ subject, fingerprint, expiresAt }) =>
                `${subject}, SHA-256 ${fingerprint}, until ${rfc3339(expiresAt).slice(0, 10)}`,
            ),
            configuration_generation: server.configurationGeneration,
          };
        }),
      );
    }),
  );
  return rows.flat();
}

/** What an operator pinned; else what was learned, marked as such. */
const pinnedOr = (pinned: string, learned: string | undefined): string =>
  pinned !== "unknown" || learned === undefined ? pinned : `${learned} (learned)`;

export async function clientRows(store: ConfigurationStore): Promise<Row[]> {
  const organisations = await store.listOrganisations();
  const clients = await store.listClients();
  return Promise.all(
    clients.map(async (client) => {
      const policies = await Promise.all(
        organisations.map(async ({ id, name }) => {
          const { policy } = await store.findPolicy(client.id, id);
          return policy === undefined ? [] : policy.rules.map((rule) => `${name}: ${ruleText(rule)}`);
        }),
      );
      return {
        name: client.name,
        id: client.id,
        display_name: client.displayName,
        state: client.state,
        secrets: client.secrets.length,
        secrets_end: client.secrets.map(({ expiresAt }) => moment(expiresAt) ?? "never"),
        certificate: certificateText(client.certificate),
        keys: keysText(client.keys),
        token_encryption: encryptionText(client.tokenEncryption),
        return_urls: client.returnUrls,
        policies: policies.flat(),
      };
    }),
  );
}

export const grantRow = (grant: Grant): Row => ({
  id: grant.id,
  state: grant.state,
  user: grant.owner.userId,
  customer_id: grant.owner.customerId,
  server: grant.server,
  refreshable: grant.refreshable,
  consented_at: rfc3339(grant.consentedAt),
  refresh_token_expires_at: moment(grant.refreshTokenExpiresAt),
  last_refreshed_at: moment(grant.lastRefreshedAt),
  last_used_at: moment(grant.lastUsedAt),
  last_problem: grant.lastProblem?.code ?? null,
});

const moment = (at: number | undefined): string | null => (at === undefined ? null : rfc3339(at));

/** One block per row, its name first. */
export function renderRows(rows: readonly Row[]): string {
  return rows
    .map((row) => {
      const [head, ...rest] = Object.entries(row);
      const lines = rest
        .filter(([, value]) => value !== null)
        .map(([field, value]) => `  ${field}: ${Array.isArray(value) ? value.join(", ") || "none" : value}`);
      return `${[String(head?.[1]), ...lines].join("\n")}\n`;
    })
    .join("\n");
}
