import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, inject, it, onTestFinished } from "vitest";
import { freePort } from "../../scripts/redis/index.ts";
import { runChild } from "../../scripts/run-child.mjs";
import { contain } from "../../src/broker/containment/contain.ts";
import { progressBar } from "../../src/cli/progress.ts";
import { renderStatus } from "../../src/cli/render-status.ts";
import type { ClientId } from "../../src/domain/id.ts";
import { brokerProcess } from "../kit/broker-process.ts";
import { BY_TEST } from "../kit/put-records.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { world } from "../kit/world.ts";

const entry = fileURLToPath(new URL("../../src/main/cli.ts", import.meta.url));
const example = fileURLToPath(new URL("../../config/example.meridian.yaml", import.meta.url));

const cli = (args: readonly string[], env: Record<string, string>) =>
  runChild(process.execPath, [entry, ...args], {
    env: { PATH: process.env.PATH ?? "", NODE_COMPILE_CACHE: inject("compileCache"), ...env },
    capture: true,
  });

interface Finding {
  readonly check: string;
  readonly ok: boolean;
  readonly severity: string;
  readonly sentence: string;
  readonly remedy?: string;
}
const findings = (output: string): Finding[] =>
  output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Finding)
    .filter(({ check }) => check !== undefined);

it("status tells on one page who is at work, how the store stands, and what waits for whom", async () => {
  const here = await world({ redisUrl: (await ownRedisForThisTest()).url });
  await here.connect();
  await contain(
    here.broker.containment,
    {
      target: { kind: "client", client: here.client.id as ClientId },
      effect: "stop",
      reason: "key found in a repository",
    },
    BY_TEST,
  );
  const worker = await brokerProcess(here, "worker");
  const told = await cli(["status", "--json"], here.environment);
  const status = JSON.parse(told.output);
  expect(status).toMatchObject({
    processes: [{ roles: ["worker"], pid: worker.pid, gone: false, reads_format: 1 }],
    format: { format: 1, by: "0.1.0" },
    organisations: 1,
    servers: [{ closed: null }],
    authorizations: { all: 1, by_state: { active: 1 } },
    syncs: [],
    subscriptions: [],
    // A client that belongs to no organisation is stopped in each of them as well.
    containments: [{ effect: "stop" }, { effect: "stop" }],
  });
  expect(status.queues.map(({ name }: { name: string }) => name)).toContain("refresh-grant");
  expect(status.checks.map(({ check }: Finding) => check)).toContain("redis-durability");
  expect(told.code).toBe(0);

  const output = renderStatus(status);
  expect(output).toMatch(/^Processes {7}worker 0\.1\.0 on \S+ \(process \d+\), since /m);
  expect(output).toMatch(/^Store {11}D\d: /m);
  expect(output).toMatch(/^Authorizations {2}1: 1 active$/m);
  expect(output).toMatch(/^Containments {4}STOP {2}ctn_\w+: key found in a repository/m);
  expect(output.split("\n").length).toBeLessThan(40);
}, 120_000);

it("doctor says of a sound configuration that a process would start, and starts none", async () => {
  const here = await world({ redisUrl: (await ownRedisForThisTest()).url });
  const ports = { HTTP_PORT: String(await freePort()), OPS_PORT: String(await freePort()) };
  const { output, code } = await cli(["doctor", example, "--json"], { ...here.environment, ...ports });
  const found = findings(output);
  expect(found.filter(({ ok, severity }) => !ok && severity === "refuse")).toEqual([]);
  expect(code).toBe(0);
  expect([...new Set(found.map(({ check }) => check))]).toEqual(
    expect.arrayContaining(
      ["configuration-file", "settings", "file", "port", "root-keyset", "redis", "redis-eviction"].concat([
        "redis-durability",
        "redis-clock",
        "key-access",
        "store-format",
        "records",
        "server",
      ]),
    ),
  );
  expect(JSON.parse(output.trim().split("\n").at(-1)!)).toMatchObject({ would_start: true, refusals: 0 });
}, 60_000);

it("each thing that a start would refuse is a finding with its remedy, all of them in one run, and the end says 1", async () => {
  const redis = await ownRedisForThisTest();
  const here = await world({ redisUrl: redis.url });
  const connection = here.broker.stores.fast.connection;
  await connection.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
  await connection.hset("b1:{s:store}:format", { format: 7, since: 1, by: "9.0.0" });
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  onTestFinished(() => void taken.close());
  const folder = mkdtempSync(join(tmpdir(), "doctor-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "firm.yaml"), "version: 1\norganisations: nothing\n");
  const { port } = taken.address() as { port: number };
  const env = {
    ...here.environment,
    ...{ HTTP_HOST: "127.0.0.1", HTTP_PORT: String(port), OPS_PORT: String(await freePort()) },
    EGRESS_PROXY_URL: "http://127.0.0.1:1",
    AUDIT_FILE: join(folder, "not-there", "audit.jsonl"),
  };
  const { output, code } = await cli(["doctor", join(folder, "firm.yaml"), "--json"], env);
  expect(code).toBe(1);
  const bad = findings(output).filter(({ ok }) => !ok);
  const refused = bad.filter(({ severity }) => severity === "refuse").map(({ check }) => check);
  expect(refused.sort()).toEqual(["configuration-file", "file", "port", "redis-eviction", "store-format"]);
  expect(bad.map(({ check }) => check)).toContain("egress");
  expect(bad.filter(({ remedy }) => remedy === undefined)).toEqual([]);

  const wrong = await cli(["doctor"], {
    NODE_ENV: "test",
    HTTP_PORT: "many",
    NODE_TLS_REJECT_UNAUTHORIZED: "0",
  });
  expect(wrong.code).toBe(1);
  for (const setting of ["HTTP_PORT", "REDIS_URL", "PUBLIC_BASE_URL", "NODE_TLS_REJECT_UNAUTHORIZED"])
    expect(wrong.output).toMatch(new RegExp(`^REFUSED {2}settings: ${setting} `, "m"));
  expect(wrong.output).toContain("A process would not start here.");
}, 60_000);

it("a progress bar is drawn for who looks, at most ten times a second, and leaves nothing behind", () => {
  let drawn: string[] = [];
  const screen = { isTTY: true, columns: 60, write: (text: string) => void drawn.push(text) };
  let now = 0;
  const bar = progressBar(screen, "records", () => now);
  for (; now < 1_000; now += 5) bar.at(now, 1_000);
  bar.at(1_000, 1_000);
  expect(drawn).toHaveLength(11);
  expect(drawn[5]).toBe("\r\u001b[Krecords  [############............] 50 %  500 of 1000");
  expect(drawn.every((text) => text.length <= 60 + 4)).toBe(true);
  bar.end();
  expect(drawn.at(-1)).toBe("\r\u001b[K");
  drawn = [];
  const unseen = progressBar({ ...screen, isTTY: false }, "records");
  unseen.at(1, 2);
  unseen.end();
  expect(drawn).toEqual([]);
});
