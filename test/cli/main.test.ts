import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, inject, it, onTestFinished } from "vitest";
import { runChild } from "../../scripts/run-child.mjs";
import { unzip } from "../kit/unzip.ts";
import { world } from "../kit/world.ts";

const entry = fileURLToPath(new URL("../../src/main/cli.ts", import.meta.url));
const example = fileURLToPath(new URL("../../config/example.meridian.yaml", import.meta.url));

const cli = (args: readonly string[], env: Record<string, string> = {}) =>
  runChild(process.execPath, [entry, ...args], {
    env: { PATH: process.env.PATH ?? "", NODE_COMPILE_CACHE: inject("compileCache"), ...env },
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

// Each program takes its seconds to start on a busy machine.
it("the sheet and the packages that an operator prints are those that the API gives", async () => {
  const here = await world();
  const organisation = await here.broker.configuration.findOrganisation(here.organisation as never);
  const server = `${organisation?.name}/dms`;
  const folder = mkdtempSync(join(tmpdir(), "cli-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const { id, secret } = here.credentials;
  const ask = (path: string, accept: string) =>
    fetch(`${here.base}/v1/servers/${here.server}/${path}`, {
      headers: { accept, authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}` },
    });

  const sheet = await cli(["registration-sheet", server, "--format", "markdown"], here.environment);
  expect(sheet.output).toBe(await (await ask("registration", "text/markdown")).text());
  for (const kind of ["control-center", "work"]) {
    const file = join(folder, `${kind}.zip`);
    const { code, output } = await cli(
      ["registration-package", server, "--kind", kind, "--out", file],
      here.environment,
    );
    expect([code, output]).toEqual([
      0,
      expect.stringContaining(`${file} is the ${kind} package for ${server}.`),
    ]);
    const fetched = await (await ask(`package?kind=${kind}`, "*/*")).arrayBuffer();
    expect(readFileSync(file).equals(Buffer.from(fetched))).toBe(true);
    expect(unzip(readFileSync(file)).map(({ name }) => name)).toEqual(["manifest.yaml"]);
  }
}, 120_000);
