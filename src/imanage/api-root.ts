import type { Server } from "../domain/server.ts";

/**
 * The root of the REST API: what `versions[]` of the discovery answer says (C), if it lies on the origin that the server
 * record names; otherwise iManage's usual path there. Tokens go nowhere else, whatever an answer says (T15).
 */
export function apiRootOf(
  server: Pick<Server, "endpoints">,
  versions: readonly { readonly name: string; readonly url: string }[] | undefined,
): string {
  const { apiBaseUrl } = server.endpoints;
  const named = versions?.find(({ name }) => name === "v2")?.url;
  if (named !== undefined && URL.canParse(named)) {
    const url = new URL(named);
    const plain = url.username === "" && url.password === "" && url.search === "" && url.hash === "";
    if (plain && url.origin === new URL(apiBaseUrl).origin) return url.href.replace(/\/$/, "");
  }
  return `${apiBaseUrl.replace(/\/$/, "")}/work/api/v2`;
}
