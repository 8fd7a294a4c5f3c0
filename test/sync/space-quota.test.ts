import { expect, test } from "vitest";
import { RedisSyncSpace } from "../../src/store/redis-sync-space.ts";
import { SyncRuns } from "../../src/sync/run-sync.ts";
import { withinQuota } from "../../src/sync/space-quota.ts";
import { DOCUMENTS, syncKit } from "./kit.ts";

test("a sync for which there is no room is parked with its reason, asks iManage nothing, and loses nothing when there is room again", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  const space = new RedisSyncSpace(kit.store);
  const quota = { bytes: 1 };
  const runs = new SyncRuns(
    {
      ...kit.ports,
      accessToken: (request) => withinQuota(kit.ports.accessToken, space, quota.bytes)(request),
    },
    { pageSize: 4 },
  );
  // There is nothing yet, so the first page finds room, and what is asked for while it is stored.
  expect(await runs.run(sync)).toEqual({ kind: "parked", code: "sync_quota_exceeded" });
  expect((await kit.all(sync)).length).toBeLessThan(DOCUMENTS);
  const [asked, tokens] = [kit.listed().length, kit.tokens.asked.length];
  kit.advance(30_000);
  expect(await runs.run(sync)).toEqual({ kind: "parked", code: "sync_quota_exceeded" });
  expect([kit.listed().length, kit.tokens.asked.length]).toEqual([asked, tokens]);
  expect(await kit.stories.find(kit.caller, sync)).toMatchObject({
    state: "parked",
    parkedBecause: "sync_quota_exceeded",
  });

  quota.bytes = 10_000_000;
  kit.advance(30_000);
  expect(await runs.run(sync)).toMatchObject({ kind: "complete" });
  expect(new Set((await kit.all(sync)).map(({ object }) => object)).size).toBe(DOCUMENTS);
});
