import { expect } from "vitest";
import { DOCUMENTS, LIBRARY, syncKit } from "./kit.ts";

const MINUTE = 60_000;

/** A sync that has seen all there is, and what it is told from then on. */
export async function following(options: Parameters<typeof syncKit>[0] = {}) {
  const kit = await syncKit(options);
  const sync = await kit.create();
  while ((await kit.runs.run(sync)).kind !== "complete");
  const before = (await kit.all(sync)).length;
  expect(before).toBe(DOCUMENTS);
  return {
    ...kit,
    sync,
    edit: (id: string, change: Parameters<typeof kit.simulator.editDocument>[2]) =>
      kit.simulator.editDocument(LIBRARY, id, change),
    /** One pass later; what it told. */
    async pass(ms = 5 * MINUTE): Promise<readonly string[]> {
      const known = (await kit.all(sync)).length;
      kit.advance(ms);
      const outcome = await kit.runs.run(sync);
      if (outcome.kind !== "complete") return [`${outcome.kind} ${"code" in outcome ? outcome.code : ""}`];
      return (await kit.all(sync)).slice(known).map(({ kind, object }) => `${kind} ${object}`);
    },
    asked: (what: string) => kit.simulator.requests().filter(({ path }) => path.includes(what)).length,
    state: async () => (await kit.syncs.findSync(sync))!,
  };
}

/** Gone without a word of the feed. */
export function vanish(
  kit: { readonly simulator: Awaited<ReturnType<typeof syncKit>>["simulator"] },
  ids: readonly string[],
) {
  const { documents } = kit.simulator.libraries.find(5948, LIBRARY)!;
  const left = documents.filter(({ id }) => !ids.includes(id));
  kit.simulator.libraries.patch(5948, LIBRARY, { documents: left });
}
