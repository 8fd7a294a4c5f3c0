import type { Call } from "./calls.ts";
import type { Context } from "./context.ts";

/** X-Auth-Token (C); Authorization: Bearer where the server takes it (1). */
export function presentedToken(in_: Context, { headers }: Call): string | undefined {
  const own = headers["x-auth-token"];
  if (typeof own === "string") return own;
  if (in_.state.switches.bearer_header === "refused") return undefined;
  return /^Bearer +(\S+)$/i.exec(headers.authorization ?? "")?.[1];
}
