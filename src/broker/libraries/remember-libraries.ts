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
  const stored = await memory.findRights(server.id, user);
  if (stored !== undefined) {
    const opened = await Promise.all(
      stored.map((sealed, i) => sealer.open(sealed, libraryRightsContext(server, grant, i))),
    ).catch((error: unknown) => {
      // Sealed beside another grant of his, or altered: either way it is read anew.
      if (error instanceof Problem && error.code === "integrity_failure") return undefined;
      throw error;
    });
    if (opened !== undefined)
      return opened.flatMap((part) => JSON.parse(part.reveal()) as LibraryAdministration[]);
  }
  const rows = await read();
  const sealed = partsOf(rows).map((part, i) =>
    sealer.seal(new Secret(JSON.stringify(part)), libraryRightsContext(server, grant, i)),
  );
  await memory.putRights(server.id, user, await Promise.all(sealed), REMEMBERED_MS);
  const seen = new Map(rows.map((row) => [row.id, row.adminByOperations || row.adminByGroup]));
  await memory.noteAdmin(server.id, user, grant, seen);
  await memory.noteListed(server.id, rows);
  return rows;
}

/** A sealed text is short (16 KiB), and a letter takes up to three bytes. */
const PART_LETTERS = 5_000;

function partsOf(rows: readonly LibraryAdministration[]): readonly (readonly LibraryAdministration[])[] {
  const parts: LibraryAdministration[][] = [];
  let room = 0;
  for (const row of rows) {
    const { length } = JSON.stringify(row);
    if (length > room || parts.length === 0) {
      parts.push([]);
      room = PART_LETTERS;
    }
    parts.at(-1)!.push(row);
    room -= length;
  }
  return parts;
}
