import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { runChild } from "../../scripts/run-child.mjs";

const entry = fileURLToPath(new URL("../../src/main/cli.ts", import.meta.url));
const example = fileURLToPath(new URL("../../config/example.meridian.yaml", import.meta.url));

const cli = (args: readonly string[], env: Record<string, string> = {}) =>
  runChild(process.execPath, [entry, ...args], {
    env: { PATH: process.env.PATH ?? "", ...env },
    capture: true,
  });

it("a configuration file is checked on a machine that runs no broker: no Redis, no settings", async () => {
  const { code, output } = await cli(["check", example]);
  expect(output).toContain("example.meridian.yaml is right");
  expect(code).toBe(0);
});

it("what does need settings says which, all of them, and never with a stack", async () => {
  const { code, output } = await cli(["show", "organisations"]);
  expect(code).toBe(1);
  expect(output).toContain("REDIS_URL is required");
  expect(output).toContain("PUBLIC_BASE_URL is required");
  expect(output).not.toMatch(/^\s+at /m);
});

it("a Redis that is away is a sentence", async () => {
  const { code, output } = await cli(["show", "organisations"], {
    NODE_ENV: "test",
    REDIS_URL: "redis://127.0.0.1:1",
    PUBLIC_BASE_URL: "http://127.0.0.1:2",
    ROOT_KEYSET_FILE: "/dev/null",
  });
  expect(code).toBe(1);
  expect(output).not.toMatch(/^\s+at /m);
});
