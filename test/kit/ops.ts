import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Queue, Worker } from "bullmq";
import { onTestFinished } from "vitest";
import { opsApp } from "../../src/main/ops.ts";
import { connectRedis } from "../../src/store/connect-redis.ts";
import { type OperatorsSetUp, operatorsSetUp } from "./operators.ts";
import { addressOf } from "./redis.ts";
import { type World, world } from "./world.ts";

export interface OpsWorld {
  readonly here: World;
  /** Address of the ops listener. */
  readonly ops: string;
  readonly queue: Queue;
  readonly setUp: OperatorsSetUp;
  /** As if every request from now on came from another machine. */
  comeFrom(address: string | undefined): void;
}

/** A queue that no worker takes from, in the shared Redis. */
export function queueForThisTest(): Queue {
  const connection = connectRedis(addressOf(), "durable");
  const name = `q${randomBytes(6).toString("hex")}`;
  const queue = new Queue(name, { connection: connection as never, prefix: `b1:{q:${name}}` });
  onTestFinished(async () => {
    await queue.obliterate({ force: true });
    await queue.close();
    connection.disconnect();
  });
  return queue;
}

/** A broker whose operators sign in at its ops listener too, by a real OpenID provider. */
export async function opsWorld(settings: Readonly<Record<string, string>> = {}): Promise<OpsWorld> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const ops = `http://127.0.0.1:${port}`;
  let from: string | undefined;
  server.on("request", ({ socket }) => {
    Object.defineProperty(socket, "remoteAddress", { value: from ?? "127.0.0.1", configurable: true });
  });
  const setUp = await operatorsSetUp();
  const here = await world({ settings: { ...setUp.settings, OPS_PORT: String(port), ...settings } });
  await setUp.open(here.base, ops);
  const queue = queueForThisTest();
  server.on("request", await opsApp(here.broker, [queue], { metricsText: () => "up 1\n" }));
  return {
    here,
    ops,
    queue,
    setUp,
    comeFrom(address) {
      from = address;
    },
  };
}

export const GRANT_OF_JOBS = "grt_abcdefghjk01234567890123456789012345";

/** Two jobs that failed, `first` and `second`, and one that waits for its time. */
export async function someJobs({ queue }: OpsWorld): Promise<void> {
  const connection = connectRedis(addressOf(), "durable");
  const worker = new Worker(queue.name, () => Promise.reject(new Error("refresh_pending")), {
    connection: connection as never,
    prefix: queue.opts.prefix!,
  });
  let left = 2;
  const both = new Promise<void>((resolve) => worker.on("failed", () => void (--left === 0 && resolve())));
  for (const id of ["first", "second"])
    await queue.add("refresh-grant", { id: GRANT_OF_JOBS }, { jobId: id });
  await both;
  await worker.close();
  connection.disconnect();
  await queue.add("refresh-grant", { id: GRANT_OF_JOBS }, { jobId: "later", delay: 3_600_000 });
}

/** What the audit tells of this queue. */
export const actsOn = async ({ here, queue }: OpsWorld) =>
  (await here.broker.auditBuffer.read("queues", 0, 100_000))
    .map(({ fields }) => fields)
    .filter((fields) => fields.queue === queue.name)
    .map(({ action, actor, job, address }) => ({ action, actor, job, address }));
