import { openSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { storeConsent } from "../../src/broker/authorization/redeem.ts";
import { refreshTokenContext } from "../../src/broker/seal-contexts.ts";
import { readSettings } from "../../src/config/settings.ts";
import {
  type ClientId,
  type GrantId,
  type OrganisationId,
  organisationOf,
  type ServerId,
} from "../../src/domain/id.ts";
import { minutes } from "../../src/domain/instant.ts";
import type { Sealed } from "../../src/domain/sealed.ts";
import { Secret } from "../../src/domain/secret.ts";
import type { Server } from "../../src/domain/server.ts";
import { type Broker, compose } from "../../src/main/compose.ts";
import { rootKeysetOf } from "../../src/main/root-keys.ts";
import { makeLog } from "../../src/ops/log.ts";
import { auditKey, dueKey, gateKey, grantKey } from "../../src/store/keys.ts";
import { fieldsOf } from "../../src/store/redis-grant-store.ts";
import { freePort, type RunningRedis } from "../redis/index.ts";
import { runChild } from "../run-child.mjs";
import { WalkingClient } from "../walk/client.ts";
import { type RunningChild, startChild } from "./child.ts";
import type { Issued } from "./refresh-simulator.ts";

export interface BenchGrant {
  readonly id: GrantId;
  readonly server: ServerId;
  readonly user: string;
}

/** What became of refreshes, by those who keep count of their own. */
export interface Counted {
  /** Entries `grant.rotated`. */
  readonly audited: number;
  /** Of the grants' own records. */
  readonly stored: number;
  /** The simulator's. */
  readonly refreshed: number;
}

/**
 * Firms with a server each, all of them at one simulator, and each user's authorization at each firm; by the operator's own
 * commands, and the broker's own story of a consent. Brokers and workers are processes of their own.
 */
export class RefreshFirms {
  readonly grants: readonly BenchGrant[];
  readonly simulator: RunningChild;
  readonly base: string;
  readonly client: WalkingClient;
  readonly #env: Readonly<Record<string, string>>;
  readonly #folder: string;
  readonly #broker: Broker;
  readonly #redis: Redis;
  readonly #organisations: readonly OrganisationId[];
  #processes = 0;

  private constructor(parts: {
    grants: readonly BenchGrant[];
    simulator: RunningChild;
    client: WalkingClient;
    env: Readonly<Record<string, string>>;
    folder: string;
    broker: Broker;
    redis: Redis;
  }) {
    this.grants = parts.grants;
    this.simulator = parts.simulator;
    this.client = parts.client;
    this.base = parts.env.PUBLIC_BASE_URL!;
    this.#env = parts.env;
    this.#folder = parts.folder;
    this.#broker = parts.broker;
    this.#redis = parts.redis;
    this.#organisations = [...new Set(parts.grants.map(({ id }) => organisationOf(id)))];
  }

  static async start(
    redis: RunningRedis,
    folder: string,
    { firms, users }: { readonly firms: number; readonly users: number },
  ): Promise<RefreshFirms> {
    const simulator = await startChild("./refresh-simulator.ts", {});
    const origin = `http://127.0.0.1:${simulator.port}`;
    const port = await freePort();
    const env = {
      // Production would refuse a simulator on this machine; it changes nothing on the way of a refresh.
      NODE_ENV: "test",
      REDIS_URL: redis.url,
      PUBLIC_BASE_URL: `http://127.0.0.1:${port}`,
      HTTP_HOST: "127.0.0.1",
      HTTP_PORT: String(port),
      EGRESS_LOOPBACK_ORIGINS: origin,
      ROOT_KEYSET_FILE: join(folder, "root-keyset.json"),
      AUDIT_FILE: join(folder, "audit.jsonl"),
      // So that what was exported is still there to be counted.
      AUDIT_KEPT_MAX_ENTRIES: "10000000",
    };
    const applied = await apply(folder, env, firms, origin);
    const settings = readSettings({ ...env, AUDIT_FILE: join(folder, "unused.jsonl") });
    const broker = await compose({
      settings,
      rootKeyset: await rootKeysetOf(settings),
      log: makeLog({ level: "error" }),
    });
    await broker.ready();
    const issued = (await simulator.ask({ ask: "issue", users, times: firms })) as Issued[];
    const servers = await Promise.all(
      Object.values(applied.servers).map(async ({ id }) => (await broker.configuration.findServer(id))!),
    );
    const client = applied.clients.bench!;
    const grants = await authorise(broker, servers, client, issued);
    const secret = (await readFile(join(folder, "bench-secret"), "utf8")).trim();
    return new RefreshFirms({
      ...{ grants, simulator, env, folder, broker },
      client: new WalkingClient(env.PUBLIC_BASE_URL, client, secret),
      redis: new Redis(redis.url),
    });
  }

  /** Another process of the broker, with production's log in a file. */
  async process(
    role: "worker" | "http",
    execArgv: readonly string[] = [],
  ): Promise<RunningChild & { readonly log: string }> {
    const log = join(this.#folder, `${role}-${++this.#processes}.log`);
    const env = { ...this.#env, OPS_PORT: String(await freePort()) };
    const child = await startChild(`../../src/main/${role}.ts`, env, execArgv, openSync(log, "a"));
    return { ...child, log };
  }

  /**
   * Lets every grant be due, as after a long week-end. Answers when the workers look next what is due, by their schedule: they are
   * at work from then on.
   */
  async allDue(grants = this.grants): Promise<number> {
    await this.#expire(grants, true);
    for (const organisation of this.#organisations) await this.#broker.grantStore.restateHint(organisation);
    const now = Date.now();
    const [, next] = await this.#redis.zrange(
      "b1:{q:refresh-sweep}:refresh-sweep:repeat",
      "0",
      "0",
      "WITHSCORES",
    );
    return Math.max(now, Number(next));
  }

  /** Lets the access token of each be over: whoever asks for it makes a refresh. */
  async allExpired(grants = this.grants): Promise<void> {
    await this.#expire(grants, false);
  }

  async #expire(grants: readonly BenchGrant[], due: boolean): Promise<void> {
    // In one step for each, as every change of a grant is.
    const script = `
      redis.call('HSET', KEYS[1], 'at_exp', ARGV[2])
      if ARGV[3] == '1' then
        redis.call('HSET', KEYS[1], 'due_at', ARGV[2])
        redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
      end`;
    const at = Date.now() - 1;
    for (let i = 0; i < grants.length; i += 1_000) {
      const pipeline = this.#redis.pipeline();
      for (const { id } of grants.slice(i, i + 1_000))
        pipeline.eval(script, 2, grantKey(id), dueKey(organisationOf(id)), id, at, due ? 1 : 0);
      await pipeline.exec();
    }
  }

  /** The number of each organisation's last entry of the audit. */
  async auditHeads(): Promise<readonly number[]> {
    const pipeline = this.#redis.pipeline();
    for (const organisation of this.#organisations) pipeline.hget(gateKey(organisation), "audit");
    return ((await pipeline.exec()) ?? []).map(([, head]) => Number(head ?? 0));
  }

  /** Moments of the entries with this action behind those heads, in their order. */
  async auditedSince(heads: readonly number[], action: string): Promise<readonly number[]> {
    const moments: number[] = [];
    for (const [i, organisation] of this.#organisations.entries()) {
      const entries = await this.#redis.xrange(auditKey(organisation), `(${heads[i]}-0`, "+");
      for (const [, flat] of entries) {
        const entry = fieldsOf(flat);
        if (entry.action === action) moments.push(Number(entry.at));
      }
    }
    return moments.sort((a, b) => a - b);
  }

  async counted(): Promise<Counted> {
    const stored = await this.#fieldOfAll("refreshes");
    return {
      audited: (
        await this.auditedSince(
          this.#organisations.map(() => 0),
          "grant.rotated",
        )
      ).length,
      stored: stored.reduce((sum, count) => sum + Number(count ?? 0), 0),
      refreshed: (await this.simulator.ask({ ask: "refreshed" })) as number,
    };
  }

  /** Grants whose stored refresh token, opened, the simulator would not take, or that are not active any more. */
  async lost(): Promise<number> {
    const [tokens, attempts, generations, states] = await Promise.all(
      ["rt", "rt_att", "gen", "state"].map((field) => this.#fieldOfAll(field)),
    );
    const opened: string[] = [];
    for (const [i, { id, server }] of this.grants.entries()) {
      if (states![i] !== "active") continue;
      const at = (await this.#broker.configuration.findServer(server))!;
      const context = refreshTokenContext({
        ...{
          grant: id,
          server: at,
          consentGeneration: Number(generations![i]),
          attempt: Number(attempts![i]),
        },
      });
      opened.push((await this.#broker.sealer.open(tokens![i] as Sealed, context)).reveal());
    }
    return this.grants.length - ((await this.simulator.ask({ ask: "live", tokens: opened })) as number);
  }

  async #fieldOfAll(field: string): Promise<readonly (string | null)[]> {
    const values: (string | null)[] = [];
    for (let i = 0; i < this.grants.length; i += 1_000) {
      const pipeline = this.#redis.pipeline();
      for (const { id } of this.grants.slice(i, i + 1_000)) pipeline.hget(grantKey(id), field);
      for (const [, value] of (await pipeline.exec()) ?? []) values.push(value as string | null);
    }
    return values;
  }

  async stop(): Promise<void> {
    this.#redis.disconnect();
    await this.#broker.close();
    await this.simulator.stop();
  }
}

async function authorise(
  { authorization }: Broker,
  servers: readonly Server[],
  client: string,
  issued: readonly Issued[],
): Promise<BenchGrant[]> {
  const grants: BenchGrant[] = [];
  const one = async (tokens: Issued, server: Server): Promise<void> => {
    const { user } = tokens;
    const id = await storeConsent(
      authorization,
      {
        server,
        credentials: { clientId: "token-broker", secrets: [] },
        receivedAt: authorization.clock.monotonicMs(),
        answer: {
          accessToken: new Secret(tokens.access_token),
          refreshToken: new Secret(tokens.refresh_token),
          accessTokenLifeMs: minutes(30),
          scope: undefined,
        },
        identity: {
          user: { customerId: "5948", userId: user, name: undefined, email: undefined },
          ...{ apiRoot: "", dmsVersion: undefined },
        },
      },
      { type: "user", client: client as ClientId, subject: { type: "user", issuer: "client", id: user } },
      { actor: "bench", requestId: "req_bench" },
    );
    grants.push({ id, server: server.id, user });
  };
  // As many of a user follow each other as there are firms.
  for (let i = 0; i < issued.length; i += servers.length)
    await Promise.all(servers.map((server, j) => one(issued[i + j]!, server)));
  return grants;
}

interface Applied {
  readonly servers: Record<string, { id: ServerId }>;
  readonly clients: Readonly<Record<string, string>>;
}

async function apply(
  folder: string,
  env: Readonly<Record<string, string>>,
  firms: number,
  simulator: string,
): Promise<Applied> {
  const secretOfSimulator = join(folder, "client-secret");
  await writeFile(secretOfSimulator, "sim_secret_token-broker", { mode: 0o600 });
  const names = Array.from({ length: firms }, (_, i) => `firm-${i}`);
  const secret = join(folder, "bench-secret");
  const file = join(folder, "firms.yaml");
  await writeFile(
    file,
    JSON.stringify({
      version: 1,
      organisations: names.map((name) => ({
        ...{ name, display_name: name },
        servers: [
          {
            ...{
              name: "dms",
              display_name: "DMS",
              kind: "on-premises",
              address: simulator,
              customer_id: 5948,
            },
            registration: { client_id: "token-broker", client_secret_file: secretOfSimulator },
          },
        ],
      })),
      clients: [
        {
          ...{ name: "bench", display_name: "Bench", return_urls: ["http://127.0.0.1:1/returned"] },
          ...{ secret_file: secret, secret_expires: "never" },
          policies: names.map((organisation) => ({
            ...{ organisation, actions: ["token", "status", "connect"], tokens_per_minute: 1_000_000 },
          })),
        },
      ],
    }),
  );
  const cli = fileURLToPath(new URL("../../src/main/cli.ts", import.meta.url));
  const command = async (...args: string[]) => {
    const done = await runChild(process.execPath, [cli, ...args], {
      env: { ...process.env, ...env },
      capture: true,
    });
    if (done.code !== 0) throw new Error(done.output);
    return done.output;
  };
  await command("keys", "create", env.ROOT_KEYSET_FILE!);
  await command("keys", "client-secret", secret);
  return JSON.parse(await command("apply", file, "--json")) as Applied;
}
