import type { SyncId } from "../domain/id.ts";
import type { SyncPorts } from "./ports.ts";

/** So many versions may have come since the scan before. */
const NEWER_VERSIONS = 20;

/** Those of which the scan has met a newer version: iManage still shows them by their ids, and lists them no more. */
export async function replacedIn(
  syncs: Pick<SyncPorts["syncs"], "remembered">,
  id: SyncId,
  objects: readonly string[],
  scan: number,
): Promise<ReadonlySet<string>> {
  const newer = objects.flatMap((object) => {
    const [, of = "", version = ""] = /^(.+\.)(\d{1,9})$/.exec(object) ?? [];
    if (version === "") return [];
    return Array.from({ length: NEWER_VERSIONS }, (_, i) => ({
      object,
      id: `${of}${Number(version) + 1 + i}`,
    }));
  });
  const known = await syncs.remembered(
    id,
    newer.map((one) => one.id),
  );
  return new Set(newer.flatMap(({ object }, i) => (known[i]?.scan === scan ? [object] : [])));
}
