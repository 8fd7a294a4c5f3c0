import { writeFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { storeConsent } from "../../src/broker/authorization/redeem.ts";
import { readSettings } from "../../src/config/settings.ts";
import type { GrantId, ServerId } from "../../src/domain/id.ts";
import { minutes } from "../../src/domain/instant.ts";
import { Secret } from "../../src/domain/secret.ts";
import { compose } from "../../src/main/compose.ts";
import { rootKeysetOf } from "../../src/main/root-keys.ts";
import { systemClock } from "../../src/ops/clock.ts";
import { makeLog } from "../../src/ops/log.ts";
import type { Simulator } from "../../src/simulator/simulator-handle.ts";
import { freePort, type RunningRedis } from "../redis/index.ts";
import { runChild } from "../run-child.mjs";
import { WalkingClient } from "../walk/client.ts";
import { type RunningChild, startChild } from "./child.ts";

/** One user's authorization at one server. */
export interface Held {
  readonly grant: GrantId;
  readonly server: ServerId;
  readonly subject: string;
  /** At the server that takes connections and never answers. */
  readonly dead: boolean;
}

export interface HerdFirm {
  readonly client: WalkingClient;
  readonly base: string;
  readonly held: readonly Held[];
  /** Starts broker and worker; until then nothing is refreshed. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Each server is a customer of its own at the same address; the first one has this number. */
const CUSTOMER = 5948;
const BENCH_NOTE = { actor: "bench", requestId: "bench" } as const;

/** A firm with so many servers, of which the last one is dead, and so many users with an authorization each, stored by the broker's own story. */
export async function makeHerdFirm(
  by: { readonly redis: RunningRedis; readonly simulator: Simulator; readonly folder: string },
  { servers, users }: { readonly servers: number; readonly users: number },
): Promise<HerdFirm> {
  const { redis, simulator, folder } = by;
  const hole = await silentServer();
  const silent = `http://127.0.0.1:${hole.port}`;
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const env = {
    NODE_ENV: "test",
    REDIS_URL: redis.url,
    PUBLIC_BASE_URL: base,
    EGRESS_LOOPBACK_ORIGINS: `${simulator.origin},${silent}`,
    ROOT_KEYSET_FILE: join(folder, "root-keyset.json"),
    AUDIT_FILE: join(folder, "audit.jsonl"),
    LOG_LEVEL: "error",
    ...{ HTTP_HOST: "127.0.0.1", HTTP_PORT: String(port), OPS_PORT: String(await freePort()) },
  };
  const command = async (...args: string[]) => {
    const cli = fileURLToPath(new URL("../../src/main/cli.ts", import.meta.url));
    const done = await runChild(process.execPath, [cli, ...args], {
      env: { ...process.env, ...env },
      capture: true,
    });
    if (done.code !== 0) throw new Error(done.output);
    return done.output;
  };
  await command("keys", "create", env.ROOT_KEYSET_FILE);
  const file = await writeConfiguration(folder, simulator.origin, silent, servers);
  const applied = JSON.parse(await command("apply", file, "--json")) as {
    readonly servers: Record<string, { readonly id: ServerId }>;
    readonly new_client_secrets: readonly [{ readonly client_id: string; readonly client_secret: string }];
  };
  const [{ client_id: id, client_secret: secret }] = applied.new_client_secrets;
  const at = Object.values(applied.servers).map((server) => server.id);
  simulator.registrations.patch("token-broker", { access: "all_users" });
  const held = await fill({ ...env }, simulator, id, at, users);

  const running: RunningChild[] = [];
  return {
    client: new WalkingClient(base, id, secret),
    base,
    held,
    async start() {
      running.push(await startChild("../../src/main/http.ts", env));
      running.push(
        await startChild("../../src/main/worker.ts", { ...env, OPS_PORT: String(await freePort()) }),
      );
    },
    async stop() {
      // Those that wait for an answer from there get one: the end of the connection.
      hole.end();
      await Promise.all(running.map((one) => one.stop()));
    },
  };
}

/** Takes connections, and never says a word until its end. */
async function silentServer() {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    end() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function writeConfiguration(folder: string, origin: string, silent: string, servers: number) {
  const secretFile = join(folder, "client-secret");
  await writeFile(secretFile, "sim_secret_token-broker", { mode: 0o600 });
  const entries = Array.from(
    { length: servers },
    (_, i) => `      - name: dms-${i}
        display_name: DMS ${i}
        kind: on-premises
        address: ${i === servers - 1 ? silent : origin}
        customer_id: ${CUSTOMER + i}
        registration: { client_id: token-broker, client_secret_file: ${secretFile} }`,
  );
  const file = join(folder, "herd.yaml");
  const text = `version: 1
organisations:
  - name: herd
    display_name: Herd
    servers:
${entries.join("\n")}
clients:
  - name: herd
    display_name: Herd
    return_urls: [http://127.0.0.1:1/returned]
    policies:
      - { organisation: herd, actions: [token, status, connect], tokens_per_minute: 1000000 }
`;
  await writeFile(file, text);
  return file;
}

/** Half of all users at the first server, the others at all of them in turn. */
async function fill(
  env: Record<string, string>,
  simulator: Simulator,
  client: string,
  servers: readonly ServerId[],
  users: number,
): Promise<readonly Held[]> {
  const settings = readSettings(env);
  const rootKeyset = await rootKeysetOf(settings);
  const broker = await compose({
    settings,
    rootKeyset,
    log: makeLog({ level: "error" }),
    clock: systemClock(),
  });
  await broker.ready();
  const { authorization } = broker;
  const records = await Promise.all(servers.map((id) => authorization.servers.findServer(id)));
  const put = async (i: number): Promise<Held> => {
    const subject = `user.${i}`;
    const place = i % 2 === 0 ? 0 : ((i - 1) / 2) % servers.length;
    const server = records[place]!;
    simulator.users.put({ customer_id: CUSTOMER + place, id: subject, password: "x" });
    const issued = simulator.issueTokens({ client_id: "token-broker", user: subject });
    const grant = await storeConsent(
      authorization,
      {
        server,
        credentials: { clientId: "token-broker", secrets: [] },
        receivedAt: authorization.clock.monotonicMs(),
        answer: {
          accessToken: new Secret(issued.access_token),
          refreshToken: new Secret(issued.refresh_token!),
          accessTokenLifeMs: minutes(30),
          scope: undefined,
        },
        identity: {
          user: { customerId: String(CUSTOMER + place), userId: subject, name: undefined, email: undefined },
          ...{ apiRoot: "", dmsVersion: undefined },
        },
      },
      { type: "user", client: client as never, subject: { type: "user", issuer: "client", id: subject } },
      BENCH_NOTE,
    );
    return { grant, server: server.id, subject, dead: place === servers.length - 1 };
  };
  const held: Held[] = [];
  for (let i = 0; i < users; i += 20)
    held.push(...(await Promise.all(Array.from({ length: Math.min(20, users - i) }, (_, j) => put(i + j)))));
  await broker.close();
  return held;
}
