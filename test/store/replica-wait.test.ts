import { once } from "node:events";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { RunningRedis } from "../../scripts/redis/index.ts";
import { startRedis } from "../../scripts/redis/index.ts";
import { connectRedis, disconnect, whenReady } from "../../src/store/connect-redis.ts";
import { RedisStore } from "../../src/store/redis-store.ts";

let master: RunningRedis;
let replica: RunningRedis;
let store: RedisStore;

beforeAll(async () => {
  master = await startRedis({ extraArgs: ["--repl-diskless-sync-delay", "0"] });
  replica = await startRedis({
    extraArgs: ["--replicaof", `${master.host} ${master.port}`, "--repl-diskless-sync-delay", "0"],
  });
  const connection = connectRedis({ url: master.url }, "durable");
  await whenReady(connection);
  store = new RedisStore(connection).waitForReplicas(1);
  const inStep = async () => await connection.info("replication");
  await vi.waitFor(async () => expect(await inStep()).toContain("state=online"), { timeout: 20_000 });
});

afterAll(async () => {
  disconnect(store.connection);
  await replica.stop();
  await master.stop();
});

const change = (key: string) => store.change(key, (redis) => redis.set(key, "1"));

it("F32: a change that no replica has is not acknowledged, and the same change is once one has it", async () => {
  await change("b1:{o:1}:a");
  replica.pause();
  await expect(change("b1:{o:1}:b")).rejects.toMatchObject({ code: "store_unavailable" });
  // By script as by command, even one that finds nothing to do: what it found may be gone tomorrow.
  const released = store.run("refresh-release", ["b1:{o:1}:grant:g"], ["g", "attempt"]);
  await expect(released).rejects.toMatchObject({ code: "store_unavailable" });
  replica.resume();
  await change("b1:{o:1}:b");
});

it("however many change at once, they wait for replicas together", async () => {
  const waits = async () =>
    Number(/cmdstat_wait:calls=(\d+)/.exec(await (store.connection as Redis).info("commandstats"))?.[1] ?? 0);
  const before = await waits();
  await Promise.all(Array.from({ length: 200 }, (_, i) => change(`b1:{o:1}:${i}`)));
  expect((await waits()) - before).toBeLessThanOrEqual(20);
});

it("a change whose connection was lost before replicas were asked is not acknowledged: the next one would answer for itself alone", async () => {
  const connection = store.connection as Redis;
  const id = await connection.client("ID");
  const other = new Redis(master.url);
  const changed = store.change("b1:{o:1}:lost", async (redis) => {
    await redis.set("b1:{o:1}:lost", "1");
    const closed = once(connection, "close");
    await other.client("KILL", "ID", id);
    await closed;
  });
  await expect(changed).rejects.toMatchObject({ code: "store_unavailable" });
  other.disconnect();
  await change("b1:{o:1}:lost");
});
