import type { ClientId } from "../../domain/id.ts";
import { evaluatePolicy } from "../../domain/policy.ts";
import { isAssertedUser } from "../../domain/portal-session.ts";
import { Problem } from "../../domain/problem.ts";
import type { UserSubject } from "../../domain/subject.ts";
import type { AuthorizationPorts } from "../authorization/connect-ports.ts";
import type { CallbackOutcome } from "../authorization/receive-callback.ts";
import { keepOrDiscard, redeem, storeConsent } from "../authorization/redeem.ts";
import { refuseContained } from "../containment/refuse-contained.ts";
import type { AuditNote } from "../ports.ts";
import { codeVerifierContext } from "../seal-contexts.ts";

/**
 * The browser that began on *My integrations* is back from iManage. Its cookie alone proves nothing (a link may have been
 * sent to somebody else), so the code is redeemed to see who signed in, and only the iManage user whom the client named gets
 * the binding (design §3.5, T02). Whatever goes wrong is kept at the session, and its page says what to do.
 * @returns how it ended
 */
export async function finishPortalAuthorization(
  ports: AuthorizationPorts,
  back: Extract<CallbackOutcome, { kind: "portal" }>,
  note: Omit<AuditNote, "actor">,
): Promise<"connected" | "failed"> {
  const { session } = back;
  try {
    const grant = await finish(ports, back, { ...note, actor: actorOf(session) });
    await ports.authorizations.advanceConnectSession(session.id, ["returned"], { state: "connected", grant });
    return "connected";
  } catch (error) {
    const code = error instanceof Problem ? error.code : "internal_error";
    await ports.authorizations.advanceConnectSession(session.id, ["returned"], {
      state: "failed",
      problem: code,
    });
    if (!(error instanceof Problem)) throw error;
    const { client, server } = session;
    ports.log.warn({ client, server, requestId: note.requestId, code }, "connect failed");
    return "failed";
  }
}

async function finish(
  ports: AuthorizationPorts,
  { session, upstreamUser, request, server, code, issuer }: Extract<CallbackOutcome, { kind: "portal" }>,
  note: AuditNote,
) {
  const { client, organisation, subject } = session;
  // A client completes with its own proof; here it has none to show, so it is looked at whether it still may.
  const [record, { policy }] = await Promise.all([
    ports.clients.findClient(client),
    ports.clients.findPolicy(client, organisation),
  ]);
  if (record?.state !== "active") throw new Problem("not_allowed");
  const asked = { action: "connect", server: server.id, subject, address: undefined } as const;
  // The person is told that it is not allowed, whatever the reason: a server that he came from is no secret to him.
  if (!evaluatePolicy(policy, asked, ports.clock.now()).allowed) throw new Problem("not_allowed");

  await refuseContained(ports, organisation, { client, server: server.id, subject });
  const redeemed = await redeem(ports, {
    server,
    registration: request.registration,
    redirectUri: request.redirectUri,
    code,
    codeVerifier: await ports.sealer.open(request.codeVerifier, codeVerifierContext(server, session.id)),
    issuer,
  });
  if (!isAssertedUser(upstreamUser, redeemed.identity.user)) {
    await keepOrDiscard(ports, redeemed, note);
    throw new Problem("asserted_user_mismatch");
  }
  return storeConsent(ports, redeemed, { type: "user", client, subject }, note);
}

/** As the audit names a person of whom a client said who he is. */
export const actorOf = ({
  client,
  subject,
}: {
  readonly client: ClientId;
  readonly subject: UserSubject;
}): string => `person:${client}/${subject.id}`;
