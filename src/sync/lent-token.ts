import type { ApiOutcome } from "../broker/authorization/ports.ts";
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
