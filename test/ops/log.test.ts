import { describe, expect, it } from "vitest";
import type { LogFields } from "../../src/broker/ports.ts";
import { Secret } from "../../src/domain/secret.ts";
import { type LogLevel, makeLog } from "../../src/ops/log.ts";

function logged(level: LogLevel = "info") {
  const lines: string[] = [];
  const log = makeLog({ level, destination: { write: (line) => void lines.push(line) } });
  const only = (): Record<string, unknown> => {
    expect(lines).toHaveLength(1);
    return JSON.parse(lines[0]!);
  };
  return { log, lines, only };
}

const GRANT = "grt_abcdefghjk01234567890123456789012345";

describe("a line of the log", () => {
  it("is one JSON object with time, level as a word, fields and message, and nothing else", () => {
    const { log, lines, only } = logged();
    log.warn({ grant: GRANT, code: "refresh_pending", elapsedMs: 12.34567, count: 3 }, "a refresh waits");
    const { time, ...rest } = only();
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(rest).toEqual({
      level: "warn",
      grant: GRANT,
      code: "refresh_pending",
      elapsedMs: 12.346,
      count: 3,
      message: "a refresh waits",
    });
    expect(lines[0]!.endsWith("}\n")).toBe(true);
  });

  it.each<[string, unknown]>([
    ["a field nobody named", { token: "canary" }],
    ["an error", { err: new Error("canary"), error: new Error("canary") }],
    ["an error given as the fields", Object.assign(new Error("canary"), { body: "canary" })],
    ["a request and an answer", { req: { url: "/canary" }, res: { headers: { a: "canary" } } }],
    ["an object in a named field", { detail: { token: "canary" }, code: ["canary"] }],
    ["an inherited field", Object.create({ detail: "canary" })],
    ["a number that is none", { count: "canary", elapsedMs: Number.NaN }],
  ])("never holds %s", (_, fields) => {
    const { log, lines, only } = logged();
    log.info(fields as LogFields, "here");
    expect(Object.keys(only())).toEqual(["level", "time", "message"]);
    expect(lines.join()).not.toContain("canary");
  });

  it.each([
    [200, "info"],
    [503, "warn"],
  ])("of a request that ended with %d is a line of level %s, and holds no address", (status, level) => {
    const { log, only } = logged();
    const line = { method: "GET", route: "/v1/grants/:grant", status, elapsedMs: 1.5, requestId: "r" };
    log.request({ ...line, url: "/v1/grants/canary", headers: {} } as typeof line);
    const { time: _, ...rest } = only();
    expect(rest).toEqual({ ...line, level, message: "request" });
  });

  it("says [secret] where somebody put one", () => {
    const { log, only } = logged();
    const secret = new Secret("canary") as unknown as string;
    log.info({ detail: secret }, secret);
    expect(only()).toMatchObject({ detail: "[secret]", message: "[secret]" });
  });

  it("T09 stays one line, whatever it is told (log injection)", () => {
    const { log, lines, only } = logged();
    log.info(
      { requestId: 'a\r\n{"level":"error"}', detail: "b\u2028c\u0085d\u001b[31me\u202ef" },
      "g\nh %s %o",
    );
    expect(lines[0]!.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u202e]/);
    expect(only()).toMatchObject({
      level: "info",
      requestId: 'a  {"level":"error"}',
      detail: "b c d [31me f",
      message: "g h %s %o",
    });
  });

  it("is bounded", () => {
    const { log, only } = logged();
    log.info({ detail: "a b ".repeat(5_000) }, "c d ".repeat(5_000));
    const { detail, message } = only() as { detail: string; message: string };
    expect(detail).toHaveLength(200);
    expect(message).toHaveLength(200);
  });

  it("is not written below its level, and none at `silent`", () => {
    const warnings = logged("warn");
    warnings.log.info({}, "no");
    warnings.log.error({}, "yes");
    expect(warnings.only()).toMatchObject({ level: "error" });
    const silent = logged("silent");
    silent.log.error({}, "no");
    expect(silent.lines).toEqual([]);
  });
});
