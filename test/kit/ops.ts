import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { onTestFinished } from "vitest";
import { opsApp } from "../../src/main/ops.ts";
import { type OperatorsSetUp, operatorsSetUp } from "./operators.ts";
import { sharedRedisUrl } from "./redis.ts";
import { type World, world } from "./world.ts";

export interface OpsWorld {
  readonly here: World;
  /** Address of the ops listener. */
  readonly ops: string;
  readonly queue: Queue;
  readonly setUp: OperatorsSetUp;
  /** As if every connection from now on came from another machine. */
  comeFrom(address: string | undefined): void;
}

/** A queue that no worker takes from, in the shared Redis. */
export function queueForThisTest(): Queue {
  const connection = new Redis(sharedRedisUrl(), { maxRetriesPerRequest: null });
  const queue = new Queue(`q${randomBytes(6).toString("hex")}`, { connection: connection as never });
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
  server.on("connection", (socket) => {
    if (from !== undefined) Object.defineProperty(socket, "remoteAddress", { value: from });
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
      server.closeIdleConnections();
    },
  };
}
