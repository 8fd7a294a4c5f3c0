import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { readSettings, settingsTable } from "../../src/config/settings.ts";
import { timing } from "../../src/domain/access-policy.ts";
import { durabilityOf, judgeRedis, readRedisFacts } from "../../src/ops/self-checks.ts";
import { leftOut } from "../kit/on-clusters.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { ROOT, temporaryFolder } from "../scripts/program.ts";

type Service = {
  image: string;
  hostname?: string;
  /** Of the image, unless given. */
  command?: string[];
  profiles?: string[];
  environment?: Record<string, string>;
  secrets?: string[];
  volumes?: string[];
  networks?: string[];
  network_mode?: string;
  ports?: string[];
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  stop_grace_period?: string;
  depends_on?: string[] | Record<string, unknown>;
};
type Compose = { services: Record<string, Service> } & Record<
  "secrets" | "volumes" | "networks",
  Record<string, { file?: string; internal?: boolean } | null>
>;

const text = (file: string) => readFile(join(ROOT, file), "utf8");
const { services, secrets, volumes, networks } = parse(await text("docker-compose.yml"), {
  merge: true,
}) as Compose;
const named = Object.entries(services);
/** Services of our own image that are brokers: they are told settings. */
const brokers = named.filter(([, { environment }]) => environment?.REDIS_URL !== undefined);
const settingNames = new Set([...settingsTable().matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name));

test.each(named)("%s refers to nothing that is not there", (_, service) => {
  expect(Object.keys(secrets)).toEqual(expect.arrayContaining(service.secrets ?? []));
  expect(Object.keys(networks)).toEqual(expect.arrayContaining(service.networks ?? []));
  for (const volume of service.volumes ?? []) {
    const [from = ""] = volume.split(":");
    if (from.startsWith("./")) expect(existsSync(join(ROOT, from)), from).toBe(true);
    else expect(Object.keys(volumes)).toContain(from);
  }
  const needed = Array.isArray(service.depends_on)
    ? service.depends_on
    : Object.keys(service.depends_on ?? {});
  const joined = service.network_mode?.replace(/^service:/, "");
  expect(Object.keys(services)).toEqual(
    expect.arrayContaining([...needed, ...(joined === undefined ? [] : [joined])]),
  );
  for (const path of (service.command ?? []).join(" ").match(/src\/main\/[\w-]+\.ts/g) ?? [])
    expect(existsSync(join(ROOT, path)), path).toBe(true);
});

test.each(named)(
  "%s is pinned by its version, cannot change itself, and is reached from this machine alone",
  (_, service) => {
    if (!service.image.startsWith("imanage-token-broker:"))
      expect(service.image).toMatch(/:v?\d+\.\d+\.\d+(-\w+)?$/);
    expect(service).toMatchObject({
      ...{ read_only: true, cap_drop: ["ALL"] },
      security_opt: ["no-new-privileges:true"],
    });
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  },
);

test("no two services that start together want the same port", () => {
  const trial = ["trial", "simulator", "redis"];
  for (const together of [
    named.filter(([name]) => !trial.slice(0, 2).includes(name)),
    named.filter(([name]) => trial.includes(name)),
  ]) {
    const taken = together.flatMap(([, { ports = [] }]) => ports.map((port) => port.split(":")[1]));
    expect(taken).toEqual([...new Set(taken)]);
  }
});

test.each([
  ["broker", "https://broker.example.com", "production"],
  ["worker", "https://broker.example.com", "production"],
  ["trial", "http://127.0.0.1:8080", "development"],
])("%s starts with its settings, and each of them is one", (name, publicBaseUrl, mode) => {
  const { environment = {} } = services[name]!;
  const given: Record<string, string> = {
    PUBLIC_BASE_URL: publicBaseUrl,
    SUPPORT_CONTACT: "it-support@example.com",
  };
  const filledIn = Object.fromEntries(
    Object.entries(environment).map(([setting, value]) => [
      setting,
      value.replace(
        /\$\{(\w+)(?::-([^}]*)|:\?[^}]*)\}/g,
        (_, variable, fallback) => given[variable] ?? fallback,
      ),
    ]),
  );
  expect(Object.keys(filledIn).filter((setting) => !settingNames.has(setting))).toEqual([]);
  const settings = readSettings(filledIn);
  expect(settings).toMatchObject({ NODE_ENV: mode, OPS_PORT: 9090 });
  for (const [setting, path] of Object.entries(filledIn))
    if (path.startsWith("/run/secrets/"))
      expect(services[name]!.secrets, setting).toContain(path.slice("/run/secrets/".length));
});

test("brokers have the time that their last refresh may take, and Redis has as long", () => {
  for (const [name, { stop_grace_period = "" }] of [...brokers, ["redis", services.redis!] as const]) {
    expect(stop_grace_period, name).toMatch(/^\d+s$/);
    expect(Number.parseInt(stop_grace_period, 10) * 1_000, name).toBeGreaterThanOrEqual(
      timing.callerDeadlineMs + timing.providerDeadlineMs + 10_000,
    );
  }
});

test("Redis is on a network without a way out, and with brokers alone", () => {
  expect(networks.store).toEqual({ internal: true });
  expect(services.redis!.networks).toEqual(["store"]);
  const beside = named.filter(([, service]) => service.networks?.includes("store")).map(([name]) => name);
  expect(beside.sort()).toEqual([...brokers.map(([name]) => name), "redis"].sort());
});

// The service's own shell line, with GNU's tools as in its image; only the last program is another.
const STARTED = "Redis, started as it is there, is durable and knows its users by their passwords alone";
test.skipIf(process.platform !== "linux" || leftOut(STARTED))(STARTED, async () => {
  const folder = await temporaryFolder();
  const password = "of-this-test-alone";
  await mkdir(join(folder, "secrets"));
  await mkdir(join(folder, "redis"));
  await writeFile(join(folder, "secrets/redis-password"), `${password}\n`);
  for (const name of ["redis.conf", "redis-acl.conf"])
    await copyFile(join(ROOT, "config", name), join(folder, "redis", name));
  const entry = join(folder, "docker-entrypoint.sh");
  await writeFile(entry, '#!/bin/sh\n[ "$1 $3" = "redis-server -" ] && cat "$2" -\n');
  await chmod(entry, 0o755);
  const [shell = "", flags = "", script = ""] = services.redis!.command!;
  const { stdout } = await promisify(execFile)(
    shell,
    [
      flags,
      script
        .replaceAll("$$", "$")
        .replaceAll("/run/secrets", join(folder, "secrets"))
        .replaceAll("/etc/redis", join(folder, "redis")),
    ],
    { env: { PATH: `${folder}:${process.env.PATH}` } },
  );
  expect(stdout).not.toContain(password);
  const configFile = join(folder, "whole.conf");
  await writeFile(configFile, stdout);

  const redis = await ownRedisForThisTest({ configFile, as: { user: "broker", password } });
  const broker = new Redis(redis.url);
  onTestFinished(() => broker.disconnect());
  const facts = await readRedisFacts(broker);
  expect(judgeRedis(facts, true).filter(({ ok }) => !ok)).toEqual([]);
  expect(durabilityOf(facts).class).toBe("D2");
  expect(
    await said(redis.port, ["PING", `AUTH health ${password}`, "PING", "GET b1:x", "AUTH broker guessed"]),
  ).toEqual([
    expect.stringMatching(/^-NOAUTH/),
    ...["+OK", "+PONG"],
    expect.stringMatching(/^-NOPERM/),
    expect.stringMatching(/^-WRONGPASS/),
  ]);
});

test("Prometheus asks every process at its ops port, by its name, and reads the rules that are mounted", async () => {
  const { rule_files, scrape_configs } = parse(await text("config/prometheus.yml")) as {
    rule_files: string[];
    scrape_configs: {
      authorization: { credentials_file: string };
      static_configs: { targets: string[] }[];
    }[];
  };
  const targets = scrape_configs.flatMap((job) => job.static_configs.flatMap((it) => it.targets));
  const wanted = brokers.filter(([, { profiles }]) => profiles === undefined);
  expect(targets.sort()).toEqual(wanted.map(([, it]) => `${it.hostname}:${it.environment!.OPS_PORT}`).sort());
  for (const [name, { hostname }] of wanted) expect(hostname).toBe(name);
  for (const { authorization } of scrape_configs)
    for (const [, { environment }] of wanted)
      expect(authorization.credentials_file).toBe(environment!.OPS_METRICS_TOKEN_FILE);
  expect(services.prometheus!.secrets).toEqual(["metrics-token"]);
  const mounted = services.prometheus!.volumes!.map((volume) => volume.split(":")[1]);
  expect(mounted).toEqual(expect.arrayContaining(rule_files));
  expect(services.prometheus!.command).toContain(
    `--config.file=${mounted.find((path) => path!.endsWith("prometheus.yml"))}`,
  );
});

test("Grafana asks that Prometheus, and shows the dashboard that is mounted", async () => {
  const { datasources } = parse(await text("config/grafana/datasource.yml")) as {
    datasources: { url: string }[];
  };
  expect(datasources.map(({ url }) => url)).toEqual(["http://prometheus:9090"]);
  const { providers } = parse(await text("config/grafana/dashboards.yml")) as {
    providers: { options: { path: string } }[];
  };
  const mounted = services.grafana!.volumes!.map((volume) => volume.split(":")[1]!);
  expect(
    mounted.some((path) => path.startsWith(`${providers[0]!.options.path}/`) && path.endsWith(".json")),
  ).toBe(true);
  expect(services.grafana!.networks).toEqual(services.prometheus!.networks);
});

/** What Redis answers to each line, on one connection that nobody has signed in. */
async function said(port: number, lines: readonly string[]): Promise<string[]> {
  const socket = connect(port, "127.0.0.1");
  socket.end(`${[...lines, "QUIT"].join("\r\n")}\r\n`);
  let answer = "";
  for await (const chunk of socket.setEncoding("latin1")) answer += chunk;
  return answer.split("\r\n").slice(0, lines.length);
}
