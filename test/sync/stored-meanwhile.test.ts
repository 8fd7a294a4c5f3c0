import { expect, test } from "vitest";
import type { CommitAnswer } from "../../src/sync/ports.ts";
import { SyncRuns } from "../../src/sync/run-sync.ts";
import { DOCUMENTS, syncKit } from "./kit.ts";

/** A scan in pages of four whose pages are stored when the test says so. */
async function scanning(answers: (sequence: number) => CommitAnswer | Error | undefined = () => undefined) {
  const kit = await syncKit();
  const sync = await kit.create();
  const story: string[] = [];
  const { syncs } = kit.ports;
  const told: Pick<typeof syncs, "commitPage" | "remembered"> = {
    async commitPage(id, page, quietMs) {
      story.push(`store ${page.sequence}`);
      const given = answers(page.sequence);
      // Long enough for whatever does not wait for it.
      for (let i = 0; i < 50; i++) await new Promise(setImmediate);
      if (given instanceof Error) throw given;
      const answer = given ?? (await syncs.commitPage(id, page, quietMs));
      story.push(`stored ${page.sequence}`);
      return answer;
    },
    remembered(id, objects) {
      story.push(`tell ${objects.length}`);
      return syncs.remembered(id, objects);
    },
  };
  const slow = new Proxy(syncs, {
    get(store, name) {
      const of = Object.hasOwn(told, name) ? told : store;
      const method = Reflect.get(of, name, of);
      return typeof method === "function" ? method.bind(of) : method;
    },
  });
  const runs = new SyncRuns({ ...kit.ports, syncs: slow }, { pageSize: 4 });
  return { kit, sync, runs, story };
}

test("while a page of a scan is stored the next is told, and it is stored only afterwards", async () => {
  const { kit, sync, runs, story } = await scanning();
  expect(await runs.run(sync)).toMatchObject({ kind: "complete" });
  expect(new Set((await kit.all(sync)).map(({ object }) => object)).size).toBe(DOCUMENTS);
  expect(story.findIndex((did, i) => did === "tell 4" && story[i - 1]?.startsWith("store "))).toBeGreaterThan(
    0,
  );
  const stores = story.filter((did) => did.startsWith("store"));
  for (const [i, did] of stores.entries()) {
    if (did.startsWith("store ") && i > 0) expect(stores[i - 1]).toBe(`stored ${Number(did.slice(6)) - 1}`);
  }
});

test.each(["overtaken", "paused", "gone"] as const)(
  "a page that is answered with %s ends the run, and the page behind it is not stored",
  async (answer) => {
    const { sync, runs, story } = await scanning((sequence) => (sequence === 3 ? answer : undefined));
    expect(await runs.run(sync)).toEqual({ kind: answer });
    expect(story.filter((did) => did.startsWith("store ")).at(-1)).toBe("store 3");
  },
);

test("a page that could not be stored is not gone past: the next run reads it again, and all is told once", async () => {
  let broken = true;
  const { kit, sync, runs } = await scanning((sequence) =>
    broken && sequence === 3 ? new Error("the connection is cut") : undefined,
  );
  await expect(runs.run(sync)).rejects.toThrow("the connection is cut");
  broken = false;
  kit.advance(90_000);
  expect(await runs.run(sync)).toMatchObject({ kind: "complete" });
  const told = (await kit.all(sync)).map(({ object }) => object);
  expect([told.length, new Set(told).size]).toEqual([DOCUMENTS, DOCUMENTS]);
});
