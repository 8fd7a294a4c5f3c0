import { timing } from "../../domain/access-policy.ts";
import { decideOperator, type OperatorSession } from "../../domain/operator.ts";
import { Problem } from "../../domain/problem.ts";
import { Secret } from "../../domain/secret.ts";
import type { OperatorPorts, SignInRequest } from "./ports.ts";

/**
 * Begins a sign-in: where to send the browser, and what its cookie holds meanwhile.
 * @throws Problem not_found (nobody set a provider up) | operator_sign_in_unavailable
 */
export async function beginOperatorSignIn(
  ports: OperatorPorts,
): Promise<{ readonly redirectTo: string; readonly cookie: Secret }> {
  const { provider } = ports;
  if (provider === undefined) throw new Problem("not_found");
  const cookie = newCookie(ports);
  const redirectUri = `${ports.publicBaseUrl}/operators/callback`;
  return { redirectTo: await provider.authorizationUrl(requestOf(ports, cookie), redirectUri), cookie };
}

/**
 * The browser is back. Only the one whose cookie the state was made from is believed (login CSRF, T03), and only whom the
 * rules name is let in.
 * @throws Problem not_found | operator_sign_in_failed | operator_sign_in_unavailable | operator_not_allowed
 */
export async function finishOperatorSignIn(
  ports: OperatorPorts,
  callback: URL,
  cookie: Secret | undefined,
): Promise<{ readonly session: OperatorSession; readonly cookie: Secret }> {
  const { provider, clock, rules, log } = ports;
  if (provider === undefined) throw new Problem("not_found");
  if (cookie === undefined) throw new Problem("operator_sign_in_failed");
  const identity = await provider.redeem(callback, requestOf(ports, cookie));
  const decided = decideOperator(identity.values, rules);
  const fields = { outcome: decided?.role ?? "refused", detail: `${identity.issuer} ${identity.subject}` };
  if (decided === undefined) {
    log.warn({ ...fields, code: "operator_not_allowed" }, "operator sign-in");
    throw new Problem("operator_not_allowed");
  }
  const now = clock.now();
  const session: OperatorSession = {
    v: 1,
    issuer: identity.issuer,
    subject: identity.subject,
    name: identity.name,
    ...decided,
    startedAt: now,
    expiresAt: now + timing.operatorSessionMs,
  };
  const own = newCookie(ports);
  await ports.sessions.insertOperatorSession(ports.handles.digest(own), session, timing.operatorSessionMs);
  log.info(fields, "operator sign-in");
  return { session, cookie: own };
}

/** Somebody on the operators' pages. */
export interface SignedInOperator {
  readonly session: OperatorSession;
  /** What his forms carry (CSRF). */
  readonly formToken: string;
}

export async function findOperator(
  ports: OperatorPorts,
  cookie: Secret | undefined,
): Promise<SignedInOperator | undefined> {
  if (cookie === undefined || ports.provider === undefined) return undefined;
  const session = await ports.sessions.findOperatorSession(ports.handles.digest(cookie));
  if (session === undefined || session.expiresAt <= ports.clock.now()) return undefined;
  return { session, formToken: ports.handles.derive(cookie, "form") };
}

export async function signOutOperator(ports: OperatorPorts, cookie: Secret | undefined): Promise<void> {
  if (cookie !== undefined) await ports.sessions.deleteOperatorSession(ports.handles.digest(cookie));
}

const newCookie = ({ random }: OperatorPorts): Secret =>
  new Secret(Buffer.from(random.bytes(32)).toString("base64url"));

/** Whoever has no cookie can make none of these, and whoever reads one of them cannot make the cookie. */
const requestOf = ({ handles }: OperatorPorts, cookie: Secret): SignInRequest => ({
  state: handles.derive(cookie, "state"),
  nonce: handles.derive(cookie, "nonce"),
  codeVerifier: new Secret(handles.derive(cookie, "code-verifier")),
});
