import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { describe, expect, it, onTestFinished } from "vitest";
import { startRedis, startRedisCluster } from "../../scripts/redis/index.ts";
import {
  type Encoding,
  needlesOf,
  prefixNeedles,
  READABLE_FILES,
  scan,
  scanFiles,
  scanRedis,
  told,
} from "./canary.ts";
import { recordHttp } from "./record-http.ts";

/** Zero hits prove something only where a leak would have been found. */
const SECRET = 'sim_rt_Zm9v-_"\\/ü9 x+y';
const needles = needlesOf({ planted: SECRET });

const WRITTEN: Readonly<Record<Encoding, readonly ((secret: string) => string)[]>> = {
  raw: [(secret) => secret, (secret) => `before${secret}behind`],
  base64: [0, 1, 2, 3].map((n) => (secret) => Buffer.from(`${"a".repeat(n)}${secret}zz`).toString("base64")),
  base64url: [0, 1, 2, 3].map(
    (n) => (secret) => Buffer.from(`${"a".repeat(n)}${secret}zz`).toString("base64url"),
  ),
  hex: [
    (secret) => Buffer.from(secret).toString("hex"),
    (secret) => Buffer.from(secret).toString("hex").toUpperCase(),
  ],
  URL: [
    (secret) => `?a=${encodeURIComponent(secret)}`,
    (secret) => new URLSearchParams({ secret }).toString(),
    (secret) => Buffer.from(secret).toString("hex").replaceAll(/../g, "%$&"),
  ],
  JSON: [(secret) => JSON.stringify({ secret })],
};
const written = Object.entries(WRITTEN).flatMap(([encoding, ways]) =>
  ways.map((way) => [encoding, way] as const),
);

describe("the canary scanner finds a secret", () => {
  it.each(written)("written as %s", (encoding, way) => {
    const found = scan(`.\u0000 ${way(SECRET)} .`, needles, "text").map((hit) => hit.encoding);
    // Where neither `+` nor `/` occurs the two are one.
    expect(found.map((each) => each.replace("base64url", "base64"))).toContain(
      encoding.replace("base64url", "base64"),
    );
    // And by what every such secret begins with, whatever follows.
    const random = `sim_rt_${"A9-_".repeat(10)}`;
    expect(scan(way(random), prefixNeedles, "text")).not.toEqual([]);
  });

  it("escaped letter by letter in JSON", () => {
    const escaped = [..."imb_sk_x"]
      .map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join("");
    expect(told(scan(escaped, prefixNeedles, "text"))).toEqual(["imb_sk_… (JSON) in text"]);
  });

  it("in the Basic header of a client", () => {
    const header = `Basic ${Buffer.from("cli_01:imb_sk_abcdef").toString("base64")}`;
    expect(scan(header, prefixNeedles, "header")).not.toEqual([]);
  });

  it("nowhere else: what is not there is not found, and what is found is not told", () => {
    expect(scan("sim_rt an innocent text, c2lt, 73696d", needles, "text")).toEqual([]);
    expect(JSON.stringify(told(scan(SECRET, needles, "text")))).not.toContain("Zm9v");
    expect(() => needlesOf({ short: "hart" })).toThrow(RangeError);
  });

  it.each(written)("in every kind of key, in names, and in both files of a Redis, as %s", async (_, way) => {
    const redis = await startRedis({ extraArgs: READABLE_FILES });
    onTestFinished(() => redis.stop());
    const client = new Redis(redis.url);
    onTestFinished(() => client.disconnect());
    const leak = way(SECRET);
    await client
      .multi()
      .set("in:string", leak)
      .hset("in:hash-value", "field", leak)
      .hset("in:hash-field", leak, "value")
      .rpush("in:list", "x", leak)
      .sadd("in:set", leak)
      .zadd("in:zset", 1, leak)
      .xadd("in:stream", "*", "field", leak)
      .set(`in:name:${leak}`, "value")
      .exec();

    const { hits, keys } = await scanRedis([redis.url], needles);
    expect(keys).toBe(8);
    const places = ["string", "hash-value", "hash-field", "list", "set", "zset", "stream"].map(
      (at) => `key in:${at}`,
    );
    expect([...new Set(hits.map(({ where }) => where.slice(0, 21)))].toSorted()).toEqual(
      [...places, "the name of key in:na"].toSorted(),
    );

    // The append-only file remembers what is gone; the snapshot holds what is there.
    await client.save();
    await client.flushall();
    expect((await scanRedis([redis.url], needles)).hits).toEqual([]);
    const files = scanFiles(redis.dir, needles).hits.map(({ where }) => where);
    expect(files).toContain("file dump.rdb");
    expect(files.some((where) => where.includes(".aof"))).toBe(true);
  });

  it("at every node of a cluster", async () => {
    const cluster = await startRedisCluster();
    onTestFinished(() => cluster.stop());
    for (const [index, { host, port }] of cluster.nodes.entries()) {
      const client = new Redis({ host, port });
      onTestFinished(() => client.disconnect());
      // A name that lies in this node's share of the slots.
      for (let n = 0; ; n++) {
        const done = await client.set(`node-${index}-${n}`, SECRET).catch(() => undefined);
        if (done === "OK") break;
      }
    }
    const { hits } = await scanRedis(
      cluster.nodes.map(({ url }) => url),
      needles,
    );
    expect(new Set(hits.map(({ where }) => where.slice(0, 10)))).toEqual(
      new Set(["key node-0", "key node-1", "key node-2"]),
    );
  });

  it("in files of a folder, however deep", async () => {
    const folder = await mkdtemp(join(tmpdir(), "canary-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, "audit.jsonl"), `{"token":${JSON.stringify(SECRET)}}\n`);
    expect(told(scanFiles(folder, needles).hits)).toEqual(["planted (JSON) in file audit.jsonl"]);
  });

  it("in the address, headers and bodies of what goes over HTTP", async () => {
    const recorded = recordHttp();
    const server = createServer((request, response) => {
      request.resume().once("end", () => {
        response.setHeader("x-leak", "imb_at_header");
        response.write("first ");
        response.end("imb_sk_body");
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const answer = await fetch(`http://127.0.0.1:${port}/a?t=sim_at_url`, {
      method: "POST",
      headers: { "x-mine": "sim_code_header" },
      body: "sim_rt_body",
    });
    expect(await answer.text()).toBe("first imb_sk_body");
    expect(recorded).toMatchObject([{ port, method: "POST", status: 200, answerBody: "first imb_sk_body" }]);
    const [exchange] = recorded;
    const found = (part: keyof typeof exchange & string) =>
      scan(String(exchange![part]), prefixNeedles, part).map(({ name }) => name);
    expect(found("url" as never)).toEqual(["sim_at_…"]);
    expect(found("requestHeaders" as never)).toEqual(["sim_code_…"]);
    expect(found("requestBody" as never)).toEqual(["sim_rt_…"]);
    expect(found("answerHeaders" as never)).toEqual(["imb_at_…"]);
    expect(found("answerBody" as never)).toEqual(["imb_sk_…"]);
  });
});
