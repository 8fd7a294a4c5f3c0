import { spawnSync } from "node:child_process";
import { EventEmitter } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { describeError, type GuardedProcess, installCrashGuards } from "../../src/ops/crash-guards.ts";

const CANARY = "canary-3f0a";

describe("what is told of an error", () => {
  it("is its class, its code and the place in our own code", () => {
    const error = Object.assign(new TypeError(CANARY), { code: "ECONNRESET", body: CANARY });
    expect(describeError(error)).toEqual({
      code: "ECONNRESET",
      detail: expect.stringMatching(/^TypeError at test\/ops\/crash-guards\.test\.ts:\d+:\d+$/),
    });
  });

  const forged = `${CANARY}\n    at x (file:///app/src/${CANARY}.ts:1:1)\n    at y (/app/src/canary.ts:1:1)`;
  const changed = new Error(forged);
  changed.message = "changed since";
  it.each<[string, unknown]>([
    ["a message that looks like frames", new Error(forged)],
    ["a cause", new Error("x", { cause: new Error(CANARY) })],
    [
      "a name and a code that are sentences",
      Object.assign(new Error("x"), { name: `${CANARY} x`, code: CANARY }),
    ],
    ["a string", CANARY],
    ["an object", { message: CANARY, token: CANARY }],
    ["a list of errors", new AggregateError([new Error(CANARY)], CANARY)],
  ])("never is %s", (_, thrown) => {
    expect(JSON.stringify(describeError(thrown))).not.toContain("canary");
  });

  it.each<[unknown, string]>([
    [undefined, "undefined"],
    [null, "object"],
    [7, "number"],
    [Object.create(null), "object"],
    [
      new Proxy(
        {},
        {
          get: () => {
            throw new Error(CANARY);
          },
        },
      ),
      "object",
    ],
  ])("is something even of what is no error %#", (thrown, detail) => {
    expect(describeError(thrown)).toEqual({ detail });
  });

  it("loses no place to a message that was changed afterwards", () => {
    expect(describeError(changed).detail).toMatch(/^Error/);
  });
});

describe("the guards", () => {
  it("end the process even where the log fails", () => {
    const exits: number[] = [];
    const target = Object.assign(new EventEmitter(), {
      exit: (code: number) => void exits.push(code),
      report: {},
    });
    const fail = () => {
      throw new Error("no log");
    };
    const remove = installCrashGuards({
      log: { info: fail, warn: fail, error: fail },
      process: target as GuardedProcess,
    });
    expect(() => target.emit("uncaughtException", new Error("x"))).toThrow("no log");
    expect(exits).toEqual([1]);
    expect(target.report).toEqual({
      excludeEnv: true,
      excludeNetwork: true,
      reportOnUncaughtException: false,
    });
    remove();
    expect(target.eventNames()).toEqual([]);
  });

  it.each([
    [
      "uncaught exception",
      `setImmediate(() => { throw Object.assign(new RangeError("${CANARY}"), { code: "E_X" }); });`,
    ],
    ["unhandled rejection", `Promise.reject(Object.assign(new RangeError("${CANARY}"), { code: "E_X" }));`],
  ])("a real process with an %s says so in one line and ends with 1 (T24, T36)", (event, statement) => {
    const folder = mkdtempSync(join(tmpdir(), "crash-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const url = (path: string) => JSON.stringify(new URL(`../../src/ops/${path}`, import.meta.url).href);
    const child = spawnSync(
      process.execPath,
      [
        "--report-uncaught-exception",
        "--report-on-fatalerror",
        `--report-directory=${folder}`,
        "--input-type=module",
        "-e",
        `import { installCrashGuards } from ${url("crash-guards.ts")};
         import { makeLog } from ${url("log.ts")};
         installCrashGuards({ log: makeLog({ level: "info" }) });
         process.report.writeReport("asked-for.json");
         ${statement}
         setTimeout(() => {}, 60_000);`,
      ],
      { env: { ...process.env, ROOT_KEYSET: CANARY }, encoding: "utf8", timeout: 20_000 },
    );
    expect(child.status).toBe(1);
    const lines = child.stdout.trim().split("\n");
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({
      level: "error",
      code: "E_X",
      detail: "RangeError",
      message: `${event}: the process ends`,
    });
    const reports = readdirSync(folder);
    expect(reports).toEqual(["asked-for.json"]);
    const report = readFileSync(join(folder, "asked-for.json"), "utf8");
    expect(JSON.parse(report)).not.toHaveProperty("environmentVariables");
    // The program itself, given by `-e`, is the command line here, and holds the canary.
    const { header: _, ...rest } = JSON.parse(report);
    expect(
      child.stdout +
        child.stderr.replace(/^\s*Writing Node.*\n|Node\.js report completed\n/gm, "") +
        JSON.stringify(rest),
    ).not.toContain(CANARY);
  });
});
