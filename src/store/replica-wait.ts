import { Cluster, type Redis } from "ioredis";
import type { Milliseconds } from "../domain/instant.ts";
import { seconds } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import { slotOf } from "./cluster-slot.ts";
import type { RedisConnection } from "./connect-redis.ts";

/** One WAIT at a time on each server's connection; who comes meanwhile shares the next: it counts what was written before it was sent. */
interface Waits {
  /** Connections lost so far. */
  losses: number;
  underWay: Promise<number> | undefined;
  next: Promise<number> | undefined;
}

/**
 * Waits until so many replicas have a change (WAIT), so that a failover to one of them keeps it (D3). It narrows, it does not
 * remove: a replica without it may be chosen (F32, F35).
 */
export class ReplicaWait {
  readonly #connection: RedisConnection;
  readonly #replicas: number;
  readonly #timeoutMs: Milliseconds;
  readonly #waits = new WeakMap<Redis, Waits>();

  constructor(connection: RedisConnection, replicas: number, timeoutMs: Milliseconds) {
    this.#connection = connection;
    this.#replicas = replicas;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Asked before a key is changed; what it answers is called after that, and resolves when enough replicas have the change.
   * @throws Problem("store_unavailable") where they do not in time, or where the connection was lost meanwhile: another
   * would be asked for what was written to it alone. The change may have happened all the same.
   */
  around(key: string): () => Promise<void> {
    const server = this.#serverOf(key);
    const losses = server && this.#waitsOf(server).losses;
    return async () => {
      if (server === undefined || this.#serverOf(key) !== server) throw unconfirmed("server changed");
      const waits = this.#waitsOf(server);
      const replicas = await this.#confirmed(server, waits);
      if (waits.losses !== losses) throw unconfirmed("connection lost");
      if (replicas < this.#replicas) throw unconfirmed(`${replicas} replicas have it`);
    };
  }

  #confirmed(server: Redis, waits: Waits): Promise<number> {
    const ask = (): Promise<number> => {
      const asked = server.wait(this.#replicas, this.#timeoutMs).finally(() => {
        if (waits.underWay === asked) waits.underWay = undefined;
      });
      waits.underWay = asked;
      return asked;
    };
    if (waits.underWay === undefined) return ask();
    waits.next ??= waits.underWay
      .catch(() => 0)
      .then(() => {
        waits.next = undefined;
        return ask();
      });
    return waits.next;
  }

  #serverOf(key: string): Redis | undefined {
    const connection = this.#connection;
    if (!(connection instanceof Cluster)) return connection;
    const at = connection.slots[slotOf(key)]?.[0];
    return connection
      .nodes("master")
      .find(({ options: { host, port } }) => at === `${host}:${port}` || at === `[${host}]:${port}`);
  }

  #waitsOf(server: Redis): Waits {
    const known = this.#waits.get(server);
    if (known !== undefined) return known;
    const waits: Waits = { losses: 0, underWay: undefined, next: undefined };
    server.on("close", () => {
      waits.losses += 1;
    });
    this.#waits.set(server, waits);
    return waits;
  }
}

const unconfirmed = (why: string): Problem =>
  new Problem("store_unavailable", { detail: `Redis: unconfirmed, ${why}`, retryAfterMs: seconds(1) });
