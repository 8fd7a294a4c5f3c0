import { isPatient } from "./load-documents.ts";
import type { LibraryObject, ObjectName } from "./object-source.ts";
import type { Sync, SyncPorts } from "./ports.ts";
import { type LibraryCalls, STATUS } from "./read-library.ts";
import { problemOf, type Refusal } from "./refusals.ts";

/** Under way at one server for one sync. */
const LOADS_AT_ONCE = 4;

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
  const { answer } = await calls.call(sync, sequence, async ({ server, accessToken }, of) => {
    const value: (LibraryObject | undefined)[] = wanted.map(() => undefined);
    const rest = wanted.entries();
    let failed: Refusal | undefined;
    const worker = async () => {
      for (const [i, name] of rest) {
        if (failed !== undefined) return;
        const one = await objects.readObject(server, accessToken, { ...of, ...name });
        if (one.kind === "ok") value[i] = one.value;
        else if (isPatient(sync) || one.kind !== "unavailable" || !STATUS.test(one.reason)) failed ??= one;
      }
    };
    await Promise.all(Array.from({ length: LOADS_AT_ONCE }, worker));
    return failed ?? { kind: "ok", value };
  });
  if (answer.kind !== "ok") throw problemOf(answer, "containers, users and groups");
  return answer.value;
}
