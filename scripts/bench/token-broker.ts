import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { type Simulator, startSimulator } from "../../src/simulator/start-simulator.ts";
import { freePort, type RunningRedis } from "../redis/index.ts";
import { runChild } from "../run-child.mjs";
import { WalkingClient } from "../walk/client.ts";
import { connect } from "../walk/connect.ts";
import { type RunningChild, startChild } from "./child.ts";
import { writeOneFirm } from "./one-firm.ts";

const RETURN_URL = "http://127.0.0.1:1/returned";
export const ALGORITHM = "ES256";

export interface TokenBroker {
  readonly base: string;
  readonly process: RunningChild;
  /** What another process of the same broker is started with. */
  readonly env: Readonly<Record<string, string>>;
  readonly simulator: Simulator;
  readonly server: string;
  /** Subjects that have an authorisation of their own each. */
  readonly subjects: readonly string[];
  readonly client: WalkingClient;
  /** The client's key pair, registered. */
  readonly keys: Awaited<ReturnType<typeof generateKeyPair>>;
  /** One more process on the same Redis, at an address of its own. */
  another(role: "http" | "all"): Promise<{ readonly base: string; readonly process: RunningChild }>;
  /** Entries of the audit so far, exported or not. */
  audited(): Promise<number>;
  stop(): Promise<void>;
}

/**
 * A firm with a server and a client, applied as an operator does it, so many users who signed in, and one broker process with
 * production's settings: policy, rate and audit as anywhere.
 */
export async function startTokenBroker(
  redis: RunningRedis,
  folder: string,
  {
    users,
    execArgv = [],
    person = (i) => ({ id: `user.${i}` }),
  }: {
    readonly users: number;
    readonly execArgv?: readonly string[];
    /** As iManage knows them. */
    readonly person?: (i: number) => { readonly id: string; readonly name?: string; readonly email?: string };
  },
): Promise<TokenBroker> {
  const simulator = await startSimulator();
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const keys = await generateKeyPair(ALGORITHM, { extractable: true });
  const jwks = join(folder, "client.jwks.json");
  await writeFile(jwks, JSON.stringify({ keys: [{ ...(await exportJWK(keys.publicKey)), kid: "bench-1" }] }));
  const secretFile = join(folder, "bench-secret");
  const configuration = await writeOneFirm(folder, {
    ...{ simulator: simulator.origin, returnUrl: RETURN_URL, actions: ["token", "status", "connect"] },
    ...{ tokensPerMinute: 1_000_000, proofs: { jwks, secret: secretFile } },
  });
  const env = {
    // Production would refuse a simulator on this machine; it changes nothing on the way of a token request.
    NODE_ENV: "test",
    REDIS_URL: redis.url,
    PUBLIC_BASE_URL: base,
    HTTP_HOST: "127.0.0.1",
    HTTP_PORT: String(port),
    OPS_PORT: String(await freePort()),
    EGRESS_LOOPBACK_ORIGINS: simulator.origin,
    ROOT_KEYSET_FILE: join(folder, "root-keyset.json"),
    AUDIT_FILE: join(folder, "audit.jsonl"),
    // No worker runs here that would export it, so that what is counted is still there.
    AUDIT_BUFFER_MAX_ENTRIES: "10000000",
    LOG_LEVEL: "warn",
  };
  const cli = fileURLToPath(new URL("../../src/main/cli.ts", import.meta.url));
  const command = async (...args: string[]) => {
    const run = { env: { ...process.env, ...env }, capture: true } as const;
    const done = await runChild(process.execPath, [cli, ...args], run);
    if (done.code !== 0) throw new Error(done.output);
    return done.output;
  };
  await command("keys", "create", env.ROOT_KEYSET_FILE);
  await command("keys", "client-secret", secretFile);
  const applied = JSON.parse(await command("apply", configuration, "--json")) as Applied;
  const server = Object.values(applied.servers)[0]!;
  simulator.registrations.patch("token-broker", {
    redirect_urls: [server.redirect_uri],
    access: "all_users",
  });
  const broker = await startChild("../../src/main/http.ts", env, execArgv);

  const secret = (await readFile(secretFile, "utf8")).trim();
  const client = new WalkingClient(base, applied.clients.bench!, secret);
  const people = Array.from({ length: users }, (_, i) => person(i));
  for (const { id: subject, ...called } of people) {
    simulator.users.put({ customer_id: 5948, id: subject, password: "x", ...called });
    const at = { server: server.id, returnUrl: RETURN_URL };
    const connected = await connect(client, at, { subject, username: subject, password: "x" });
    if (connected.status !== 200) throw new Error(`not connected: ${JSON.stringify(connected.body)}`);
  }
  const counter = new Redis(redis.url);
  return {
    ...{ base, process: broker, env, simulator, server: server.id, client, keys },
    subjects: people.map(({ id }) => id),
    async another(role) {
      const here = await freePort();
      const of = { HTTP_PORT: String(here), OPS_PORT: String(await freePort()) };
      const process = await startChild(`../../src/main/${role}.ts`, { ...env, ...of });
      return { base: `http://127.0.0.1:${here}`, process };
    },
    audited: async () => Number(await counter.hget(`b1:{o:${server.id.slice(4, 14)}}:gate`, "audit")),
    async stop() {
      counter.disconnect();
      await broker.stop();
      await simulator.close();
    },
  };
}

/** As many assertions (RFC 7523) as a run may need, signed before it: none may be shown twice. */
export async function signAssertions({ client, keys, base }: TokenBroker, count: number): Promise<string[]> {
  const now = Math.floor(Date.now() / 1_000);
  const header = { alg: ALGORITHM, kid: "bench-1" };
  const signed: string[] = [];
  for (let i = 0; i < count; i++) {
    const claims = {
      iss: client.id,
      sub: client.id,
      aud: base,
      iat: now,
      exp: now + 290,
      jti: crypto.randomUUID(),
    };
    signed.push(await new SignJWT(claims).setProtectedHeader(header).sign(keys.privateKey));
  }
  return signed;
}

/** What `cli apply --json` prints, as far as it is read here. */
interface Applied {
  readonly servers: Record<string, { id: string; registration: string; redirect_uri: string }>;
  readonly clients: Readonly<Record<string, string>>;
}
