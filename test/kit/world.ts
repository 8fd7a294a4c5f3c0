import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject, onTestFinished } from "vitest";
import { WalkingClient } from "../../scripts/walk/client.ts";
import { connect, type Person } from "../../scripts/walk/connect.ts";
import { applyConfiguration } from "../../src/broker/organisations/apply-configuration.ts";
import type { Timers } from "../../src/broker/ports.ts";
import { readSettings } from "../../src/config/settings.ts";
import type { ServerId } from "../../src/domain/id.ts";
import { everyone, type Members } from "../../src/domain/members.ts";
import { CLIENT_ACTIONS } from "../../src/domain/policy.ts";
import { Secret } from "../../src/domain/secret.ts";
import type { ServerSettings } from "../../src/domain/server.ts";
import { endpointsOf } from "../../src/domain/server.ts";
import { type Broker, compose } from "../../src/main/compose.ts";
import { publicListener } from "../../src/main/start-http.ts";
import { systemClock, systemTimers } from "../../src/ops/clock.ts";
import { makeLog } from "../../src/ops/log.ts";
import { systemRandom } from "../../src/security/random.ts";
import { parseRootKeyset } from "../../src/security/root-keyset.ts";
import { type Simulator, startSimulator } from "../../src/simulator/start-simulator.ts";
import { prefixNeedles, refuse, scan } from "./canary.ts";
import { type FaultProxy, faultProxyForThisTest } from "./fault-proxy.ts";
import { ruleOf } from "./policies.ts";
import { BY_TEST } from "./put-records.ts";
import { addressOf, overriding, redisSettings } from "./redis.ts";
import { watchAnswers } from "./watch-answers.ts";

export const RETURN_URL = "https://app.example.com/imanage/authorized";

export const AMELIA: Person = { subject: "u-amelia", username: "amelia.hart", password: "hart" };
export const MOREAU: Person = { subject: "u-moreau", username: "e.moreau", password: "moreau" };

/** A broker, an iManage, a firm with one server and one client, on a real Redis: what most stories need. */
export interface World {
  readonly broker: Broker;
  readonly simulator: Simulator;
  /** What lies between broker and iManage, if `wired` was asked for. */
  readonly wire: FaultProxy | undefined;
  readonly client: WalkingClient;
  /** What the client proves itself with, for OAuth libraries. */
  readonly credentials: { readonly id: string; readonly secret: string };
  readonly base: string;
  readonly server: ServerId;
  readonly organisation: string;
  readonly lines: readonly string[];
  /** Moves the time of the broker, of Redis' scripts and of iManage alike. */
  advance(ms: number): void;
  /** What a process of its own needs to be another broker of this world: see `broker-process.ts`. */
  readonly environment: Readonly<Record<string, string>>;
  /** The same client, talking to another address. */
  clientOf(base: string): WalkingClient;
  /** Another broker on the same Redis, in this process: another replica. */
  replica(
    settings?: Readonly<Record<string, string>>,
  ): Promise<{ readonly broker: Broker; readonly base: string; readonly client: WalkingClient }>;
  connect(person?: Person): ReturnType<typeof connect>;
}

export interface WorldOptions {
  readonly members?: Members;
  readonly redisUrl?: string;
  readonly clusterNodes?: readonly { readonly host: string; readonly port: number }[];
  readonly serverSettings?: Partial<ServerSettings>;
  readonly customerId?: string | undefined;
  readonly settings?: Readonly<Record<string, string>>;
  /** Origins on loopback, besides iManage, that may be called: receivers of events. */
  readonly receivers?: readonly string[];
  /** Runs before the first sign-in: switches of the simulator. */
  readonly prepare?: (simulator: Simulator) => void;
  /** Puts a fault proxy between broker and iManage. */
  readonly wired?: boolean;
  /**
   * Time runs so many times as fast, for clock, timers and Redis' scripts of this process and for iManage's clock. What is
   * timed on sockets is not scaled: answers arrive as they do, and a deadline of 60 s at iManage stays one of real seconds.
   */
  readonly timeScale?: number;
  /** How long refreshes wait for other processes' offers after Redis lost its memory; 0 where there is one process. */
  readonly storeSettlesMs?: number;
  /** How old what is known of the store is before it is held against it; 0: what was seen at the last look. */
  readonly storeMarkMs?: number;
}

/** Starts a world for the running test, and ends it afterwards. */
export async function world(options: WorldOptions = {}): Promise<World> {
  const scale = options.timeScale ?? 1;
  const scaledSince = performance.now();
  const ahead = () => (performance.now() - scaledSince) * (scale - 1);
  let simulator!: Simulator;
  const wire = options.wired
    ? await faultProxyForThisTest(() => {
        const { hostname, port } = new URL(simulator.localOrigin);
        return { host: hostname, port: Number(port) };
      })
    : undefined;
  simulator = await startSimulator({
    ...(wire && { publicOrigin: `http://${wire.host}:${wire.port}` }),
    ...(scale !== 1 && { now: () => Date.now() + ahead() }),
  });
  onTestFinished(() => simulator.close());
  const folder = await mkdtemp(join(tmpdir(), "broker-test-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));

  const keysetFile = join(folder, "root-keyset.json");
  const keysetText = inject("rootKeyset");
  await writeFile(keysetFile, keysetText, { mode: 0o600 });
  const rootKeyset = parseRootKeyset(keysetText);
  let offset = 0;
  const lines: string[] = [];
  const start = async (more: Readonly<Record<string, string>> = {}) => {
    const listener = createServer();
    // As `listen` has it: a connection that is kept is not closed under who uses it next, however slow the machine is.
    listener.keepAliveTimeout = 75_000;
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const base = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
    const environment = {
      NODE_ENV: "test",
      ...redisEnvironment(options),
      PUBLIC_BASE_URL: base,
      EGRESS_LOOPBACK_ORIGINS: [simulator.origin, ...(options.receivers ?? [])].join(","),
      AUDIT_FILE: join(folder, "audit.jsonl"),
      ROOT_KEYSET_FILE: keysetFile,
      LOG_LEVEL: "trace",
      ...overriding(options.settings ?? {}),
      ...overriding(more),
    };
    const settings = readSettings(environment);
    const log = makeLog({ level: "trace", destination: { write: (line) => void lines.push(line) } });
    const broker = await compose({
      settings,
      rootKeyset,
      log,
      clock:
        scale === 1
          ? systemClock(() => offset)
          : { now: () => Date.now() + offset + ahead(), monotonicMs: () => performance.now() * scale },
      timers: scaledTimers(scale),
      storeOffsetMs: () => offset + Math.round(ahead()),
      ...(options.storeSettlesMs !== undefined && { storeSettlesMs: options.storeSettlesMs }),
      ...(options.storeMarkMs !== undefined && { storeMarkMs: options.storeMarkMs }),
    });
    await broker.ready();
    const leaks = watchAnswers(listener);
    listener.on("request", publicListener(broker));
    onTestFinished(async () => {
      listener.closeAllConnections();
      await new Promise((resolve) => listener.close(resolve));
      await broker.close();
      // T36, in every test that has a world: whatever it is about.
      refuse([...leaks, ...scan(lines.join("\n"), prefixNeedles, "the log")]);
    });
    return { broker, base, environment };
  };

  const { broker, base, environment } = await start();
  const organisationName = `firm-${Buffer.from(systemRandom.bytes(6)).toString("hex")}`;
  const clientName = `app-${organisationName.slice(5)}`;
  const applied = await applyConfiguration(
    {
      store: broker.configuration,
      sealer: broker.sealer,
      clientSecrets: broker.clientSecrets,
      secretSource: { read: async () => new Secret("sim_secret_token-broker") },
      clock: broker.clock,
      random: broker.random,
    },
    {
      sharedRegistrations: [],
      organisations: [
        {
          name: organisationName,
          displayName: "Meridian Legal",
          enabled: true,
          members: options.members ?? everyone,
          servers: [
            {
              name: "dms",
              displayName: "Meridian DMS",
              kind: "on-premises",
              endpoints: endpointsOf(simulator.origin),
              registration: {
                own: {
                  name: "dms",
                  clientId: "token-broker",
                  tokenOrigin: simulator.origin,
                  secret: { env: "SECRET" },
                  secretExpiresAt: undefined,
                },
              },
              customerId: "customerId" in options ? options.customerId : "5948",
              settings: options.serverSettings ?? {},
            },
          ],
        },
      ],
      clients: [
        {
          name: clientName,
          displayName: "Matter tracker",
          state: "active",
          returnUrls: [RETURN_URL],
          secret: undefined,
          policies: [
            {
              organisation: organisationName,
              rules: [ruleOf({ actions: CLIENT_ACTIONS })],
              tokensPerMinute: 600_000,
            },
          ],
        },
      ],
    },
    { dryRun: false, note: BY_TEST },
  );
  if (!applied.applied) throw new Error(`not applied: ${JSON.stringify(applied.plan.refusals)}`);
  const server = applied.records.servers[`${organisationName}/dms`]!;
  const { id, secret } = applied.newClientSecrets[0]!;
  simulator.registrations.patch("token-broker", {
    redirect_urls: [`${base}/oauth2/callback/${server.registration}`],
  });
  options.prepare?.(simulator);
  const client = new WalkingClient(base, id, secret.reveal());

  return {
    broker,
    simulator,
    wire,
    client,
    credentials: { id, secret: secret.reveal() },
    base,
    server: server.id,
    organisation: applied.records.organisations[organisationName]!,
    lines,
    advance(ms) {
      offset += ms;
      simulator.advance(ms);
    },
    environment,
    clientOf: (at) => new WalkingClient(at, id, secret.reveal()),
    async replica(settings) {
      const another = await start(settings);
      return { ...another, client: new WalkingClient(another.base, id, secret.reveal()) };
    },
    connect: (person = AMELIA) => connect(client, { server: server.id, returnUrl: RETURN_URL }, person),
  };
}

function redisEnvironment({ redisUrl, clusterNodes }: WorldOptions): Record<string, string> {
  const address = addressOf(redisUrl);
  const nodes = clusterNodes?.map(({ host, port }) => `${host}:${port}`);
  return redisSettings(nodes === undefined ? address : { ...address, clusterNodes: nodes });
}

function scaledTimers(scale: number): Timers {
  const timers = systemTimers();
  return {
    every: (ms, task) => timers.every(Math.max(1, ms / scale), task),
    after: (ms) => timers.after(ms / scale),
  };
}
