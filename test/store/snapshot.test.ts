import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Cluster, Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { readBackup, verifyBackup, writeBackup } from "../../src/broker/backup/backup-file.ts";
import type { StoredKey } from "../../src/broker/backup/ports.ts";
import { makeBackupMac } from "../../src/security/backup-mac.ts";
import { systemRandom } from "../../src/security/random.ts";
import { createRootKeyset, parseRootKeyset } from "../../src/security/root-keyset.ts";
import { connectRedis, disconnect, whenReady } from "../../src/store/connect-redis.ts";
import { RedisRefill } from "../../src/store/redis-refill.ts";
import { RedisSnapshot } from "../../src/store/redis-snapshot.ts";
import { RedisStore } from "../../src/store/redis-store.ts";
import { ownRedisCluster, ownRedisForThisTest } from "../kit/redis.ts";
import { Seeded } from "../kit/seeded.ts";

const clock = { now: () => 1_790_000_000_000 };
const mac = makeBackupMac(parseRootKeyset(createRootKeyset(systemRandom, Date.now()).reveal()));
/** More than are copied at a stroke, so that what has changed is copied again and again before. */
const ACCOUNTS = 600;
const FIRMS = ["aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"];
/** How many are made while it moves. */
const BACKUPS = Number(process.env.TEST_BACKUPS ?? 1);
const TIMEOUT_MS = 30_000 + BACKUPS * 4_000;
const accountOf = (firm: string, i: number): string => `b1:{o:${firm}}:account:${i}`;

describe("a backup that is made while others write (F33)", () => {
  let cluster: Awaited<ReturnType<typeof ownRedisCluster>>;
  beforeAll(async () => {
    cluster = await ownRedisCluster();
  });
  afterAll(() => cluster.stop());

  it("has each organisation as it was at one moment, of one Redis", { timeout: TIMEOUT_MS }, async () => {
    const redis = await ownRedisForThisTest();
    const from = await openedOn({ url: redis.url });
    const into = await openedOn({ url: (await ownRedisForThisTest()).url });
    await consistent(from, into, { port: redis.port, cluster: false });
  });

  it("has each organisation as it was at one moment, of a cluster", { timeout: TIMEOUT_MS }, async () => {
    const from = await openedOn({
      url: `redis://127.0.0.1:${cluster.nodes[0]!.port}`,
      clusterNodes: cluster.nodes.map(({ port }) => `127.0.0.1:${port}`),
    });
    const into = await openedOn({ url: (await ownRedisForThisTest()).url });
    await consistent(from, into, { port: cluster.nodes[0]!.port, cluster: true });
  });

  it("ends with an error, and is no backup, when the connection that hears of changes is lost", async () => {
    const from = await openedOn({ url: (await ownRedisForThisTest()).url });
    const keys = Array.from({ length: 1_000 }, (_, i) => accountOf(FIRMS[0]!, i));
    await Promise.all(keys.map((key) => from.connection.set(key, "1")));
    const parts: string[] = [];
    const broken = async () => {
      for await (const item of new RedisSnapshot(from.store).items()) {
        if (parts.push(item.kind) === 5)
          await (from.connection as Redis).call("CLIENT", "KILL", "TYPE", "pubsub");
      }
    };
    await expect(broken()).rejects.toMatchObject({ code: "store_unavailable" });
  });
});

describe("a backup's file", () => {
  const whole = async (keys = 5_000): Promise<string[]> => {
    const parts: string[] = [];
    for await (const part of writeBackup(items(keys), mac, clock)) parts.push(part);
    return parts;
  };
  const read = async (text: string, by = mac) => verifyBackup(linesOf(text), by);

  it("comes back as it was, in parts of bounded size", async () => {
    const parts = await whole();
    expect(parts.length).toBeGreaterThan(2);
    expect(Math.max(...parts.map((part) => part.length))).toBeLessThan(1.5 * 2 ** 20);
    expect(await read(parts.join(""))).toMatchObject({ keys: 5_000, nouns: { grant: 5_000 } });
    const keys: StoredKey[] = [];
    for await (const part of readBackup(linesOf(parts.join("")), mac))
      if (part.kind === "keys") keys.push(...part.keys);
    expect(keys[4_999]).toEqual({
      key: keyOf(4_999),
      value: Buffer.from("value 4999"),
      expiresAt: undefined,
    });
  });

  it("T27 is refused where anything of it was altered, left out, moved, put in or cut off", async () => {
    const parts = await whole();
    const text = parts.join("");
    const lines = text.trimEnd().split("\n");
    const seeded = new Seeded();
    const wrong: [string, string][] = [
      ["a part left out", parts.toSpliced(1, 1).join("")],
      ["two parts changed round", [parts[1], parts[0], ...parts.slice(2)].join("")],
      ["a part twice", [parts[0], parts[0], ...parts.slice(1)].join("")],
      ["cut after a part", parts.slice(0, -1).join("")],
      ["cut in a line", text.slice(0, text.length - 20)],
      ["something behind it", `${text}${lines[1]}\n`],
      ["nothing", ""],
      ["another file", `{"a":1}\n`],
      ["another format", text.replace('"format":1', '"format":2')],
    ];
    for (let i = 0; i < 15; i++) {
      const at = seeded.below(lines.length);
      wrong.push([`line ${at} left out (seed ${seeded.seed})`, `${lines.toSpliced(at, 1).join("\n")}\n`]);
      const letter = seeded.below(text.length);
      if (text[letter] === "\n") continue;
      const other = text[letter] === "x" ? "y" : "x";
      wrong.push([
        `letter ${letter} altered (seed ${seeded.seed})`,
        `${text.slice(0, letter)}${other}${text.slice(letter + 1)}`,
      ]);
    }
    for (const [what, altered] of wrong) await expect(read(altered), what).rejects.toThrow();
    const stranger = makeBackupMac(parseRootKeyset(createRootKeyset(systemRandom, Date.now()).reveal()));
    await expect(read(text, stranger)).rejects.toMatchObject({ code: "integrity_failure" });
  });
});

const keyOf = (i: number): string => `b1:{o:aaaaaaaaaa}:grant:grt_${i}`;

async function* items(count: number) {
  for (let i = 0; i < count; i++) {
    const stored = { key: keyOf(i), value: Buffer.from(`value ${i}`), expiresAt: undefined };
    yield { kind: "key", stored } as const;
  }
}

async function* linesOf(text: string): AsyncIterable<string> {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  yield* lines;
}

async function openedOn(address: Parameters<typeof connectRedis>[0]) {
  const connection = connectRedis(address, "durable");
  await whenReady(connection);
  onTestFinished(() => disconnect(connection));
  return { connection, store: new RedisStore(connection) };
}

/** Copies while another moves as fast as it can: what an organisation has in all must come out as it went in. */
async function consistent(
  from: { connection: Redis | Cluster; store: RedisStore },
  into: { connection: Redis | Cluster; store: RedisStore },
  where: { readonly port: number; readonly cluster: boolean },
): Promise<void> {
  const seeded = new Seeded();
  console.log(`seed ${seeded.seed}: what moves while the backup is made`);
  for (const firm of FIRMS) {
    await Promise.all(Array.from({ length: ACCOUNTS }, (_, i) => from.connection.set(accountOf(firm, i), 3)));
  }
  await from.connection.set("b1:{q:sync}:wait", "a queue");
  await from.connection.set("b1:{s:due}refresh", "a hint");
  const mover = new Worker(new URL("./mover.ts", import.meta.url), {
    workerData: { ...where, firms: FIRMS, accounts: ACCOUNTS, seed: seeded.seed },
  });
  onTestFinished(async () => void (await mover.terminate()));
  await once(mover, "message");
  const refill = new RedisRefill(into.store);
  for (let i = 0; i < BACKUPS; i++) {
    let text = "";
    for await (const part of writeBackup(new RedisSnapshot(from.store).items(), mac, clock)) text += part;
    expect(await refill.occupied()).toBe(0);
    for await (const part of readBackup(linesOf(text), mac))
      if (part.kind === "keys") await refill.write(part.keys);
    const keys = await (into.connection as Redis).keys("*");
    expect(keys.filter((key) => !key.includes(":account:"))).toEqual([]);
    for (const firm of FIRMS) {
      const amounts = await (into.connection as Redis).mget(keys.filter((key) => key.includes(firm)));
      const sum = amounts.reduce((all, amount) => all + Number(amount), 0);
      expect(sum, `${firm}, backup ${i}, seed ${seeded.seed}`).toBe(3 * ACCOUNTS);
    }
    await into.connection.flushall();
  }
  mover.postMessage("enough");
  const [moved] = (await once(mover, "message")) as [number];
  expect(moved).toBeGreaterThan(50);
}
