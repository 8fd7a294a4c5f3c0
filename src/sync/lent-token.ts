import type { ApiOutcome } from "../broker/authorization/ports.ts";
import { Problem } from "../domain/problem.ts";
import type { SyncPorts, SyncToken, SyncTokenRequest } from "./ports.ts";

/** Asks iManage with a token of this very moment. One that iManage refuses is reported, once, and replaced. */
export async function withLentToken<T>(
  accessToken: SyncPorts["accessToken"],
  request: SyncTokenRequest,
  ask: (token: SyncToken) => Promise<ApiOutcome<T>>,
): Promise<{ readonly answer: ApiOutcome<T>; readonly token: SyncToken }> {
  let token = await accessToken(request);
  let answer = await ask(token);
  if (answer.kind === "unauthorized") {
    token = await accessToken({ ...request, rejected: token.fingerprint });
    answer = await ask(token);
  }
  return { answer, token };
}

/** Which of our problems an answer is. Reasons are words of ours, never iManage's. */
export function problemOf(answer: Exclude<ApiOutcome<never>, { kind: "ok" }>, what: string): Problem {
  switch (answer.kind) {
    case "unauthorized":
      return new Problem("token_rejected_again");
    case "forbidden":
      return new Problem("not_library_admin");
    case "throttled":
      return new Problem("imanage_unavailable", {
        detail: "iManage asks to wait.",
        retryAfterMs: answer.retryAfterMs,
      });
    case "unavailable": {
      const detail = `${what}: ${answer.reason}.`;
      // Whoever may not even know of a library is answered like this (`ImanageApi.listLibraries`).
      return new Problem(answer.reason === "status_404" ? "not_library_admin" : "imanage_unavailable", {
        detail,
      });
    }
  }
}
