import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

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
