import type { IncomingMessage } from "node:http";
import express, { type RequestHandler } from "express";
import { z } from "zod";
import { issueBrokerToken } from "../broker/clients/authenticate-client.ts";
import type { AuditNote } from "../broker/ports.ts";
import type { Client } from "../domain/client.ts";
import { type OrganisationId, organisationOf, parseId } from "../domain/id.ts";
import { Problem } from "../domain/problem.ts";
import { CLIENT_ISSUER, type Subject } from "../domain/subject.ts";
import { userAssertionLimits } from "../domain/user-assertion.ts";
import { proofOriginOf } from "./authenticate.ts";
import { authenticateForm, clientProof } from "./authenticate-form.ts";
import type { HttpDeps } from "./deps.ts";
import { oauthErrorBody } from "./error-response.ts";
import { accessToken, accessTokenBody } from "./post-access-tokens.ts";
import { BODY_BYTES_MAX } from "./read-plain-json.ts";
import { readBody } from "./read-request.ts";
import { personOf } from "./read-subject.ts";
import { requestIdOf } from "./route.ts";
import { minTtlText, purpose, rejected } from "./schemas.ts";

export const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token";

/**
 * Our own types of subject token: the subject's id itself, trusted because the client that sends it has authenticated
 * (design §6). RFC 8693 §3 leaves further types to those who define them.
 */
export const SUBJECT_TOKEN_TYPES = {
  "urn:imanage-token-broker:token-type:user": "user",
  "urn:imanage-token-broker:token-type:library": "library",
} as const;

/** What an organisation's identity provider signed for a person (RFC 8693 §3): an ID token, by either name. */
const ASSERTION_TYPES = [
  "urn:ietf:params:oauth:token-type:jwt",
  "urn:ietf:params:oauth:token-type:id_token",
] as const;
type AssertionType = (typeof ASSERTION_TYPES)[number];

/** RFC 6749 §3.2: parameters that are not known are ignored, so these forms are open, unlike everything under `/v1`. */
export const clientCredentialsForm = z.object({
  grant_type: z.literal("client_credentials"),
  ...clientProof,
  scope: z.string().max(256).optional().meta({ description: "Ignored: policies decide." }),
});

export const tokenExchangeForm = z.object({
  grant_type: z.literal(TOKEN_EXCHANGE),
  ...clientProof,
  subject_token: z.string().min(1).max(userAssertionLimits.bytes),
  subject_token_type: z
    .enum([...(Object.keys(SUBJECT_TOKEN_TYPES) as (keyof typeof SUBJECT_TOKEN_TYPES)[]), ...ASSERTION_TYPES])
    .meta({
      description:
        "Ours: `subject_token` is the subject's id, at most 256 characters, by the client's own word. `…:jwt` and `…:id_token`: what the identity provider of the audience's organisation signed for the person.",
    }),
  audience: z
    .string()
    .max(512)
    .meta({ description: "The iManage server for which the token is: its id here.", examples: ["srv_…"] }),
  requested_token_type: z.literal(ACCESS_TOKEN_TYPE).optional(),
  scope: z
    .string()
    .max(256)
    .optional()
    .meta({ description: "Ignored: iManage's scope was fixed at consent." }),
  min_ttl: minTtlText.optional(),
  rejected: rejected.optional(),
  purpose: purpose.optional(),
});

export const brokerTokenAnswer = z
  .object({ access_token: z.string(), token_type: z.literal("Bearer"), expires_in: z.int() })
  .meta({ id: "BrokerToken", description: "To `client_credentials`: opens `/v1` for five minutes." });

/** Without `expires_at`: OAuth libraries keep a time of their own under that name, in seconds, and stumble over ours. */
export const tokenExchangeAnswer = accessToken
  .omit({ expires_at: true })
  .extend({ issued_token_type: z.literal(ACCESS_TOKEN_TYPE) })
  .meta({ id: "ExchangedToken", description: "To a token exchange: an iManage access token." });

/** Whoever sends a form: by his request, and who that turned out to be. */
export interface FormCaller {
  readonly request: IncomingMessage;
  readonly requestId: string;
  readonly address: string;
  /** Is told who proved to be calling. */
  readonly locals: { client?: string };
}

/** The token endpoint: `client_credentials` (RFC 6749 §4.4) and token exchange (RFC 8693). */
export function postOauth2Token(deps: HttpDeps): RequestHandler {
  return async (request, response) => {
    const caller = {
      request,
      requestId: requestIdOf(response),
      address: request.ip ?? "",
      locals: response.locals,
    };
    response.json(await answerForm(deps, caller, request.body));
  };
}

/** Whatever is sent there: `application/x-www-form-urlencoded`. */
export const readFormBody: RequestHandler = express.urlencoded({
  extended: false,
  limit: BODY_BYTES_MAX,
  type: "application/x-www-form-urlencoded",
});

/** RFC 6749 §5.1 and §5.2: both, whatever the answer. */
export const OAUTH_HEADERS = { "Cache-Control": "no-store", Pragma: "no-cache" } as const;

/** RFC 6749 §3.2: the client must use POST. */
export function postAlone(deps: HttpDeps): RequestHandler {
  return (_request, response) => {
    const problem = new Problem("invalid_request", { detail: "The token endpoint takes POST." });
    response
      .status(405)
      .set("Allow", "POST")
      .json(oauthErrorBody(deps, requestIdOf(response), problem));
  };
}

/** RFC 6749 §3.2: a parameter without a value counts as left out, and none may stand twice. */
function readForm(body: unknown): Record<string, string> {
  const form: Record<string, string> = {};
  for (const [name, sent] of Object.entries((body ?? {}) as Record<string, string | string[]>)) {
    const [value, another] = [sent].flat().filter((text) => text !== "");
    // RFC 8693 §2.1 lets a client name several targets; a token of ours opens one server.
    if (another !== undefined && name === "audience") throw noSuchTarget();
    if (another !== undefined) {
      throw new Problem("invalid_request", { detail: "The form names a parameter twice." });
    }
    if (value !== undefined) Object.defineProperty(form, name, { value, enumerable: true });
  }
  return form;
}

/** @param body as it was read; anything but a form counts as an empty one */
export async function answerForm(deps: HttpDeps, caller: FormCaller, body: unknown): Promise<object> {
  const form = readForm(body);
  const { request, requestId, address } = caller;
  const origin = proofOriginOf(request, caller);
  const client = await authenticateForm(deps.clients, request, form, origin);
  caller.locals.client = client.id;
  switch (form.grant_type) {
    case "client_credentials": {
      readBody(clientCredentialsForm, form);
      const { token, lifeMs } = issueBrokerToken(deps.clients, client, origin);
      return { access_token: token.reveal(), token_type: "Bearer", expires_in: lifeMs / 1_000 };
    }
    case TOKEN_EXCHANGE:
      return exchange(deps, { actor: `client:${client.id}`, requestId, address }, client, readExchange(form));
    case undefined:
      throw new Problem("invalid_request", { faults: [{ field: "grant_type", message: "is missing" }] });
    default:
      throw new Problem("unsupported_grant_type");
  }
}

/** What would change whom the token is for is not ignored, even where it is not offered. */
function readExchange(form: Record<string, string>): z.infer<typeof tokenExchangeForm> {
  if (form.actor_token !== undefined || form.actor_token_type !== undefined) {
    throw new Problem("invalid_request", {
      faults: [{ field: "actor_token", message: "is not offered: the client that asks is the one who acts" }],
    });
  }
  if (form.resource !== undefined) throw noSuchTarget();
  return readBody(tokenExchangeForm, form);
}

const noSuchTarget = (): Problem =>
  new Problem("not_found", { detail: "A token opens one server: name it as `audience`, by its id." });

async function exchange(
  deps: HttpDeps,
  note: AuditNote,
  client: Client,
  form: z.infer<typeof tokenExchangeForm>,
) {
  const server = parseId("srv", form.audience);
  // An id of a server that can be nobody's is answered as another organisation's is (T29).
  if (server === undefined)
    throw form.audience.startsWith("srv_") ? new Problem("not_found") : noSuchTarget();
  const subject = await subjectOfForm(deps, note, client, form, organisationOf(server));
  const provided = await deps.accessTokens.provide({
    client: client.id,
    server,
    subject,
    ...(form.min_ttl === undefined ? {} : { minTtlMs: form.min_ttl * 1_000 }),
    ...(form.rejected === undefined ? {} : { rejected: form.rejected }),
    note: form.purpose === undefined ? note : { ...note, purpose: form.purpose },
  });
  const { expires_at: _, ...answer } = await accessTokenBody(deps, client, provided);
  return { ...answer, issued_token_type: ACCESS_TOKEN_TYPE };
}

async function subjectOfForm(
  deps: HttpDeps,
  note: AuditNote,
  { id: client }: Client,
  { subject_token: token, subject_token_type: told }: z.infer<typeof tokenExchangeForm>,
  organisation: OrganisationId,
): Promise<Subject> {
  if (isAssertion(told)) return personOf({ deps, client, note }, { type: "assertion", token }, organisation);
  if (token.length > ID_LENGTH_MAX) {
    const message = `is longer than ${ID_LENGTH_MAX} characters: an id is expected`;
    throw new Problem("invalid_request", { faults: [{ field: "subject_token", message }] });
  }
  const type = SUBJECT_TOKEN_TYPES[told];
  return type === "user" ? { type, issuer: CLIENT_ISSUER, id: token } : { type, id: token };
}

const ID_LENGTH_MAX = 256;
const isAssertion = (type: string): type is AssertionType =>
  (ASSERTION_TYPES as readonly string[]).includes(type);
