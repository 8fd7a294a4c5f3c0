import { readdirSync, readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { describe, expect, test } from "vitest";
import { readSettings } from "../../src/config/settings.ts";

const folder = new URL("../../config/", import.meta.url);
const files = readdirSync(folder).filter((name) => name !== "README.md");

describe("environments", () => {
  test.each(files.filter((name) => name.endsWith(".env")))("%s starts", (name) => {
    const env = parseEnv(readFileSync(new URL(name, folder), "utf8"));
    expect(readSettings(env).NODE_ENV).toBe(name.split(".").at(-2));
  });

  test.each(files.filter((name) => name.endsWith(".env")))("%s holds no secret", (name) => {
    const env = parseEnv(readFileSync(new URL(name, folder), "utf8"));
    const suspicious = Object.keys(env).filter(
      (key) => /SECRET|PASSWORD|KEYSET/.test(key) && !key.endsWith("_FILE"),
    );
    expect(suspicious).toEqual([]);
  });
});
