import type { Milliseconds } from "../../domain/instant.ts";
import type { OperatorRules, OperatorSession } from "../../domain/operator.ts";
import type { Secret } from "../../domain/secret.ts";
import type { AuditNote, Clock, Handles, Log, Random } from "../ports.ts";

/** The firm's identity provider, by OpenID Connect. */
export interface OperatorIdentityProvider {
  /**
   * Where to send the browser.
   * @param redirectUri where it is to come back to: of the address under which it is here
   * @throws Problem("operator_sign_in_unavailable")
   */
  authorizationUrl(request: SignInRequest, redirectUri: string): Promise<string>;
  /**
   * Redeems what the browser came back with. MUST check state, nonce, PKCE and the ID token (OpenID Connect Core §3.1.3.7).
   * @param callback the whole address under which the browser came back
   * @throws Problem("operator_sign_in_failed") | Problem("operator_sign_in_unavailable")
   */
  redeem(callback: URL, request: SignInRequest): Promise<OperatorIdentity>;
}

/** All of it is derived from one secret in the browser's cookie, so nothing of a sign-in under way is stored. */
export interface SignInRequest {
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: Secret;
}

export interface OperatorIdentity {
  readonly issuer: string;
  readonly subject: string;
  readonly name: string;
  /** Values of the claim that says who may do what. */
  readonly values: readonly string[];
}

/** What an operator does to work queues by hand. A whole state's jobs are named by it in the place of the job. */
export interface QueueAct {
  readonly kind: "retry" | "promote" | "remove";
  readonly queue: string;
  readonly job: string;
}

export interface QueueActs {
  /**
   * Writes the audit entry. Called before the act, which is another store's: nothing is done that is not written, and what
   * is written may have found nothing to do.
   */
  noteQueueAct(act: QueueAct, note: AuditNote): Promise<void>;
}

/** Sessions by the digest of their cookie. */
export interface OperatorStore {
  insertOperatorSession(digest: string, session: OperatorSession, lifeMs: Milliseconds): Promise<void>;
  /** What is over MUST be as good as gone. */
  findOperatorSession(digest: string): Promise<OperatorSession | undefined>;
  deleteOperatorSession(digest: string): Promise<void>;
}

export interface OperatorPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly handles: Pick<Handles, "digest" | "derive">;
  readonly log: Log;
  readonly sessions: OperatorStore;
  /** Undefined: nobody set one up, and nobody can sign in. */
  readonly provider: OperatorIdentityProvider | undefined;
  readonly rules: OperatorRules;
  readonly publicBaseUrl: string;
}
