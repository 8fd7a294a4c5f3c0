import { z } from "zod";
import { beginConnect } from "../broker/authorization/begin-connect.ts";
import { completeConnect, mayConnect, resultPage } from "../broker/authorization/complete-connect.ts";
import { answerOnce } from "../broker/idempotency/answer-once.ts";
import type { ConnectSession } from "../domain/connect-session.ts";
import { organisationOf } from "../domain/id.ts";
import { rfc3339 } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import { PROBLEMS } from "../domain/problem-catalogue.ts";
import { Secret } from "../domain/secret.ts";
import type { HttpDeps } from "./deps.ts";
import { personProblems } from "./post-access-tokens.ts";
import { personOf } from "./read-subject.ts";
import { route } from "./route.ts";
import { connectSessionId, instant, line, person, serverId } from "./schemas.ts";

const session = z
  .object({
    id: z.string(),
    server: z.string(),
    organisation: z.string(),
    subject: z.object({ type: z.literal("user"), id: z.string(), issuer: z.string() }),
    state: z.enum(["created", "started", "returned", "connected", "failed"]),
    return_url: z.string(),
    grant: z.string().nullable(),
    problem: z
      .object({ code: z.string(), title: z.string(), remedy: z.string(), action: z.string() })
      .nullable(),
    page: z.string().meta({ description: "A page that tells the person how it ended and what to do." }),
    created_at: instant,
    expires_at: instant,
  })
  .meta({ id: "ConnectSession" });

function sessionBody(deps: HttpDeps, of: ConnectSession) {
  const kind = of.problem && PROBLEMS[of.problem];
  return {
    id: of.id,
    server: of.server,
    organisation: of.organisation,
    subject: of.subject,
    state: of.state,
    return_url: of.returnUrl,
    grant: of.grant ?? null,
    problem: kind ? { code: of.problem, title: kind.title, remedy: kind.remedy, action: kind.action } : null,
    page: resultPage(deps.authorization, of.id),
    created_at: rfc3339(of.createdAt),
    expires_at: rfc3339(of.expiresAt),
  };
}

export const postConnectSessions = route({
  method: "post",
  path: "/v1/connect-sessions",
  operationId: "createConnectSession",
  summary: "Begin to get a person's authorisation",
  description:
    "Send the browser to `start_url`, once. It comes back to `return_url` with `connect_session` and `completion`; then complete the session at once, naming who is signed in at your side.",
  body: z.strictObject({
    server: serverId,
    subject: person,
    return_url: z
      .string()
      .max(2_048)
      .meta({ description: "Exactly one of your registered return URLs, letter by letter." }),
    login_hint: line(256)
      .optional()
      .meta({ description: "The person's e-mail id at iManage, where you know it." }),
    check_pkce: z.boolean().optional().meta({
      description:
        "Spends this sign-in on finding out whether the server honours PKCE: its code is presented with a wrong verifier. One that does refuses it (`pkce_honoured`), and the person signs in once more; one that does not connects him. Only with the action `configure`. The diagnosis tells it from then on.",
    }),
  }),
  answer: {
    status: 201,
    description: "The session, and where to send the browser.",
    schema: session.extend({
      start_url: z
        .string()
        .optional()
        .meta({ description: "One use. Not told again when an Idempotency-Key is repeated." }),
    }),
  },
  problems: [
    "not_found",
    "not_allowed",
    "organisation_disabled",
    "not_a_member",
    "contained",
    "return_url_not_registered",
    ...personProblems,
  ],
  idempotent: true,
  async handle(call) {
    const { deps, client, caller, body, record, idempotencyKey: key } = call;
    const begin = async () => {
      const begun = await beginConnect(deps.authorization, await record(), {
        server: body.server,
        subject: await personOf(call, body.subject, organisationOf(body.server)),
        returnUrl: body.return_url,
        loginHint: body.login_hint,
        address: caller.address,
        ...(body.check_pkce === true && { checksPkce: true }),
      });
      return { ...sessionBody(deps, begun.session), start_url: begun.startUrl };
    };
    if (key === undefined) return begin();
    // The start link is a secret: a repeat gets the session without it.
    const at = { organisation: organisationOf(body.server), client, key };
    return answerOnce(deps.idempotency, at, body, begin, ({ start_url: _, ...rest }) => rest);
  },
});

export const getConnectSession = route({
  method: "get",
  path: "/v1/connect-sessions/{id}",
  operationId: "getConnectSession",
  summary: "How a connect session stands",
  params: z.strictObject({ id: connectSessionId }),
  answer: { status: 200, description: "The session.", schema: session },
  problems: ["not_found", "not_allowed"],
  async handle({ deps, caller, params }) {
    const found = await deps.authorization.authorizations.findConnectSession(params.id);
    if (found === undefined || found.client !== caller.client) throw new Problem("not_found");
    await mayConnect(deps.authorization, found, caller.address);
    return sessionBody(deps, found);
  },
});

export const postConnectSessionComplete = route({
  method: "post",
  path: "/v1/connect-sessions/{id}/complete",
  operationId: "completeConnectSession",
  summary: "Say who finished, and get the grant",
  description:
    "The code from iManage waits sealed and unredeemed for seconds only (`completed_too_late`). It is redeemed when the subject is the one who started; otherwise it is thrown away unused.",
  params: z.strictObject({ id: connectSessionId }),
  body: z.strictObject({
    completion: z
      .string()
      .min(1)
      .max(128)
      .meta({ description: "The `completion` member of the URL the browser came back to. One use." }),
    subject: person.meta({ description: "Who is signed in at your side now." }),
  }),
  answer: { status: 200, description: "Connected.", schema: session },
  problems: [
    ...personProblems,
    "not_found",
    "not_allowed",
    "authorization_response_invalid",
    "connect_session_used",
    "completed_too_late",
    "session_user_mismatch",
    "authorization_response_invalid",
    "pkce_honoured",
    "contained",
    "code_expired_at_imanage",
    "refresh_token_missing",
    "customer_mismatch",
    "upstream_user_changed",
    "user_not_in_access",
    "authorization_refused",
    "client_secret_refused",
    "imanage_unavailable",
    "server_not_trusted",
    "server_address_refused",
    "imanage_answer_unusable",
  ],
  async handle(call) {
    const { deps, params, body, record, note } = call;
    const subject = await personOf(call, body.subject, organisationOf(params.id));
    const { session: completed } = await completeConnect(
      deps.authorization,
      await record(),
      { session: params.id, completion: new Secret(body.completion), subject },
      note,
    );
    return sessionBody(deps, completed);
  },
});
