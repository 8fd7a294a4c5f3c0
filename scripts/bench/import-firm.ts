import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { type Simulator, startSimulator } from "../../src/simulator/start-simulator.ts";
import { freePort, type RunningRedis } from "../redis/index.ts";
import { runChild } from "../run-child.mjs";
import { endWithThisProcess } from "../watchdog.mjs";
import { writeOneFirm } from "./one-firm.ts";

const OLD_SECRET = "sim_secret_token-broker";
const NEW_SECRET = "sim_secret_of-the-broker-alone";

/** A firm at a strict iManage, with a broker's store, and the commands of an operator. */
export interface ImportFirm {
  readonly simulator: Simulator;
  /** One command; its answer as JSON. */
  command<T>(...args: string[]): Promise<T>;
  /** The same, killed without warning once so many tokens are in, unless it ends before. True: it ended. */
  killed(atTokens: number, ...args: string[]): Promise<boolean>;
  /** How many tokens are in. */
  imported(): Promise<number>;
  /** The step that shuts the old system out: another client secret, which this broker alone has. */
  changeSecret(): Promise<void>;
  startWorkers(count: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startImportFirm(redis: RunningRedis, folder: string): Promise<ImportFirm> {
  const simulator = await startSimulator();
  simulator.registrations.patch("token-broker", { access: "all_users" });
  const configuration = await writeOneFirm(folder, {
    ...{ simulator: simulator.origin, returnUrl: "http://127.0.0.1:1/returned" },
    ...{ actions: ["token", "status", "connect"], tokensPerMinute: 1_000_000 },
  });
  const base = {
    ...process.env,
    // Production would refuse a simulator on this machine; it changes nothing of an import.
    NODE_ENV: "test",
    REDIS_URL: redis.url,
    PUBLIC_BASE_URL: "http://127.0.0.1:1",
    EGRESS_LOOPBACK_ORIGINS: simulator.origin,
    ROOT_KEYSET_FILE: join(folder, "root-keyset.json"),
    AUDIT_FILE: join(folder, "audit.jsonl"),
    LOG_LEVEL: "warn",
  };
  const env = async () => ({
    ...base,
    ...{ HTTP_HOST: "127.0.0.1", HTTP_PORT: String(await freePort()), OPS_PORT: String(await freePort()) },
  });
  const cli = fileURLToPath(new URL("../../src/main/cli.ts", import.meta.url));
  const text = async (...args: string[]) => {
    const done = await runChild(process.execPath, [cli, ...args], { env: await env(), capture: true });
    if (done.code !== 0) throw new Error(`cli ${args.join(" ")}: ${done.output}`);
    return done.output;
  };
  await text("keys", "create", base.ROOT_KEYSET_FILE);
  await text("apply", configuration, "--json");

  const counter = new Redis(redis.url);
  let key: string | undefined;
  const imported = async () => {
    key ??= (await counter.keys("b1:*:imported:srv_*"))[0];
    return key === undefined ? 0 : await counter.zcard(key);
  };
  const workers: ChildProcess[] = [];
  return {
    simulator,
    command: async <T>(...args: string[]) => JSON.parse(await text(...args)) as T,
    imported,
    async killed(atTokens, ...args) {
      const child = spawn(process.execPath, [cli, ...args], { env: await env(), stdio: "ignore" });
      endWithThisProcess(child, { graceSeconds: 2 });
      const exit = once(child, "exit") as Promise<[number | null]>;
      while (child.exitCode === null && (await imported()) < atTokens)
        await new Promise((resolve) => setTimeout(resolve, 1));
      child.kill("SIGKILL");
      return (await exit)[0] === 0;
    },
    async changeSecret() {
      simulator.registrations.patch("token-broker", { client_secrets: [{ value: NEW_SECRET }] });
      await writeFile(join(folder, "client-secret"), NEW_SECRET, { mode: 0o600 });
      await text("apply", configuration, "--json");
    },
    async startWorkers(count) {
      const worker = fileURLToPath(new URL("../../src/main/worker.ts", import.meta.url));
      for (let i = 0; i < count; i++) {
        const child = spawn(process.execPath, [worker], {
          env: await env(),
          stdio: ["ignore", "ignore", "inherit"],
        });
        endWithThisProcess(child, { graceSeconds: 2 });
        workers.push(child);
      }
    },
    async stop() {
      for (const child of workers) {
        child.kill("SIGTERM");
        if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      }
      counter.disconnect();
      await simulator.close();
    },
  };
}

/** A home-made table of refresh tokens with its timer: refreshes somebody, over and over, as long as it runs. */
export class OldSystem {
  readonly #simulator: Simulator;
  readonly #people: { readonly user: string; refreshToken: string }[] = [];
  #running: Promise<unknown> = Promise.resolve();
  #stopped = false;
  refreshes = 0;
  /** Its client secret counts no more. */
  shutOut = 0;
  /** Anything else but a new token: somebody's authorization is broken. */
  broken = 0;

  constructor(simulator: Simulator, people: number) {
    this.#simulator = simulator;
    for (let i = 0; i < people; i++) {
      const user = `user.${i}`;
      simulator.users.put({ customer_id: 5948, id: user, password: "x" });
      const { refresh_token } = simulator.issueTokens({ client_id: "token-broker", user });
      this.#people.push({ user, refreshToken: refresh_token! });
    }
  }

  start(lanes: number, everyMs: number): void {
    const lane = async (n: number) => {
      // Each person in one lane alone: it does not race itself.
      for (let i = n; !this.#stopped; i = (i + lanes) % this.#people.length) {
        await this.#refresh(this.#people[i]!);
        await new Promise((resolve) => setTimeout(resolve, everyMs));
      }
    };
    this.#running = Promise.all(Array.from({ length: lanes }, (_, n) => lane(n)));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  /** The table as it is at this moment. */
  async export(file: string): Promise<void> {
    const tokens = this.#people.map(({ user, refreshToken }) => ({
      ...{ subject: `u-${user}`, imanage_user: user, refresh_token: refreshToken },
    }));
    await writeFile(file, JSON.stringify({ client_id: "token-broker", tokens }, undefined, 1), {
      mode: 0o600,
    });
    if ((await readFile(file)).length === 0) throw new Error("nothing was exported");
  }

  async #refresh(person: { refreshToken: string }): Promise<void> {
    const answer = await fetch(`${this.#simulator.origin}/auth/oauth2/token`, {
      method: "POST",
      body: new URLSearchParams({
        ...{ grant_type: "refresh_token", refresh_token: person.refreshToken },
        ...{ client_id: "token-broker", client_secret: OLD_SECRET },
      }),
    });
    const body = (await answer.json()) as { refresh_token?: string; error?: string };
    if (answer.ok) person.refreshToken = body.refresh_token!;
    if (answer.ok) this.refreshes += 1;
    else if (body.error === "invalid_client") this.shutOut += 1;
    else this.broken += 1;
  }
}
