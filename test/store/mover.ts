import { parentPort, workerData } from "node:worker_threads";
import { Cluster, Redis } from "ioredis";
import { Seeded } from "../kit/seeded.ts";

/** Moves one from an account to another in one step; an account with nothing is not there, and one that is there ends in an hour. */
const MOVE = `
  if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
  if redis.call('DECR', KEYS[1]) == 0 then redis.call('DEL', KEYS[1]) end
  redis.call('INCR', KEYS[2])
  redis.call('PEXPIRE', KEYS[2], 3600000)
  return 1`;
const AT_ONCE = 4;

const { port, cluster, firms, accounts, seed } = workerData as {
  readonly port: number;
  readonly cluster: boolean;
  readonly firms: readonly string[];
  readonly accounts: number;
  readonly seed: number;
};

/** In a thread of its own: whoever copies has no say in when it writes. */
const redis = cluster ? new Cluster([{ host: "127.0.0.1", port }]) : new Redis(port);
const seeded = new Seeded(seed);
let going = true;
let moved = 0;
let told = false;
const move = async (): Promise<void> => {
  while (going) {
    const firm = firms[seeded.below(firms.length)]!;
    const [from, to] = [0, 0].map(() => `b1:{o:${firm}}:account:${seeded.below(accounts)}`);
    moved += (await redis.eval(MOVE, 2, from!, to!)) as number;
    if (moved >= 20 && !told) {
      told = true;
      parentPort!.postMessage("moving");
    }
  }
};
parentPort!.on("message", () => {
  going = false;
});
await Promise.all(Array.from({ length: AT_ONCE }, move));
parentPort!.postMessage(moved);
redis.disconnect();
parentPort!.close();
