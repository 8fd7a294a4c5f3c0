import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { simulator } from "./visitor.ts";

const MAIN = fileURLToPath(new URL("../../src/main/simulator.ts", import.meta.url));

function run(...args: string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  let out = "";
  let err = "";
  child.stderr.on("data", (text) => {
    err += text;
  });
  const origin = new Promise<string>((resolve, reject) => {
    child.stdout.on("data", (text) => {
      out += text;
      const [, found] = /origin +(\S+)/.exec(out) ?? [];
      if (found !== undefined) resolve(found);
    });
    child.once("exit", () => reject(new Error(err)));
  });
  origin.catch(() => {});
  const exit = once(child, "exit").then(([code]) => ({ code, err }));
  return { child, origin, exit, output: () => out };
}

test("the command says where it listens, answers, and closes on SIGTERM", async () => {
  const { child, origin, exit, output } = run("--port", "0");
  const address = await origin;
  expect((await fetch(`${address}/_simulator/state`)).status).toBe(200);
  expect(output()).toContain(`control   ${address}/_simulator/`);
  child.kill("SIGTERM");
  expect((await exit).code).toBe(0);
});

test("the command plays a script of edits into a simulator that runs, and says what it cannot", async () => {
  const sim = await simulator();
  const folder = await mkdtemp(join(tmpdir(), "simulator-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "edits.jsonl");
  await writeFile(
    file,
    '{"library":"ACTIVE","kind":"document","id":"ACTIVE!1001.1","change":{"name":"Played"}}\n',
  );
  const { child, exit, output } = run("--edits", file, "--to", sim.origin);
  await once(child, "close");
  expect([(await exit).code, output()]).toEqual([0, "1 edits made\n"]);
  expect(sim.edits()).toMatchObject([{ event: { object_id: "ACTIVE!1001.1" } }]);
  await writeFile(file, '{"library":"ACTIVE","kind":"explode"}\n');
  const refused = await run("--edits", file, "--to", sim.origin).exit;
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining("line 1")]);
});

test("a port that is taken is one clear sentence and exit code 1", async () => {
  const first = run("--port", "0");
  const port = new URL(await first.origin).port;
  const { code, err } = await run("--port", port).exit;
  expect(code).toBe(1);
  expect(err.trim()).toBe(
    `Port ${port} on 127.0.0.1 is taken: choose another with --port, or --port 0 for a free one.`,
  );
});

test.each([["--port", "many"], ["--unknown"]])(
  "arguments it does not understand (%s) are told, with the usage",
  async (...args) => {
    const { code, err } = await run(...args).exit;
    expect(code).toBe(1);
    expect(err).toContain("usage: simulator");
  },
);
