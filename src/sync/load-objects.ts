import { isPatient } from "./load-documents.ts";
import { loadEach } from "./load-each.ts";
import type { LibraryObject, ObjectName } from "./object-source.ts";
import type { Sync, SyncPorts } from "./ports.ts";
import type { LibraryCalls } from "./read-library.ts";
import { problemOf, type Refusal } from "./refusals.ts";

/**
 * Containers and people, each by itself: no search is known that finds them by ids. In the order of `wanted`; undefined: iManage does not
 * show it, or fails to, however often it is asked.
 * @throws Problem where one cannot be loaded, as long as there is patience with it.
 */
export async function loadObjects(
  { calls, objects }: { readonly calls: LibraryCalls; readonly objects: SyncPorts["objects"] },
  sync: Sync,
  sequence: number,
  wanted: readonly ObjectName[],
): Promise<readonly (LibraryObject | undefined)[]> {
  if (wanted.length === 0) return [];
  const { answer } = await calls.call(sync, sequence, async (token, of) => {
    const { server, accessToken } = token;
    const value: (LibraryObject | undefined)[] = wanted.map(() => undefined);
    const load = async ([i, name]: readonly [number, ObjectName]): Promise<Refusal | undefined> => {
      const one = await objects.readObject(server, accessToken, { ...of, ...name });
      if (one.kind !== "ok") return one;
      value[i] = one.value;
      return undefined;
    };
    const isAnswering = () => calls.isAnswering(token, of);
    const loaded = await loadEach(wanted.entries(), { load, patient: isPatient(sync), isAnswering });
    return loaded.kind === "ok" ? { kind: "ok", value } : loaded;
  });
  if (answer.kind !== "ok") throw problemOf(answer, "containers, users and groups");
  return answer.value;
}
