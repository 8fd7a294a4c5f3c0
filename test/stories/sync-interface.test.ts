import { expect, it } from "vitest";
import { lendLibrary } from "../../scripts/walk/lend-library.ts";
import type { SyncId } from "../../src/domain/id.ts";
import { days } from "../../src/domain/instant.ts";
import { connectRedis, disconnect } from "../../src/store/connect-redis.ts";
import { addressOf, keysOf } from "../kit/redis.ts";
import { AMELIA, type World, world } from "../kit/world.ts";

const LIBRARY = "ACTIVE";

interface Told {
  readonly kind: string;
  readonly document: Record<string, unknown>;
  readonly container: Record<string, unknown> | null;
  readonly user: Record<string, unknown> | null;
}

it("an app makes a sync, reads its snapshot and follows; it comes too late, is told the way back, and goes it", async () => {
  const here = await world();
  const { client, server, simulator, broker } = here;
  await lendLibrary(`${here.base}/servers/${server}/libraries`, LIBRARY, {
    username: AMELIA.username,
    password: AMELIA.password,
    email: "amelia.hart@hartlowell.example",
  });
  const key = { "idempotency-key": "first-sync" };
  const wish = { server, library: LIBRARY, wants: ["documents", "security", "containers", "people"] };
  const made = await client.call<{ id: SyncId }>("POST", "/v1/syncs", wish, key);
  expect(made.status).toBe(201);
  const { id } = made.body;
  expect((await client.call("POST", "/v1/syncs", wish, key)).body).toMatchObject({ id });
  expect((await client.call("POST", "/v1/syncs", { ...wish, wants: ["people"] }, key)).body).toMatchObject({
    code: "idempotency_conflict",
  });
  expect((await client.call("POST", "/v1/syncs", { ...wish, workspaces: ["CLOSED!1"] })).body).toMatchObject({
    faults: [{ field: "workspaces", message: "holds a workspace of another library" }],
  });

  const early = await snapshotOf(here, id);
  expect([early.status, early.headers.get("retry-after")]).toEqual([409, "10"]);
  expect(await early.json()).toMatchObject({ code: "sync_not_ready", remedy: "time" });

  // What is there is remembered and not told.
  const run = () => broker.workerStories.runSync(id, new AbortController().signal);
  await run();
  const changes = async (query: string) =>
    client.call<{ items: Told[]; cursor: string }>("GET", `/v1/syncs/${id}/changes?${query}`);
  expect((await changes("")).body.items).toEqual([]);

  const { cursor, documents } = await readSnapshot(await snapshotOf(here, id));
  const library = new Map(documents.map((document) => [document.id, document]));
  expect(library.size).toBe(24);
  simulator.editDocument(LIBRARY, "ACTIVE!1003.1", { name: "Settlement of Quillon" });
  const people = { name: "Clara Quillon", email: "clara@quillon.example" };
  simulator.edit(
    LIBRARY,
    { kind: "container", id: "ACTIVE!111", change: { name: "Quillon: correspondence" } },
    { kind: "user", id: "clara.voss", change: people },
  );
  here.advance(5 * 60_000);
  await run();
  const followed = (await changes(`cursor=${cursor}`)).body;
  const folder = { type: "folder", name: "Quillon: correspondence", workspace_id: "ACTIVE!11" };
  expect(followed.items).toMatchObject([
    { kind: "document.changed", document: { name: "Settlement of Quillon" }, container: null, user: null },
    { kind: "container.changed", document: null, container: { id: "ACTIVE!111", ...folder } },
    { kind: "user.changed", user: { id: "clara.voss", ...people, allow_logon: true }, group: null },
  ]);

  // Nothing of what is confidential lies in Redis in clear: names of documents, of clients, of matters and of people.
  const words = documents.flatMap(({ name, custom1, custom2 }) => [name, custom1, custom2]);
  const needles = [...new Set([...words, "Settlement of", "Quillon", "clara.voss"])].filter(
    (word): word is string => typeof word === "string" && word.length > 3,
  );
  expect(needles.length).toBeGreaterThan(20);
  const texts = await textsOf(here);
  expect(texts.length).toBeGreaterThan(30);
  expect(needles.filter((needle) => texts.some((text) => text.includes(needle)))).toEqual([]);

  // A week passes without the app.
  here.advance(days(8));
  simulator.editDocument(LIBRARY, "ACTIVE!1004.1", { name: "Written while nobody read" });
  await broker.workerStories.reapUnbound();
  const late = await client.call<{ snapshot: string }>("GET", `/v1/syncs/${id}/changes?cursor=${cursor}`);
  expect(late).toMatchObject({
    status: 410,
    body: { code: "cursor_expired", snapshot: `${here.base}/v1/syncs/${id}/snapshot` },
  });
  await lendAgainIfNeeded(here);
  const again = await readSnapshot(await fetch(late.body.snapshot, { headers: authorization(here) }));
  expect(again.documents.map(({ name }) => name)).toContain("Written while nobody read");
  expect((await changes(`cursor=${again.cursor}`)).status).toBe(200);
}, 30_000);

it("a snapshot that is read slowly holds a place, the third is told to wait, and who goes away leaves it at once", async () => {
  const here = await world();
  const { client, server, simulator, broker } = here;
  await lendAgainIfNeeded(here);
  const { body } = await client.call<{ id: SyncId }>("POST", "/v1/syncs", { server, library: LIBRARY });
  await broker.workerStories.runSync(body.id, new AbortController().signal);
  // iManage takes its time, so that they are under way together.
  simulator.addFault({
    id: "held",
    on: { route: "api", library: LIBRARY },
    times: "always",
    do: { hold_before: true },
  } as never);
  const leaving = new AbortController();
  const first = fetch(`${here.base}/v1/syncs/${body.id}/snapshot`, {
    headers: authorization(here),
    signal: leaving.signal,
  }).catch(() => undefined);
  const second = snapshotOf(here, body.id);
  await simulator.waitFor(() => simulator.held().length === 2);
  const third = await snapshotOf(here, body.id);
  expect(third.status).toBe(429);
  expect(Number(third.headers.get("retry-after"))).toBeLessThanOrEqual(30);
  expect(await third.json()).toMatchObject({ code: "snapshots_busy" });
  leaving.abort();
  await first;
  simulator.clearFaults();
  expect((await readSnapshot(await second)).documents).toHaveLength(24);
  // The first has ended, and the second.
  for (let n = 0; n < 3; n++)
    expect((await readSnapshot(await snapshotOf(here, body.id))).documents).toHaveLength(24);
}, 30_000);

const lendAgainIfNeeded = (here: World) =>
  lendLibrary(`${here.base}/servers/${here.server}/libraries`, LIBRARY, {
    username: AMELIA.username,
    password: AMELIA.password,
    email: "amelia.hart@hartlowell.example",
  });

const authorization = ({ credentials: { id, secret } }: World) => ({
  authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`,
});

const snapshotOf = (here: World, id: SyncId) =>
  fetch(`${here.base}/v1/syncs/${id}/snapshot`, { headers: authorization(here) });

/** As an app does: without its last line a snapshot is none. */
async function readSnapshot(answer: Response) {
  expect([answer.status, answer.headers.get("content-type")]).toEqual([
    200,
    expect.stringContaining("application/x-ndjson"),
  ]);
  const lines = (await answer.text())
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const [begin, ...rest] = lines;
  const end = rest.pop();
  expect([begin.kind, end]).toEqual([
    "snapshot.begin",
    { kind: "snapshot.end", documents: rest.length, unreadable: 0 },
  ]);
  return {
    cursor: String(begin.cursor),
    documents: rest.map(({ document }) => document as Record<string, unknown>),
  };
}

/** All that is stored of this world's organisation, keys and values. */
async function textsOf(here: World): Promise<readonly string[]> {
  const redis = connectRedis(addressOf(here.environment.REDIS_URL), "durable");
  try {
    const texts: string[] = [];
    for (const key of await keysOf(redis, `b1:{o:${here.organisation.slice(4)}}`)) {
      const type = await redis.type(key);
      const value =
        type === "hash"
          ? await redis.hgetall(key)
          : type === "stream"
            ? await redis.xrange(key, "-", "+")
            : type === "zset"
              ? await redis.zrange(key, "0", "-1")
              : type === "set"
                ? await redis.smembers(key)
                : await redis.get(key);
      texts.push(`${key} ${JSON.stringify(value)}`);
    }
    return texts;
  } finally {
    disconnect(redis);
  }
}
