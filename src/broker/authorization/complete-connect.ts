import { completionWindowMs } from "../../domain/access-policy.ts";
import type { Client } from "../../domain/client.ts";
import type { ConnectSession } from "../../domain/connect-session.ts";
import type { ConnectSessionId, GrantId } from "../../domain/id.ts";
import { routeOf } from "../../domain/id.ts";
import { Problem } from "../../domain/problem.ts";
import { Secret } from "../../domain/secret.ts";
import type { Server } from "../../domain/server.ts";
import { CODE_LIFE_MIN_MS } from "../../domain/server-profile.ts";
import { sameUser, type UserSubject } from "../../domain/subject.ts";
import { allow } from "../clients/policies.ts";
import { refuseContained } from "../containment/refuse-contained.ts";
import { remember, rememberFailure } from "../diagnosis/remember.ts";
import type { AuditNote } from "../ports.ts";
import { codeContext, codeVerifierContext } from "../seal-contexts.ts";
import type { AuthorizationPorts } from "./connect-ports.ts";
import type { PendingCompletion } from "./ports.ts";
import { type RedeemableCode, type Redeemed, redeem, storeConsent } from "./redeem.ts";

export interface ConnectCompletion {
  readonly session: ConnectSessionId;
  readonly completion: Secret;
  /** Who is signed in at the client now, by the client's own knowledge. */
  readonly subject: UserSubject;
}

/**
 * The client says who finished. Only when that is who started is the code redeemed; otherwise it is thrown away unused
 * (T02). Whatever goes wrong is kept at the session, and its page says what to do.
 */
export async function completeConnect(
  ports: AuthorizationPorts,
  client: Client,
  asked: ConnectCompletion,
  note: AuditNote,
): Promise<{ readonly session: ConnectSession; readonly grant: GrantId }> {
  const session = await ports.authorizations.findConnectSession(asked.session);
  if (session === undefined || session.client !== client.id) throw new Problem("not_found");
  const server = await ports.servers.findServer(session.server);
  if (server === undefined) throw new Problem("not_found");
  await mayConnect(ports, session, note.address ?? "");

  const pending = await ports.authorizations.takePendingCompletion(
    routeOf(session.organisation),
    ports.handles.digest(asked.completion),
  );
  if (pending === undefined) throw await lateOrUsed(ports, session, server);
  if (pending.session !== session.id) throw await ofAnotherSession(ports, session, pending, note);

  try {
    if (!sameUser(session.subject, asked.subject)) throw new Problem("session_user_mismatch");
    const grant = await finish(ports, session, server, pending, note);
    const { session: connected } = await ports.authorizations.advanceConnectSession(
      session.id,
      ["returned"],
      {
        state: "connected",
        grant,
      },
    );
    return { session: connected ?? session, grant };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.code === "code_expired_at_imanage") await learnCodeLife(ports, session);
    await ports.authorizations.advanceConnectSession(session.id, ["returned"], {
      state: "failed",
      problem: error.code,
    });
    await rememberFailure(ports.signIns, server.id, error, note.requestId);
    ports.log.warn(
      { client: client.id, server: server.id, requestId: note.requestId, code: error.code },
      "connect failed",
    );
    throw new Problem(error.code, { ...error.details, link: resultPage(ports, session.id) });
  }
}

/** Of a client's own session, too: its policy may be another by now. @throws Problem not_found | not_allowed */
export async function mayConnect(
  ports: Pick<AuthorizationPorts, "clients" | "clock">,
  { client, organisation, server, subject }: ConnectSession,
  address: string,
): Promise<void> {
  const asked = { action: "connect", server, subject } as const;
  await allow(ports, { client, address }, organisation, asked);
}

export const resultPage = (ports: Pick<AuthorizationPorts, "publicBaseUrl">, id: ConnectSessionId): string =>
  `${ports.publicBaseUrl}/connect/result/${id}`;

async function finish(
  ports: AuthorizationPorts,
  session: ConnectSession,
  server: Server,
  pending: PendingCompletion,
  note: AuditNote,
): Promise<GrantId> {
  const { client, subject } = session;
  // Before the code is spent: it brings tokens that nobody may have.
  await refuseContained(ports, session.organisation, { client, server: server.id, subject });
  const code = {
    server,
    registration: pending.registration,
    redirectUri: pending.redirectUri,
    code: await ports.sealer.open(pending.code, codeContext(server, session.id)),
    codeVerifier: await ports.sealer.open(pending.codeVerifier, codeVerifierContext(server, session.id)),
    issuer: pending.issuer,
  };
  const redeemed = await (session.checksPkce === true ? redeemWrongly(ports, code) : redeem(ports, code));
  return storeConsent(ports, redeemed, { type: "user", client, subject }, note);
}

/**
 * Does the server look at the verifier (RFC 7636 §4.6, T04)? It is not the code's own here. A server that looks refuses it,
 * and the sign-in is spent; one that does not gives tokens, which are this person's and kept like any other.
 * @throws Problem pkce_honoured
 */
async function redeemWrongly(ports: AuthorizationPorts, code: RedeemableCode): Promise<Redeemed> {
  const { id } = code.server;
  const codeVerifier = new Secret(Buffer.from(ports.random.bytes(32)).toString("base64url"));
  const outcome = await redeem(ports, { ...code, codeVerifier }, "pkce_honoured").catch(
    async (error: unknown) => {
      if (error instanceof Problem && error.code === "pkce_honoured")
        await remember(ports.signIns.notePkce(id, "refused"));
      throw error;
    },
  );
  await remember(ports.signIns.notePkce(id, "redeemed"));
  return outcome;
}

/** The next code of this server is asked back sooner, so that its person is told to hurry and not that iManage refused. */
async function learnCodeLife(ports: AuthorizationPorts, session: ConnectSession): Promise<void> {
  const ageMs = ports.clock.now() - (session.returnedAt ?? session.createdAt);
  if (ageMs >= CODE_LIFE_MIN_MS) await ports.profiles.learnLateCode(session.server, ageMs).catch(() => {});
}

/**
 * What was presented belongs to another session, whose code is thrown away: it is in the wrong hands. The session it was
 * presented at goes on, or anybody with a completion of his own could end someone else's sign-in.
 */
async function ofAnotherSession(
  ports: AuthorizationPorts,
  session: ConnectSession,
  pending: PendingCompletion,
  note: AuditNote,
): Promise<Problem> {
  const code = "authorization_response_invalid";
  await ports.authorizations.advanceConnectSession(pending.session, ["returned"], {
    state: "failed",
    problem: code,
  });
  ports.log.warn(
    { client: session.client, server: pending.server, requestId: note.requestId, code },
    "a completion was presented at another session than its own",
  );
  return new Problem(code);
}

/** No code waits: it was too late (and how late), or it was used, or it never came. */
async function lateOrUsed(
  ports: AuthorizationPorts,
  session: ConnectSession,
  server: Server,
): Promise<Problem> {
  const windowMs = session.windowMs ?? completionWindowMs(server.settings.codeLifeMs);
  const elapsedMs = session.returnedAt === undefined ? 0 : ports.clock.now() - session.returnedAt;
  if (session.state !== "returned" || elapsedMs < windowMs) {
    return new Problem("connect_session_used", { link: resultPage(ports, session.id) });
  }
  await ports.authorizations.advanceConnectSession(session.id, ["returned"], {
    state: "failed",
    problem: "completed_too_late",
  });
  return new Problem("completed_too_late", {
    link: resultPage(ports, session.id),
    members: { elapsed_ms: elapsedMs, window_ms: windowMs },
  });
}
