import type { ServerId } from "../../domain/id.ts";
import { Problem } from "../../domain/problem.ts";
import type { ProblemCode } from "../../domain/problem-catalogue.ts";
import type { SignInMemory } from "./ports.ts";

/** Ends of a sign-in that say something of the server or of our registration there, and not of the person or of us. */
const TELLING: ReadonlySet<ProblemCode> = new Set([
  "authorization_denied",
  "authorization_refused",
  "authorization_server_mismatch",
  "client_secret_refused",
  "code_expired_at_imanage",
  "customer_mismatch",
  "imanage_answer_unusable",
  "refresh_token_missing",
  "user_not_in_access",
] as const satisfies readonly ProblemCode[]);

/** Keeps how a sign-in failed, where that tells something. Never hinders the sign-in. */
export async function rememberFailure(
  signIns: Pick<SignInMemory, "noteFailed">,
  server: ServerId,
  error: unknown,
  requestId?: string,
): Promise<void> {
  if (!(error instanceof Problem) || !TELLING.has(error.code)) return;
  await remember(signIns.noteFailed(server, { code: error.code, requestId }));
}

/** A note that is lost makes a later diagnosis poorer; a sign-in that waits for it would be worse. */
export const remember = (note: Promise<void>): Promise<void> => note.catch(() => {});
