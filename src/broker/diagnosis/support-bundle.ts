import type { Diagnosis } from "../../domain/diagnosis.ts";
import type { ServerId } from "../../domain/id.ts";
import { type Instant, rfc3339 } from "../../domain/instant.ts";
import { Problem } from "../../domain/problem.ts";
import { redirectUriOf } from "../../domain/registration.ts";
import { codeLifeOf } from "../../domain/server-profile.ts";
import type { DiagnosisPorts } from "./diagnose-server.ts";
import { seenGrants } from "./seen-grants.ts";

export type BundlePart = Readonly<Record<string, unknown>>;

/** What support needs to see of a server. */
export interface SupportBundle {
  readonly madeAt: Instant;
  readonly server: BundlePart;
  readonly registration: BundlePart;
  readonly learned: BundlePart;
  readonly signIns: BundlePart;
  readonly grants: BundlePart;
  readonly last: Diagnosis | undefined;
  readonly lastGood: Diagnosis | undefined;
}

/**
 * Put together member by member and never by copying a record: what is added to a record one day is not in a bundle by
 * itself. No secret, sealed or not; no fingerprint of one; no person.
 * @throws Problem not_found
 */
export async function supportBundle(ports: DiagnosisPorts, id: ServerId): Promise<SupportBundle> {
  const server = await ports.servers.findServer(id);
  const registration = server && (await ports.servers.findRegistration(server.registration));
  if (server === undefined || registration === undefined) throw new Problem("not_found");
  const now = ports.clock.now();
  const profile = await ports.profiles.findProfile(id);
  const gate = await ports.gates.findClosedGate(id);
  const { leftAt, backAt, good, failed } = await ports.signIns.findSignIns(id);
  const grants = await seenGrants(ports.grants, server);
  const { last, lastGood } = await ports.diagnoses.findDiagnoses(id);
  const { settings, endpoints } = server;
  return {
    madeAt: now,
    server: {
      id,
      organisation: server.organisation,
      kind: server.kind,
      authorization_endpoint: endpoints.authorizationEndpoint,
      token_endpoint: endpoints.tokenEndpoint,
      revocation_endpoint: endpoints.revocationEndpoint,
      api_base_url: endpoints.apiBaseUrl,
      customer_id: server.customerId ?? null,
      configuration_generation: server.configurationGeneration,
      created_at: rfc3339(server.createdAt),
      settings: {
        scope: settings.scope,
        client_authentication: settings.clientAuthentication,
        refresh_client_authentication: settings.refreshClientAuthentication,
        code_life_seconds: settings.codeLifeMs / 1_000,
        refresh_token: settings.refreshToken,
        refresh_token_life_days: settings.refreshTokenLifeMs / 86_400_000,
        refresh_extends_life: settings.refreshExtendsLife,
        rotation: settings.rotation,
        previous_access_tokens: settings.previousAccessTokens,
        issuer: settings.issuer,
        registered_by: settings.registeredBy,
      },
      outgoing_addresses: ports.outgoingAddresses,
    },
    registration: {
      id: registration.id,
      shared: registration.organisation === undefined,
      client_id: registration.clientId,
      redirect_url: redirectUriOf(ports.publicBaseUrl, registration.id),
      token_origin: registration.tokenOrigin,
      generation: registration.generation,
      client_secrets: registration.secrets.map(({ addedAt, expiresAt }) => ({
        added_at: rfc3339(addedAt),
        expires_at: moment(expiresAt),
      })),
    },
    learned: {
      rotation: profile.rotation ?? null,
      previous_access_tokens: profile.previousAccessTokens?.value ?? null,
      code_life_seconds: codeLifeOf(settings, profile, now) / 1_000,
      closed: gate === undefined ? null : { why: gate.why, since: rfc3339(gate.since) },
    },
    signIns: {
      last_left_at: moment(leftAt),
      last_back_at: moment(backAt),
      last_good: good === undefined ? null : { at: rfc3339(good.at), refresh_token: good.refreshToken },
      last_failed:
        failed === undefined
          ? null
          : { at: rfc3339(failed.at), code: failed.code, request_id: failed.requestId ?? null },
    },
    grants: { count: grants.count, active: grants.active, first_to_renew_by: moment(grants.renewBy) },
    last,
    lastGood,
  };
}

const moment = (at: Instant | undefined): string | null => (at === undefined ? null : rfc3339(at));
