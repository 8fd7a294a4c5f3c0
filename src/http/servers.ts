import { z } from "zod";
import { allow } from "../broker/clients/policies.ts";
import { changeServer } from "../broker/organisations/change-organisation.ts";
import { awaitedBy } from "../domain/awaiting.ts";
import { describeClosedServer } from "../domain/closed-server.ts";
import { organisationOf, type ServerId } from "../domain/id.ts";
import { rfc3339 } from "../domain/instant.ts";
import { evaluatePolicy, UNLISTED_SERVER } from "../domain/policy.ts";
import { Problem } from "../domain/problem.ts";
import { redirectUriOf } from "../domain/registration.ts";
import { Secret } from "../domain/secret.ts";
import type { Server } from "../domain/server.ts";
import { codeLifeOf } from "../domain/server-profile.ts";
import type { HttpDeps } from "./deps.ts";
import { changeAnswer, changeBody, dryRun, refuseUnapplied } from "./organisations.ts";
import { route } from "./route.ts";
import { instant, line, organisationId, serverId } from "./schemas.ts";

const serverAnswer = z
  .object({
    id: z.string(),
    organisation: z.string(),
    name: z.string(),
    display_name: z.string(),
    kind: z.enum(["cloud", "cloud-subdomain", "hosted", "on-premises"]),
    address: z.string(),
    authorization_url: z.string(),
    token_url: z.string(),
    customer_id: z.string().nullable().meta({
      description: "Null until it is entered, or the operator confirms the first sign-in.",
    }),
    registration: z.object({
      id: z.string(),
      client_id: z.string(),
      shared: z
        .string()
        .nullable()
        .meta({ description: "Name of the operator's registration, if it is one." }),
      redirect_uri: z.string().meta({ description: "Letter by letter what goes into *Redirect URL*." }),
      client_secrets: z
        .array(z.object({ added_at: instant, expires_at: instant.nullable() }))
        .meta({ description: "Up to two, newest first. A secret is never readable again." }),
    }),
    profile: z.object({
      rotation: z.string(),
      previous_access_tokens: z.string(),
      code_life_seconds: z.int(),
      learned: z.array(z.string()).meta({ description: "Which of these iManage's answers taught." }),
    }),
    closed: z
      .object({ code: z.string(), sentence: z.string(), since: instant })
      .nullable()
      .meta({ description: "Why nothing is sent to this server now." }),
    ca_certificates: z
      .array(
        z.object({
          subject: z.string(),
          fingerprint: z.string().meta({ description: "SHA-256, as browsers show it." }),
          expires_at: instant,
        }),
      )
      .meta({ description: "Trusted for this server alone, besides the public authorities." }),
    awaiting: z
      .array(
        z.object({
          who: z.enum(["organisation_admin", "imanage_admin", "operator", "vendor"]),
          causes: z.array(z.string()),
          remedies: z.array(z.string()),
          since: instant.meta({
            description: "When it was last looked at; that is done again each half hour.",
          }),
        }),
      )
      .meta({ description: "Who has to change what before it works, as far as the last diagnosis tells." }),
    configuration_generation: z.int(),
    created_at: instant,
  })
  .meta({ id: "Server" });

async function serverBody(deps: HttpDeps, server: Server) {
  const registration = await deps.configuration.store.findRegistration(server.registration);
  const learned = await deps.profiles.findProfile(server.id);
  const closed = await deps.profiles.findClosedGate(server.id);
  const { last } = await deps.diagnosis.diagnoses.findDiagnoses(server.id);
  const now = deps.configuration.clock.now();
  const { settings } = server;
  const codeLifeMs = codeLifeOf(settings, learned, now);
  const told = closed && describeClosedServer(closed, now);
  return {
    id: server.id,
    organisation: server.organisation,
    name: server.name,
    display_name: server.displayName,
    kind: server.kind,
    address: server.endpoints.apiBaseUrl,
    authorization_url: server.endpoints.authorizationEndpoint,
    token_url: server.endpoints.tokenEndpoint,
    customer_id: server.customerId ?? null,
    registration: {
      id: server.registration,
      client_id: registration?.clientId ?? "",
      shared: registration?.organisation === undefined ? (registration?.name ?? null) : null,
      redirect_uri: redirectUriOf(deps.settings.publicBaseUrl, server.registration),
      client_secrets: (registration?.secrets ?? []).map(({ addedAt, expiresAt }) => ({
        added_at: rfc3339(addedAt),
        expires_at: expiresAt === undefined ? null : rfc3339(expiresAt),
      })),
    },
    profile: {
      rotation: settings.rotation === "unknown" ? (learned.rotation ?? "unknown") : settings.rotation,
      previous_access_tokens:
        settings.previousAccessTokens === "unknown"
          ? (learned.previousAccessTokens?.value ?? "unknown")
          : settings.previousAccessTokens,
      code_life_seconds: Math.floor(codeLifeMs / 1_000),
      learned: [
        ...(settings.rotation === "unknown" && learned.rotation ? ["rotation"] : []),
        ...(settings.previousAccessTokens === "unknown" && learned.previousAccessTokens
          ? ["previous_access_tokens"]
          : []),
        ...(codeLifeMs < settings.codeLifeMs ? ["code_life_seconds"] : []),
      ],
    },
    closed: closed === undefined || told === undefined ? null : { ...told, since: rfc3339(closed.since) },
    ca_certificates: (server.trustedCertificates?.certificates ?? []).map(
      ({ subject, fingerprint, expiresAt }) => ({ subject, fingerprint, expires_at: rfc3339(expiresAt) }),
    ),
    awaiting:
      last === undefined
        ? []
        : awaitedBy(last).map(({ who, causes, remedies }) => ({
            who,
            causes: [...causes],
            remedies: [...remedies],
            since: rfc3339(last.startedAt),
          })),
    configuration_generation: server.configurationGeneration,
    created_at: rfc3339(server.createdAt),
  };
}

async function find(deps: HttpDeps, id: ServerId): Promise<Server> {
  const server = await deps.configuration.store.findServer(id);
  if (server === undefined) throw new Problem("not_found");
  return server;
}

export const getServers = route({
  method: "get",
  path: "/v1/servers",
  operationId: "listServers",
  summary: "The iManage servers of an organisation",
  query: z.strictObject({ organisation: organisationId }),
  answer: {
    status: 200,
    description: "All that your policy names.",
    schema: z.object({ items: z.array(serverAnswer) }),
  },
  problems: ["not_found", "not_allowed"],
  async handle({ deps, caller, query: { organisation } }) {
    const policy = await allow(deps.grants, caller, organisation, { action: "status" });
    const asked = { action: "status", subject: undefined, address: caller.address } as const;
    const now = deps.grants.clock.now();
    const servers = await deps.configuration.store.listServers(organisation);
    const seen = servers.filter(
      ({ id: server }) => evaluatePolicy(policy, { ...asked, server }, now).allowed,
    );
    return { items: await Promise.all(seen.map((server) => serverBody(deps, server))) };
  },
});

export const getServer = route({
  method: "get",
  path: "/v1/servers/{id}",
  operationId: "getServer",
  summary: "One iManage server, with what was learned of it and why nothing is sent to it",
  params: z.strictObject({ id: serverId }),
  answer: { status: 200, description: "The server.", schema: serverAnswer },
  problems: ["not_found", "not_allowed"],
  async handle({ deps, caller, params: { id } }) {
    await allow(deps.grants, caller, organisationOf(id), { action: "status", server: id });
    return serverBody(deps, await find(deps, id));
  },
});

const registration = z.union([
  z
    .strictObject({ shared: line(63) })
    .meta({ description: "*Use default configuration*: one of the operator's registrations, by its name." }),
  z.strictObject({
    client_id: line(200).meta({ description: "Control Center's *Client ID* (*API Key*)." }),
    client_secret: line(500).optional().meta({
      description: "*Client Secret* (*API Secret*). Not given: the stored one stays. Never readable again.",
    }),
    client_secret_expires: line(10)
      .optional()
      .meta({ description: "*Client Secret Expires*: `never`, or a date like 2027-06-30." }),
  }),
]);

export const putServer = route({
  method: "put",
  path: "/v1/organisations/{id}/servers/{name}",
  operationId: "putServer",
  summary: "Add an iManage server, or change one",
  description:
    "What is not said is the default, but for the customer id, the client secret and the certificate authorities, which stay. A server never moves: another address is another name, and new consent. The earlier client secret stays valid beside a new one.",
  params: z.strictObject({ id: organisationId, name: line(63) }),
  query: z.strictObject({ dry_run: dryRun }),
  body: z.strictObject({
    display_name: line(100).optional(),
    kind: z.enum(["cloud", "cloud-subdomain", "hosted", "on-premises"]),
    address: line(500).optional().meta({ description: "https://, no path, no trailing slash, no /login." }),
    authorization_url: line(500).optional(),
    token_url: line(500).optional(),
    endpoint_url: z.string().max(500).optional().meta({ description: "May be empty on the cloud." }),
    customer_id: line(64).optional(),
    ca_certificates: z.string().max(48_000).optional().meta({
      description:
        "The firm's own certificate authorities (PEM), trusted for this server alone. Not given: the stored ones stay. Empty: the public ones alone.",
    }),
    registration,
    settings: z
      .record(line(64), z.union([z.string().max(500), z.number(), z.boolean()]))
      .optional()
      .meta({ description: "As in the configuration file: `rotation`, `code_life_seconds` …" }),
  }),
  answer: {
    status: 200,
    description: "What changed, and how the server is now; null where a dry run would make it.",
    schema: changeAnswer.extend({ server: serverAnswer.nullable() }),
  },
  problems: ["not_found", "not_allowed", "configuration_refused", "configuration_conflict"],
  async handle({ deps, client, caller, params: { id, name }, query, body, note }) {
    // First of all, so that another firm's organisation takes the same steps as none (T29).
    await allow(deps.grants, caller, id, { action: "configure" });
    // Whoever may work with some servers alone adds none, and learns of the others' names nothing.
    const stored = (await deps.configuration.store.listServers(id)).find((one) => one.name === name);
    await allow(deps.grants, caller, id, { action: "configure", server: stored?.id ?? UNLISTED_SERVER });
    const onlyAsked = query.dry_run === "true";
    const { registration: told, ...rest } = body;
    const { client_secret: secret, ...named } =
      "shared" in told ? { ...told, client_secret: undefined } : told;
    const outcome = await changeServer(
      deps.configuration,
      id,
      name,
      {
        told: { ...rest, registration: named },
        clientSecret: secret === undefined ? undefined : new Secret(secret),
      },
      { dryRun: onlyAsked, note },
    );
    refuseUnapplied(outcome, onlyAsked);
    const server = outcome.server && (await deps.configuration.store.findServer(outcome.server));
    if (outcome.applied && server !== undefined) {
      deps.log.info({ server: server.id, client, requestId: note.requestId, outcome: "changed" }, "server");
    }
    return { ...changeBody(outcome), server: server === undefined ? null : await serverBody(deps, server) };
  },
});
