import { z } from "zod";
import type { ProvidedAccessToken } from "../broker/access/provide-access-token.ts";
import type { ProvenClient } from "../broker/clients/tokens-on-their-way.ts";
import { organisationOf } from "../domain/id.ts";
import { rfc3339 } from "../domain/instant.ts";
import { ACCESS_TOKEN_PROBLEMS } from "../domain/outcomes.ts";
import type { ProblemCode } from "../domain/problem-catalogue.ts";
import type { HttpDeps } from "./deps.ts";
import { subjectOf } from "./read-subject.ts";
import { route } from "./route.ts";
import { instant, minTtl, purpose, rejected, serverId, subject } from "./schemas.ts";

/** Where the subject may be told by an identity provider. */
export const personProblems = [
  "user_assertion_refused",
  "identity_provider_unavailable",
] as const satisfies readonly ProblemCode[];

/** The same answer under `/v1` and at the token endpoint, which adds `issued_token_type`. */
export const accessToken = z.object({
  access_token: z.string().meta({
    description:
      "iManage's token; with `access_token_encrypted`, a compact JWE (RFC 7516) whose plaintext it is.",
  }),
  access_token_encrypted: z.literal(true).optional().meta({
    description:
      "There where the client has a `token_encryption` key: decrypt `access_token` with it before use. All else is readable.",
  }),
  token_type: z.literal("Bearer"),
  expires_in: z.int().meta({
    description:
      "Seconds. A hint: iManage's limit is inactivity, a 401 is the truth. A policy may have it told shorter: then ask again, the token itself lives on.",
  }),
  expires_at: instant,
  header: z.literal("X-Auth-Token"),
  api_base_url: z.string(),
  customer_id: z.string(),
  fingerprint: z
    .string()
    .meta({ description: "Names the token without giving it away: send it as `rejected` after a 401." }),
  grant: z.string(),
  warning: z
    .string()
    .optional()
    .meta({ description: "A problem code: refreshing fails for now, and this token still lives." }),
});

export const accessTokenProblems = [...personProblems, ...ACCESS_TOKEN_PROBLEMS] as const;

export const postAccessTokens = route({
  method: "post",
  path: "/v1/access-tokens",
  operationId: "createAccessToken",
  summary: "An iManage access token for a user or a library",
  description:
    "Answers from the store, or after one refresh however many ask at once. Send a 401 back as `rejected`. The token is iManage's own: send it as `X-Auth-Token`.",
  body: z.strictObject({
    server: serverId,
    subject,
    min_ttl: minTtl,
    rejected: rejected.optional(),
    purpose: purpose.optional(),
  }),
  answer: {
    status: 200,
    description:
      "A token that lives at least `min_ttl` seconds, unless `warning` says that refreshing fails.",
    schema: accessToken.meta({ id: "AccessToken" }),
  },
  problems: accessTokenProblems,
  async handle(call) {
    const { deps, client, proven, body, note } = call;
    const provided = await deps.accessTokens.provide({
      client,
      server: body.server,
      subject: await subjectOf(call, body.subject, organisationOf(body.server)),
      ...(body.min_ttl === undefined ? {} : { minTtlMs: body.min_ttl * 1_000 }),
      ...(body.rejected === undefined ? {} : { rejected: body.rejected }),
      note: body.purpose === undefined ? note : { ...note, purpose: body.purpose },
    });
    return accessTokenBody(deps, proven, provided);
  },
});

export async function accessTokenBody(
  { tokensOnTheirWay }: Pick<HttpDeps, "tokensOnTheirWay">,
  client: ProvenClient,
  provided: ProvidedAccessToken,
) {
  const token = await tokensOnTheirWay.of(client, provided.accessToken);
  return {
    ...("jwe" in token
      ? { access_token: token.jwe, access_token_encrypted: true }
      : { access_token: token.readable.reveal() }),
    token_type: "Bearer",
    expires_in: Math.floor(provided.expiresInMs / 1_000),
    expires_at: rfc3339(provided.expiresAt),
    header: "X-Auth-Token",
    api_base_url: provided.server.endpoints.apiBaseUrl,
    customer_id: provided.customerId,
    fingerprint: provided.fingerprint,
    grant: provided.grant,
    ...(provided.warning === undefined ? {} : { warning: provided.warning }),
  };
}
