import { z } from "zod";
import { type CreateDocumentOptions, createDocument, type ZodOpenApiPathsObject } from "zod-openapi";
import { PROBLEMS, type ProblemCode } from "../domain/problem-catalogue.ts";
import { oauthErrorStatus } from "./error-response.ts";
import { accessTokenProblems } from "./post-access-tokens.ts";
import {
  brokerTokenAnswer,
  clientCredentialsForm,
  tokenExchangeAnswer,
  tokenExchangeForm,
} from "./post-oauth2-token.ts";
import { everyRoute, type Route } from "./route.ts";
import { routes } from "./routes.ts";
import { LINES } from "./send-lines.ts";

const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().optional(),
    code: z.string().meta({ description: "Stable; never reused. See the list of problems." }),
    remedy: z
      .enum(["client", "resource-owner", "operator", "time"])
      .meta({ description: "Who must act before the same request can succeed." }),
    action: z.string(),
    retryable: z.boolean(),
    retry_after: z.int().optional(),
    link: z.string().optional().meta({ description: "Where a person must act: the page to send him to." }),
    faults: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
    request_id: z.string(),
    support: z.string(),
  })
  .meta({ id: "Problem", description: "RFC 9457 problem details." });

const idempotencyHeader = z.object({
  "Idempotency-Key": z.string().max(255).optional().meta({
    description:
      "Yours to choose. Repeated within a day with the same request, it is done once; secrets are told once.",
  }),
});

const oauthError = problem
  .omit({ type: true, title: true, status: true })
  .extend({ error: z.string(), error_description: z.string(), error_uri: z.string() })
  .meta({ id: "OAuthError", description: "RFC 6749 §5.2, with the members of a problem as extensions." });

/** Without a warning in it, a generator would make of each answer a type that the next member breaks. */
const answersStayOpen: CreateDocumentOptions = {
  override({ jsonSchema, io }) {
    if (io === "output" && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
  },
};

/** The whole interface, made from the schemas that validate it. */
export function openApiDocument(publicBaseUrl: string) {
  const paths: ZodOpenApiPathsObject = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method]: operationOf(route) };
  }
  return createDocument(
    {
      openapi: "3.1.0",
      info: {
        title: "Token broker for iManage Work",
        version: "1",
        description:
          "Hands short-lived iManage access tokens to the services that need them. `/v1` only grows: requests are strict, answers open.",
      },
      servers: [{ url: publicBaseUrl }],
      security: [{ brokerToken: [] }, { clientSecret: [] }],
      paths: {
        "/oauth2/token": {
          post: {
            operationId: "token",
            summary: "Token endpoint: client_credentials and token exchange (RFC 8693)",
            description:
              "The client proves itself in one of four ways: `private_key_jwt` (a signed `client_assertion` in the form, RFC 7523), client id and secret as HTTP Basic, both in the form, or by `client_id` and its certificate at the address of `mtls_endpoint_aliases` (RFC 8705); a token got over a connection with a certificate works over such connections alone. Ten proofs in a row that do not fit, and that client is not looked at for a while at that address.",
            // None: what proves the client then stands in the form, for which OpenAPI has no scheme.
            security: [{ clientSecret: [] }, {}],
            requestBody: {
              required: true,
              content: {
                "application/x-www-form-urlencoded": {
                  schema: z.union([clientCredentialsForm, tokenExchangeForm]),
                },
              },
            },
            responses: {
              "200": {
                description: "A broker token, or an iManage access token.",
                content: {
                  "application/json": {
                    schema: z.union([brokerTokenAnswer, tokenExchangeAnswer]),
                  },
                },
              },
              ...refusals(
                [...everyRoute, "client_keys_unavailable", "unsupported_grant_type", ...accessTokenProblems],
                oauthErrorStatus,
                "application/json",
                oauthError,
              ),
            },
          },
        },
        ...paths,
      },
      components: {
        securitySchemes: {
          brokerToken: {
            type: "http",
            scheme: "bearer",
            description:
              "From client_credentials at the token endpoint, by signed assertion (`private_key_jwt`) or secret; five minutes.",
          },
          clientSecret: { type: "http", scheme: "basic", description: "Client id and secret." },
        },
      },
    },
    answersStayOpen,
  );
}

function operationOf(route: Route) {
  const { answer } = route;
  return {
    operationId: route.operationId,
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    requestParams: {
      ...(route.params === undefined ? {} : { path: route.params }),
      ...(route.query === undefined ? {} : { query: route.query }),
      ...(route.idempotent ? { header: idempotencyHeader } : {}),
    },
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: { "application/json": { schema: route.body } } } }),
    responses: {
      [`${answer.status}`]: {
        description: answer.description,
        ...contentOf(answer),
      },
      ...refusals(
        [...everyRoute, ...route.problems],
        (code) => PROBLEMS[code].status,
        "application/problem+json",
        problem,
      ),
    },
  };
}

function contentOf({ schema, lines, others = [] }: Route["answer"]) {
  if (schema === undefined && lines === undefined && others.length === 0) return {};
  return {
    content: {
      ...(schema !== undefined && { "application/json": { schema } }),
      ...(lines !== undefined && { [LINES]: { schema: lines } }),
      // OpenAPI 3.1 §4.8.14: bytes as they are have no schema; text has that of a string.
      ...Object.fromEntries(
        others.map((type) => [type, { schema: type.startsWith("text/") ? z.string() : z.any() }]),
      ),
    },
  };
}

/** One response a status, naming the codes it stands for. */
function refusals(
  codes: readonly ProblemCode[],
  statusOf: (code: ProblemCode) => number,
  mediaType: string,
  schema: z.ZodType,
) {
  const byStatus = Map.groupBy(codes, statusOf);
  return Object.fromEntries(
    [...byStatus].map(([status, those]) => [
      `${status}`,
      {
        description: those.map((code) => `\`${code}\`: ${PROBLEMS[code].title}`).join("\n\n"),
        content: { [mediaType]: { schema } },
      },
    ]),
  );
}
