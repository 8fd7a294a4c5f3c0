import { expect, test } from "vitest";
import { DOCUMENTS, LIBRARY, syncKit } from "./kit.ts";

const MINUTE = 60_000;

test("after its first scan a sync follows the feed: an edit is told once, and no document is listed for it", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  expect(await kit.runs.run(sync)).toEqual({ kind: "complete", changes: DOCUMENTS });
  const listed = kit.listed().length;

  kit.advance(5 * MINUTE);
  kit.simulator.editDocument(LIBRARY, "ACTIVE!1003.1", { name: "Signed lease", last_user: "b.okafor" });
  kit.simulator.editDocument(LIBRARY, "ACTIVE!2001.1", { name: "New" });
  expect(await kit.runs.run(sync)).toEqual({ kind: "complete", changes: 2 });
  expect((await kit.all(sync)).slice(DOCUMENTS)).toMatchObject([
    {
      kind: "document.changed",
      object: "ACTIVE!1003.1",
      actor: "b.okafor",
      document: { name: "Signed lease" },
    },
    { kind: "document.created", object: "ACTIVE!2001.1" },
  ]);
  expect(kit.listed()).toHaveLength(listed);

  kit.advance(5 * MINUTE);
  expect(await kit.runs.run(sync)).toEqual({ kind: "complete", changes: 0 });
});
