import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { days } from "../../src/domain/instant.ts";
import { type RunningRedis, startRedis } from "../redis/index.ts";
import { endWithThisProcess } from "../watchdog.mjs";
import type { FillOrder, FillSaid, Issued } from "./fill-grants.ts";
import { type GrantBytes, grantBytes, usedMemory } from "./grant-bytes.ts";
import { personOf } from "./person.ts";
import { startTokenBroker, type TokenBroker } from "./token-broker.ts";

/** Really sign in through the browser's way, before any is made without. */
export const SIGNED_IN = 5;
/** The week over which sign-ins are spread, so that their keep-alives are due evenly over the next. */
export const SPAN_MS = days(7);
/** Of those due first, so many can really be refreshed. */
const REFRESHABLE = 6_000;

/** A firm that grows: Redis, broker and a process that makes grants, each its own. */
export interface ScaleFirm {
  readonly redis: RunningRedis;
  readonly broker: TokenBroker;
  readonly admin: Redis;
  readonly prefix: string;
  growTo(size: number): Promise<number>;
  /** In ms, each time; and what Redis itself took on average for one of each. */
  sweep(
    due: number,
    times: number,
  ): Promise<{ sweeps: readonly number[]; reads: readonly number[]; redisMs: number }>;
  /** Bytes of a grant's own hash before, and after so many weekly keep-alives. */
  age(count: number, weeks: number): Promise<{ readonly before: number; readonly after: number }>;
  bytes(): Promise<GrantBytes>;
  stop(): Promise<void>;
}

export async function startFirm(
  folder: string,
  of: number,
  redisArgs: readonly string[] = [],
): Promise<ScaleFirm> {
  await mkdir(folder, { recursive: true });
  // The file is rewritten when the bench says so, and not in the middle of a round.
  const extraArgs = ["--auto-aof-rewrite-percentage", "0", ...redisArgs];
  const redis = await startRedis({ appendfsync: "everysec", extraArgs });
  const admin = new Redis(redis.url);
  const broker = await startTokenBroker(redis, folder, { users: SIGNED_IN, person: personOf });
  const prefix = `b1:{o:${broker.server.slice(4, 14)}}:`;
  const issued: Issued[] = [];
  for (let i = 0; i < Math.min(of, REFRESHABLE); i++) {
    if (i < SIGNED_IN) {
      issued.push({ access_token: "", refresh_token: "" });
      continue;
    }
    const { id, ...called } = personOf(i);
    broker.simulator.users.put({ customer_id: 5948, id, password: "x", ...called });
    const { access_token, refresh_token } = broker.simulator.issueTokens({
      client_id: "token-broker",
      user: id,
    });
    issued.push({ access_token, refresh_token: refresh_token! });
  }
  const filler = fork(fileURLToPath(new URL("./fill-grants.ts", import.meta.url)), {
    env: { ...process.env, ...broker.env },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  endWithThisProcess(filler, { graceSeconds: 2 });
  const ended = once(filler, "exit").then(() => {
    throw new Error("the process that makes grants has ended");
  });
  ended.catch(() => {});
  const next = async () => ((await Promise.race([once(filler, "message"), ended])) as [FillSaid])[0];
  const ask = async (order: FillOrder) => {
    filler.send(order);
    return next();
  };
  await next();
  const usedBefore = await usedMemory(admin);
  let size = SIGNED_IN;
  return {
    ...{ redis, broker, admin, prefix },
    async growTo(to) {
      const said = await ask({
        ...{ does: "fill", server: broker.server, client: broker.client.id },
        ...{ from: size, to, of, spanMs: SPAN_MS, issued },
      });
      size = to;
      return said.says === "filled" ? said.ms : Number.NaN;
    },
    async sweep(due, times) {
      await admin.config("RESETSTAT");
      const said = await ask({ does: "sweep", server: broker.server, due, times });
      if (said.says !== "swept") throw new Error(said.says);
      const stats = await admin.info("commandstats");
      const micros = [...stats.matchAll(/^cmdstat_(?:zrangebyscore|zrange|zadd):calls=\d+,usec=(\d+)/gm)];
      const redisMs = micros.reduce((sum, [, usec]) => sum + Number(usec), 0) / 1_000 / times;
      return { ...said, redisMs };
    },
    async age(count, weeks) {
      const oldest = await admin.zrange(`${prefix}grants`, "0", String(count - 1));
      const each = async (grants: readonly string[]) => {
        let sum = 0;
        for (const id of grants)
          sum +=
            ((await admin.memory("USAGE", `${prefix}grant:${id}`, "SAMPLES", 0)) as number) / grants.length;
        return sum;
      };
      const before = await each(oldest);
      const said = await ask({ does: "age", server: broker.server, count, weeks });
      if (said.says !== "aged") throw new Error(said.says);
      return { before, after: await each(said.grants) };
    },
    bytes: () => grantBytes(admin, prefix, usedBefore),
    async stop() {
      admin.disconnect();
      filler.kill("SIGTERM");
      await broker.stop();
      await redis.stop();
    },
  };
}
