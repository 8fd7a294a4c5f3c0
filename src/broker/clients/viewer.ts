import { type Client, mayOperate } from "../../domain/client.ts";
import type { ClientId } from "../../domain/id.ts";
import { Problem } from "../../domain/problem.ts";

/** Who looks at clients and policies: an operator, at the terminal or by a program of his, or a client that sees itself. */
export type Viewer = "operator" | { readonly client: ClientId };

export const viewerOf = (client: Client): Viewer => (mayOperate(client) ? "operator" : { client: client.id });

export const sees = (viewer: Viewer, client: ClientId): boolean =>
  viewer === "operator" || viewer.client === client;

/** Others do not exist for a client: unknown and foreign are the same. @throws Problem("not_found") */
export function mustSee(viewer: Viewer, client: ClientId): void {
  if (!sees(viewer, client)) throw new Problem("not_found");
}

/** What a client may read of itself it may not change. @throws Problem not_found | not_allowed */
export function mustManage(viewer: Viewer, client: ClientId | undefined): void {
  if (client !== undefined) mustSee(viewer, client);
  if (viewer !== "operator") throw new Problem("not_allowed");
}
