import { chown, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { freePort } from "../redis/index.ts";
import type { ImageConfig } from "./build.ts";
import { type Container, standingOf, startContainer, type Volume } from "./container.ts";
import { Sentence } from "./run-step.ts";

const READY_MAX_MS = 30_000;
const END_MAX_MS = 10_000;
const POLL_MS = 5;

/** The image's processes, as whoever deploys them sees them. Every check says what it saw, or ends the run. */
export type Walk = {
  readyMs: number;
  endedMs: number;
};

export async function walkImage(
  root: string,
  image: ImageConfig,
  folder: string,
  redis: { url: string; password?: string },
  tell: (line: string) => void,
): Promise<Walk> {
  const place = await makePlace(image, folder);
  const cli = async (...args: string[]) => {
    const started = await startContainer(root, image, {
      command: ["node", "src/main/cli.ts", ...args],
      env: place.settings(redis.url),
      volumes: place.volumes(true),
    });
    const ran = await started.ended;
    if (ran.code !== 0)
      throw new Sentence(`cli ${args.join(" ")} ended with ${ran.code}:\n${ran.stdout}${ran.stderr}`);
    return ran.stdout;
  };

  await cli("keys", "create", "/run/secrets/root-keyset.json");
  await writeFile(join(place.secrets, "configuration.yaml"), CONFIGURATION);
  await cli("check", "/run/secrets/configuration.yaml");
  tell("cli: makes keys, checks a configuration");

  await checkSimulator(root, image);
  tell("simulator: answers");

  const walk = { readyMs: 0, endedMs: 0 };
  for (const [name, command] of [
    ["all", undefined],
    ["http", ["node", "src/main/http.ts"]],
    ["worker", ["node", "src/main/worker.ts"]],
  ] as const) {
    const ports = { http: await freePort(), ops: await freePort() };
    const startedAt = performance.now();
    const container = await startContainer(root, image, {
      ...(command !== undefined && { command }),
      env: { ...place.settings(redis.url), HTTP_PORT: String(ports.http), OPS_PORT: String(ports.ops) },
      volumes: place.volumes(false),
    });
    try {
      const readyMs = await untilReady(container, ports.ops, startedAt);
      await checkStanding(container, image);
      await checkHealth(container, image, ports.ops);
      if (name !== "worker") await checkAnswers(ports.http);
      if (name === "all") await checkPackages(container);
      if (name === "all") await checkToken(ports.http, await applied(container));
      const endedMs = await end(container, image);
      tell(`${name}: ready in ${readyMs} ms, user ${image.user}, root read-only; ended in ${endedMs} ms`);
      if (name === "all") Object.assign(walk, { readyMs, endedMs });
    } finally {
      await container.kill();
    }
  }
  return walk;
}

const CONFIGURATION = `version: 1
organisations:
  - name: meridian
    display_name: Meridian Legal
    servers:
      - name: dms
        display_name: Meridian DMS
        kind: on-premises
        address: https://dms.meridian.example
        customer_id: 1
        registration: { client_id: token-broker }
clients:
  - name: matter-tracker
    display_name: Matter tracker
    return_urls: [https://tracker.example.com/imanage/authorized]
    policies:
      - { organisation: meridian, actions: [token, status, connect] }
`;

type Place = {
  secrets: string;
  settings(redisUrl: string): Record<string, string>;
  volumes(writable: boolean): Volume[];
};

/** What a deployment gives to the image: secrets as files, a volume for the audit, settings. */
async function makePlace(image: ImageConfig, folder: string): Promise<Place> {
  const [uid = 0, gid = 0] = image.user.split(":").map(Number);
  const secrets = join(folder, "secrets");
  const audit = join(folder, "audit");
  for (const made of [secrets, audit]) {
    await mkdir(made, { mode: 0o700 });
    await chown(made, uid, gid);
  }
  return {
    secrets,
    settings: (redisUrl) => ({
      REDIS_URL: redisUrl,
      PUBLIC_BASE_URL: "https://broker.example.com",
      SUPPORT_CONTACT: "it-support@example.com",
      ROOT_KEYSET_FILE: "/run/secrets/root-keyset.json",
      AUDIT_FILE: "/var/lib/token-broker/audit.jsonl",
      HTTP_HOST: "127.0.0.1",
    }),
    volumes: (writable) => [
      { from: secrets, to: "/run/secrets", writable },
      { from: audit, to: "/var/lib/token-broker", writable: true },
    ],
  };
}

/** The same image, as the profile `simulator` of docker-compose.yml starts it. */
async function checkSimulator(root: string, image: ImageConfig): Promise<void> {
  const port = await freePort();
  const container = await startContainer(root, image, {
    command: ["node", "src/main/simulator.ts", "--host", "127.0.0.1", "--port", String(port)],
    env: {},
    volumes: [],
  });
  try {
    await untilAnswers(container, `http://127.0.0.1:${port}/`, () => true, performance.now());
  } finally {
    await container.kill();
  }
}

const untilReady = (container: Container, opsPort: number, startedAt: number): Promise<number> =>
  untilAnswers(container, `http://127.0.0.1:${opsPort}/readyz`, ({ status }) => status === 200, startedAt);

/** Answers after how many milliseconds it answered so. */
async function untilAnswers(
  container: Container,
  url: string,
  fits: (answer: Response) => boolean,
  startedAt: number,
): Promise<number> {
  for (;;) {
    const ran = await Promise.race([container.ended, pause(POLL_MS)]);
    if (ran !== undefined) throw new Sentence(`ended with ${ran.code} at once:\n${ran.stdout}${ran.stderr}`);
    const answer = await fetch(url).catch(() => undefined);
    const said = await answer?.text();
    const tookMs = Math.round(performance.now() - startedAt);
    if (answer !== undefined && fits(answer)) return tookMs;
    if (tookMs > READY_MAX_MS) throw new Sentence(`${url} after ${tookMs} ms: ${said ?? "nothing answers"}`);
  }
}

async function checkStanding(container: Container, image: ImageConfig): Promise<void> {
  const standing = await standingOf(container.pid);
  const uid = Number(image.user.split(":")[0]);
  if (uid === 0 || standing.uid !== uid || standing.capabilities !== 0n || !standing.noNewPrivileges)
    throw new Sentence(
      `it runs with more rights than it should: user ${standing.uid}, capabilities ${standing.capabilities}`,
    );
  const tried = await container.exec([
    "node",
    "-e",
    `for (const path of ["/app/x", "/x", "/etc/x", "/run/secrets/x"])
       try { require("fs").writeFileSync(path, ""); console.log(path); } catch {}
     require("fs").writeFileSync("/tmp/x", ""); console.log("looked");`,
  ]);
  if (tried.stdout !== "looked\n")
    throw new Sentence(`its root can be written to: ${tried.stdout}${tried.stderr}`);
}

/** What the Dockerfile leaves out of the packages is nothing that one of ours loads. */
async function checkPackages(container: Container): Promise<void> {
  const loaded = await container.exec([
    ...["node", "--input-type=module", "-e"],
    `import { readFileSync } from "node:fs";
     const { dependencies } = JSON.parse(readFileSync("/app/package.json", "utf8"));
     for (const name of Object.keys(dependencies)) await import(name);
     console.log("loaded");`,
  ]);
  if (loaded.stdout !== "loaded\n") throw new Sentence(`a package does not load: ${loaded.stderr}`);
}

async function checkHealth(container: Container, image: ImageConfig, opsPort: number): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${opsPort}/healthz`);
  if (answer.status !== 200) throw new Sentence(`/healthz answers ${answer.status}`);
  const well = await container.exec(image.healthcheck);
  if (well.code !== 0) throw new Sentence(`the image's health check says ${well.code}: ${well.stderr}`);
}

/** What is loaded only when it is asked for: a file that was trimmed too much shows here. */
async function checkAnswers(port: number): Promise<void> {
  for (const path of [
    ...["/.well-known/oauth-authorization-server", "/openapi.json", "/docs", "/docs/problems"],
    ...["/docs/start.js", "/docs/assets/swagger-ui-bundle.js", "/docs/assets/swagger-ui.css"],
  ]) {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      headers: { "x-forwarded-proto": "https" },
    });
    if (answer.status !== 200) throw new Sentence(`${path} answers ${answer.status}: ${await answer.text()}`);
    await answer.arrayBuffer();
  }
}

/** As an operator does it: a command in the container that runs. */
async function applied(container: Container): Promise<{ client_id: string; client_secret: string }> {
  const command = ["node", "src/main/cli.ts", "apply", "--json", "/run/secrets/configuration.yaml"];
  const ran = await container.exec(command);
  if (ran.code !== 0) throw new Sentence(`cli apply ended with ${ran.code}:\n${ran.stdout}${ran.stderr}`);
  const { new_client_secrets } = JSON.parse(ran.stdout) as {
    new_client_secrets: { client_id: string; client_secret: string }[];
  };
  return new_client_secrets[0]!;
}

async function checkToken(
  port: number,
  { client_id, client_secret }: { client_id: string; client_secret: string },
): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/oauth2/token`, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString("base64")}` },
    body: new URLSearchParams({ grant_type: "client_credentials" }),
  });
  const body = (await answer.json()) as { token_type?: string; error?: string };
  if (answer.status !== 200 || body.token_type === undefined)
    throw new Sentence(`a client asks for a token: ${answer.status} ${JSON.stringify(body)}`);
}

/** The image's own signal, and nothing else. */
async function end(container: Container, image: ImageConfig): Promise<number> {
  const signalledAt = performance.now();
  process.kill(container.pid, image.stopSignal as NodeJS.Signals);
  const ran = await Promise.race([container.ended, pause(END_MAX_MS)]);
  const endedMs = Math.round(performance.now() - signalledAt);
  if (ran === undefined) {
    process.kill(container.pid, "SIGKILL");
    throw new Sentence(`still there ${END_MAX_MS} ms after ${image.stopSignal}`);
  }
  if (ran.code !== 0)
    throw new Sentence(`ended with ${ran.code} after ${image.stopSignal}:\n${ran.stdout}${ran.stderr}`);
  return endedMs;
}
