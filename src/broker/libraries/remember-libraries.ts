import type { UpstreamUser } from "../../domain/grant.ts";
import type { GrantId } from "../../domain/id.ts";
import { type Milliseconds, minutes } from "../../domain/instant.ts";
import { Problem } from "../../domain/problem.ts";
import { Secret } from "../../domain/secret.ts";
import type { Server } from "../../domain/server.ts";
import type { Sealer } from "../ports.ts";
import { libraryRightsContext } from "../seal-contexts.ts";
import type { LibraryAdministration, LibraryMemory } from "./ports.ts";

/** Two calls a library are four hundred for two hundred: enough to be asked once while somebody is on the page. */
const REMEMBERED_MS: Milliseconds = minutes(5);

interface Of {
  readonly server: Server;
  readonly user: UpstreamUser;
  readonly grant: GrantId;
}

type MemoryPorts = { readonly memory: LibraryMemory; readonly sealer: Pick<Sealer, "seal" | "open"> };

/**
 * What iManage lists to this admin, as it was said at most five minutes ago. For showing alone: whoever changes something is
 * looked at anew.
 */
export async function rememberedLibraries(
  { memory, sealer }: MemoryPorts,
  { server, user, grant }: Of,
  read: () => Promise<readonly LibraryAdministration[]>,
): Promise<readonly LibraryAdministration[]> {
  const sealed = await memory.findRights(server.id, user);
  const context = libraryRightsContext(server, grant);
  if (sealed !== undefined) {
    const opened = await sealer.open(sealed, context).catch((error: unknown) => {
      // Sealed beside another grant of his, or altered: either way it is read anew.
      if (error instanceof Problem && error.code === "integrity_failure") return undefined;
      throw error;
    });
    if (opened !== undefined) return JSON.parse(opened.reveal()) as readonly LibraryAdministration[];
  }
  const rows = await read();
  const text = new Secret(JSON.stringify(rows));
  await memory.putRights(server.id, user, await sealer.seal(text, context), REMEMBERED_MS);
  const seen = new Map(rows.map((row) => [row.id, row.adminByOperations || row.adminByGroup]));
  await memory.noteAdmin(server.id, user, grant, seen);
  await memory.noteListed(server.id, rows);
  return rows;
}
