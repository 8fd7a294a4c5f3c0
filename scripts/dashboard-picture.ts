import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Simulator, startSimulator } from "../src/simulator/start-simulator.ts";
import { writeOneFirm } from "./bench/one-firm.ts";
import { type DrawnPanel, type DrawnRow, drawDashboard } from "./metrics/draw-dashboard.ts";
import { findPrometheus, type Prometheus, startPrometheus } from "./metrics/prometheus.ts";
import { freePort, startRedis } from "./redis/index.ts";
import { runChild } from "./run-child.mjs";
import { WalkingClient } from "./walk/client.ts";
import { connect } from "./walk/connect.ts";
import { lendLibrary } from "./walk/lend-library.ts";
import { endWithThisProcess } from "./watchdog.mjs";

/**
 * Draws `config/grafana-dashboard.svg`: a simulator, a broker and a worker under load for a minute and a half, in which iManage is away
 * for a while; a real Prometheus scrapes them and answers what the panels ask. `--prometheus FILE` names its program unless it is
 * on PATH; Debian's package will do, unpacked anywhere.
 */
const SECONDS = Number(process.env.PICTURE_SECONDS ?? 90);
const AWAY = [0.3, 0.45] as const;
const PEOPLE = 24;
const CALLERS = 4;
/** iManage says that its tokens live so long, so that there are refreshes to see within a minute. */
const TOKEN_SECONDS = 40;
const DRAWN = fileURLToPath(new URL("../config/grafana-dashboard.svg", import.meta.url));

const named = process.argv.indexOf("--prometheus");
const binary = findPrometheus(named < 0 ? undefined : process.argv[named + 1]);
if (binary === undefined) {
  console.error(
    "No prometheus on PATH: name one by --prometheus FILE (Debian: apt-get download prometheus, dpkg-deb -x).",
  );
  process.exit(1);
}

const instances: string[] = [];
const folder = await mkdtemp(join(tmpdir(), "dashboard-picture-"));
const ends: (() => unknown)[] = [() => rm(folder, { recursive: true, force: true })];
try {
  const { client, server, simulator, targets, connectPerson } = await startProduct();
  const prometheus = await startPrometheus(
    ...([binary, join(folder, "prometheus"), targets] as const),
    fileURLToPath(new URL("../config/alerts.yaml", import.meta.url)),
  );
  ends.push(() => prometheus.stop());
  const from = Math.floor(Date.now() / 1_000) + 5;
  await wait(5_000);
  await load(client, server, connectPerson, simulator);
  const to = Math.floor(Date.now() / 1_000) - 1;
  const drawn = drawDashboard(
    "Token broker for iManage Work: the dashboard's panels, of a real run",
    await panels(prometheus, from, to),
  );
  await writeFile(DRAWN, drawn);
  console.log(`${DRAWN}: ${to - from} s, ${Math.round(drawn.length / 1_024)} kB`);
} finally {
  for (const end of ends.reverse()) await end();
}

async function load(
  client: WalkingClient,
  server: string,
  connectPerson: (n: number) => Promise<void>,
  simulator: Pick<Simulator, "addFault" | "clearFaults">,
) {
  const until = performance.now() + SECONDS * 1_000;
  const away = (async () => {
    await wait(SECONDS * AWAY[0] * 1_000);
    const fault = simulator.addFault({
      on: { route: "token" },
      do: { answer: { status: 503 } },
      times: "always",
    });
    await wait(SECONDS * (AWAY[1] - AWAY[0]) * 1_000);
    simulator.clearFaults(fault);
  })();
  let asked = 0;
  const caller = async () => {
    while (performance.now() < until) {
      asked += 1;
      const person = asked % 97 === 0 ? "u-nobody" : `u${asked % PEOPLE}`;
      await client.accessToken({ server, subject: { type: "user", id: person } });
      await wait(15);
    }
  };
  // Somebody authorizes now and then: that is an event, and it is told.
  const arriving = (async () => {
    for (let n = PEOPLE; performance.now() < until - 6_000; n++) {
      await connectPerson(n).catch(() => {});
      await wait(3_000);
    }
  })();
  await Promise.all([away, arriving, ...Array.from({ length: CALLERS }, caller)]);
}

/** What each panel of the dashboard asks, asked. */
async function panels(prometheus: Prometheus, from: number, to: number): Promise<readonly DrawnRow[]> {
  const { panels: all } = JSON.parse(
    await readFile(fileURLToPath(new URL("../config/grafana-dashboard.json", import.meta.url)), "utf8"),
  ) as { panels: GrafanaPanel[] };
  const rows: { title: string; panels: DrawnPanel[] }[] = [];
  for (const { type, title, targets = [], fieldConfig } of all) {
    if (type === "row") {
      rows.push({ title, panels: [] });
      continue;
    }
    const series = [];
    for (const { expr, legendFormat } of targets)
      for (const one of await prometheus.range(expr.replaceAll("$__rate_interval", "6s"), from, to, 2))
        series.push({
          ...one,
          legend: legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) =>
            shortly(one.labels[label] ?? ""),
          ),
        });
    const { unit, custom } = fieldConfig.defaults;
    rows.at(-1)!.panels.push({ title, unit, stacked: custom?.stacking?.mode === "normal", from, to, series });
  }
  return rows;
}

/** Ids and addresses of this run are nobody's business, and too long. */
function shortly(value: string): string {
  return /^127\./.test(value) ? instanceOf(value) : value.replace(/^(srv_.{4}).*/, "$1…");
}
function instanceOf(address: string): string {
  return instances.indexOf(address) === 0 ? "broker" : "worker";
}

interface GrafanaPanel {
  readonly type: string;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
  readonly fieldConfig: {
    readonly defaults: {
      readonly unit: string;
      readonly custom?: { readonly stacking?: { readonly mode: string } };
    };
  };
}

async function startProduct() {
  const redis = await startRedis({ appendfsync: "always" });
  ends.push(() => redis.stop());
  const simulator = await startSimulator();
  ends.push(() => simulator.close());
  simulator.registrations.patch("token-broker", { access: "all_users" });
  simulator.setSwitches({ expires_in: TOKEN_SECONDS });
  const receiver = createServer((_request, response) => void response.writeHead(204).end()).listen(
    0,
    "127.0.0.1",
  );
  await once(receiver, "listening");
  ends.push(() => receiver.close());
  const listening = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  const ports = await Promise.all([freePort(), freePort(), freePort()]);
  const base = `http://127.0.0.1:${ports[0]}`;
  const returnUrl = "http://127.0.0.1:1/returned";
  const configuration = await writeOneFirm(folder, {
    organisation: { name: "meridian", displayName: "Meridian Legal" },
    client: { name: "matter-tracker", displayName: "Matter tracker" },
    ...{ simulator: simulator.origin, returnUrl },
    actions: ["token", "status", "connect", "sync", "events"],
    tokensPerMinute: 1_000_000,
  });
  const env = {
    NODE_ENV: "test",
    REDIS_URL: redis.url,
    PUBLIC_BASE_URL: base,
    HTTP_HOST: "127.0.0.1",
    HTTP_PORT: String(ports[0]),
    EGRESS_LOOPBACK_ORIGINS: `${simulator.origin},${listening}`,
    ROOT_KEYSET_FILE: join(folder, "root-keyset.json"),
    AUDIT_FILE: join(folder, "audit.jsonl"),
    LOG_LEVEL: "error",
  };
  const main = (name: string) => fileURLToPath(new URL(`../src/main/${name}.ts`, import.meta.url));
  const command = async (...args: string[]) => {
    const done = await runChild(process.execPath, [main("cli"), ...args], {
      env: { ...process.env, ...env },
      capture: true,
    });
    if (done.code !== 0) throw new Error(done.output);
    return done.output;
  };
  await command("keys", "create", env.ROOT_KEYSET_FILE);
  const applied = JSON.parse(await command("apply", configuration, "--json")) as Applied;
  const [{ id: server, redirect_uri }] = Object.values(applied.servers) as [Applied["servers"][string]];
  simulator.registrations.patch("token-broker", { redirect_urls: [redirect_uri] });
  const targets = [ports[1], ports[2]].map((port) => `127.0.0.1:${port}`);
  instances.push(...targets);
  await startChild(main("http"), { ...env, OPS_PORT: String(ports[1]) });
  await startChild(main("worker"), { ...env, OPS_PORT: String(ports[2]) });

  const [{ client_id: id, client_secret: secret }] = applied.new_client_secrets;
  const client = new WalkingClient(base, id, secret);
  const organisation = Object.values(applied.organisations)[0];
  await client.call("POST", "/v1/event-subscriptions", { organisation, url: `${listening}/events` });
  const connectPerson = async (n: number): Promise<void> => {
    simulator.users.put({ customer_id: 5948, id: `person.${n}`, password: "x" });
    const person = { subject: `u${n}`, username: `person.${n}`, password: "x" };
    const connected = await connect(client, { server, returnUrl }, person);
    if (connected.status !== 200) throw new Error(`not connected: ${JSON.stringify(connected.body)}`);
  };
  for (let n = 0; n < PEOPLE; n++) await connectPerson(n);
  await lendLibrary(`${base}/servers/${server}/libraries`, "ACTIVE", {
    ...{ username: "amelia.hart", password: "hart", email: "amelia.hart@hartlowell.example" },
  });
  await client.call("POST", "/v1/syncs", { server, library: "ACTIVE" });
  return { client, server, simulator, targets, connectPerson };
}

interface Applied {
  readonly organisations: Record<string, string>;
  readonly servers: Record<string, { id: string; redirect_uri: string }>;
  readonly new_client_secrets: readonly [{ client_id: string; client_secret: string }];
}

async function startChild(script: string, env: Record<string, string>): Promise<void> {
  const child = fork(script, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  endWithThisProcess(child, { graceSeconds: 2 });
  ends.push(async () => {
    child.kill("SIGTERM");
    if (child.exitCode === null) await once(child, "exit");
  });
  await once(child, "message");
}
