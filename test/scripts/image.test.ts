import { existsSync } from "node:fs";
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { readSettings } from "../../src/config/settings.ts";
import { ROOT } from "./program.ts";

type Service = {
  command: string[];
  environment?: Record<string, string>;
  secrets: string[];
  volumes: string[];
  networks: string[];
};

type Compose = Record<"services", Record<"broker" | "worker" | "redis", Service>> &
  Record<"secrets" | "volumes" | "networks", Record<string, unknown>>;

const text = (file: string) => readFile(join(ROOT, file), "utf8");
const compose = async () => parse(await text("docker-compose.yml"), { merge: true }) as Compose;

test("all that docker-compose.yml refers to is declared in it", async () => {
  const { services, secrets, volumes, networks } = await compose();
  for (const service of Object.values(services)) {
    expect(Object.keys(secrets)).toEqual(expect.arrayContaining(service.secrets));
    expect(Object.keys(networks)).toEqual(expect.arrayContaining(service.networks));
    expect(Object.keys(volumes)).toEqual(expect.arrayContaining(service.volumes.map((v) => v.split(":")[0])));
  }
});

test("broker and worker start with the settings that docker-compose.yml gives them", async () => {
  const { services } = await compose();
  const given: Record<string, string> = {
    PUBLIC_BASE_URL: "https://broker.example.com",
    SUPPORT_CONTACT: "it-support@example.com",
  };
  for (const { environment = {} } of [services.broker, services.worker]) {
    const filledIn = Object.fromEntries(
      Object.entries(environment).map(([name, value]) => [
        name,
        value.replace(
          /\$\{(\w+)(?::-([^}]*)|:\?[^}]*)\}/g,
          (_, variable, fallback) => given[variable] ?? fallback,
        ),
      ]),
    );
    expect(readSettings(filledIn)).toMatchObject({ NODE_ENV: "production", OPS_PORT: 9090 });
  }
});

test("Redis is durable, evicts nothing, asks for a password and has no way out", async () => {
  const { services, networks } = await compose();
  const command = services.redis.command.join(" ");
  expect(command).toContain("--appendonly yes --appendfsync always --maxmemory-policy noeviction");
  expect(command).toContain("requirepass");
  expect(services.redis.networks).toEqual(["store"]);
  expect(networks.store).toEqual({ internal: true });
});

const isMainThere = existsSync(join(ROOT, "src/main/http.ts"));

// Skipped, and visibly so, only until the rooms behind the entries are written.
test.skipIf(!isMainThere)("every entry that the image and docker-compose.yml start exists", async () => {
  const { services } = await compose();
  const dockerfile = await text("Dockerfile");
  const commands = [services.broker.command.join(" "), services.worker.command.join(" "), dockerfile];
  const entries = commands.flatMap((command) => command.match(/src\/main\/[\w-]+\.ts/g) ?? []);
  expect(entries).toEqual(
    expect.arrayContaining(["src/main/http.ts", "src/main/worker.ts", "src/main/all.ts"]),
  );
  for (const entry of entries) await access(join(ROOT, entry));
});

test("what the image copies exists and is let through by .dockerignore", async () => {
  const letThrough = (await text(".dockerignore")).match(/^!.+/gm)?.map((line) => line.slice(1)) ?? [];
  const copied = [...(await text("Dockerfile")).matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(
    ([, sources]) => sources!.split(" "),
  );
  expect(copied).toContain("src");
  expect(letThrough).toEqual(expect.arrayContaining(copied));
  for (const path of copied) await access(join(ROOT, path));
});

test("the image runs as somebody who is not root, without development packages", async () => {
  const dockerfile = await text("Dockerfile");
  expect(dockerfile).toMatch(/^USER [1-9]\d*:[1-9]\d*$/m);
  expect(dockerfile).toContain("npm ci --omit=dev --omit=optional");
  const { optionalDependencies } = JSON.parse(await text("package.json")) as {
    optionalDependencies: Record<string, string>;
  };
  const version = /^ARG NODE_IMAGE=node:([\d.]+)-/m.exec(dockerfile)?.[1];
  for (const pinned of Object.values(optionalDependencies)) expect(pinned).toBe(version);
});
