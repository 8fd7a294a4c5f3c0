import { readdirSync, readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { describe, expect, test } from "vitest";
import { readConfigurationFile } from "../../src/cli/configuration-file.ts";
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

describe("configuration files", () => {
  const yaml = files.filter((name) => /^example\..*\.yaml$/.test(name));
  const production = { loopbackOrigins: [], loopbackReturnUrls: false };

  test.each(yaml)("%s is right, without a warning, in production too", (name) => {
    const reading = readConfigurationFile(readFileSync(new URL(name, folder), "utf8"), production);
    expect(reading.ok ? reading.warnings : reading.faults).toEqual([]);
  });

  test("every deployment of iManage has its example", () => {
    const kinds = yaml.flatMap((name) => {
      const reading = readConfigurationFile(readFileSync(new URL(name, folder), "utf8"), production);
      return reading.ok
        ? reading.desired.organisations.flatMap(({ servers }) => servers.map(({ kind }) => kind))
        : [];
    });
    expect([...new Set(kinds)].sort()).toEqual(["cloud", "cloud-subdomain", "hosted", "on-premises"]);
  });
});

test("every file of the folder is read by a test", () => {
  const readElsewhere = {
    package: "test/ops/package-templates.test.ts",
    "redis-acl.conf": "test/store/redis-acl.test.ts",
    "redis.conf": "test/store/redis-acl.test.ts",
    "prometheus.yml": "test/config/compose.test.ts",
    grafana: "test/config/compose.test.ts",
    papers: "test/scripts/papers.test.ts",
    kubernetes: "test/config/kubernetes.test.ts",
    "alerts.yaml": "test/ops/metrics",
    "grafana-dashboard.json": "test/ops/metrics",
    "grafana-dashboard.svg": "test/ops/metrics",
  };
  const unread = files.filter(
    (name) => !/^example\..*\.(env|yaml)$/.test(name) && !Object.hasOwn(readElsewhere, name),
  );
  expect(unread).toEqual([]);
});
