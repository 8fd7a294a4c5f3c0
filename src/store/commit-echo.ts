import { Cluster, type Redis } from "ioredis";
import type { GrantId } from "../domain/id.ts";
import { type Instant, type Milliseconds, minutes, seconds } from "../domain/instant.ts";
import type { RedisStore } from "./redis-store.ts";

/** `refresh-commit` as it ran, and what it answered. */
export interface Committed {
  readonly grant: GrantId;
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
  readonly as: "committed" | "spare";
  /** By the clock of the Redis that took it. */
  readonly receivedAt: Instant;
}

export interface EchoOptions {
  /**
   * How long refreshes wait after a Redis that is not the one it was has taken this process' offers: the other
   * processes have offers too, and try to connect at least once a second.
   */
  readonly settleMs?: Milliseconds;
  /** Redis is another than it was, and has our offers: whoever looks whether it is older does so before a refresh may begin. */
  readonly onAnother?: () => Promise<void>;
  /** After a round of offers: how many there were, and how many of them Redis had lost. */
  readonly onOffered?: (offered: number, restored: number) => void;
}

const KEPT_MS = minutes(10);
/** About 2 kB each. The oldest go first. */
const KEPT_MAX = 10_000;
const AT_ONCE = 100;
const AGAIN_MS: Milliseconds = 250;

/**
 * What this process committed last, offered again to a Redis that may have lost it (F32): restarted without the end of its
 * file, or a replica that took over. Until that is through, no refresh of this process may begin: it would present a token
 * that is superseded by one we still hold, and a strict server ends the grant for that.
 */
export class CommitEcho {
  /** Counts how often Redis was found to be another than before. */
  lives = 0;
  readonly #store: RedisStore;
  readonly #settleMs: Milliseconds;
  readonly #onOffered: (offered: number, restored: number) => void;
  readonly #onAnother: () => Promise<void>;
  /** By attempt, oldest first. */
  readonly #kept = new Map<string, Committed & { readonly at: Milliseconds }>();
  /** Which Redis this was, by its own word. Undefined: not asked yet, or it does not say. */
  #known: string | undefined;
  /** Counts lost connections. */
  #losses = 0;
  /** However long Redis is away: what it may have lost is from before. */
  #lostAt: Milliseconds = 0;
  #through = Promise.withResolvers<void>();
  #isThrough = true;
  #running = false;

  /** @param store the one by which refreshes begin: what it finds must hold what we have. */
  constructor(store: RedisStore, options: EchoOptions = {}) {
    this.#store = store;
    this.#settleMs = options.settleMs ?? seconds(1.5);
    this.#onOffered = options.onOffered ?? (() => {});
    this.#onAnother = options.onAnother ?? (async () => {});
    this.#through.resolve();
    const { connection } = store;
    // Of a cluster one node may go and come back while the others stay.
    const [gone, back] = connection instanceof Cluster ? ["-node", "+node"] : ["close", "ready"];
    connection.on(gone!, () => this.#lost());
    connection.on(back!, () => this.#offer());
    if (connection.status === "ready") this.#offer();
  }

  remember(attempt: string, committed: Committed): void {
    const at = performance.now();
    this.#kept.set(attempt, { ...committed, at });
    for (const [oldest, { at: since }] of this.#kept) {
      if (this.#kept.size <= KEPT_MAX && at - since < KEPT_MS) break;
      this.#kept.delete(oldest);
    }
  }

  /** Waits until refreshes may begin, at most so long. */
  async through(timeoutMs: Milliseconds): Promise<boolean> {
    if (this.#isThrough) return true;
    const timeout = Promise.withResolvers<void>();
    const timer = setTimeout(timeout.resolve, timeoutMs);
    await Promise.race([this.#through.promise, timeout.promise]);
    clearTimeout(timer);
    return this.#isThrough;
  }

  #lost(): void {
    this.#losses += 1;
    // A node that leaves a cluster for good does not come back to say so.
    this.#again();
    if (!this.#isThrough) return;
    this.#lostAt = performance.now();
    this.#isThrough = false;
    this.#through = Promise.withResolvers();
  }

  /** One round at a time; whatever fails or is overtaken by another loss is done again. */
  #offer(): void {
    if (this.#running) return;
    this.#running = true;
    const losses = this.#losses;
    this.#round().then(
      () => {
        this.#running = false;
        if (losses === this.#losses) this.#end();
        else if (this.#store.connection.status === "ready") this.#offer();
      },
      () => {
        this.#running = false;
        this.#again();
      },
    );
  }

  #again(): void {
    setTimeout(() => {
      // Otherwise the connection says when it is back.
      if (this.#store.connection.status === "ready") this.#offer();
    }, AGAIN_MS).unref();
  }

  #end(): void {
    this.#isThrough = true;
    this.#through.resolve();
  }

  async #round(): Promise<void> {
    const losses = this.#losses;
    const now = await identityOf(this.#store);
    const before = this.#known;
    if (now !== undefined && now === before) return;
    if (losses > 0) this.lives += 1;
    await this.#offerAll();
    await this.#onAnother();
    if (losses !== this.#losses) return;
    this.#known = now;
    if (before !== undefined) await new Promise((resolve) => setTimeout(resolve, this.#settleMs).unref());
  }

  async #offerAll(): Promise<void> {
    const oldestAt = this.#lostAt - KEPT_MS;
    // The newest first: what it has superseded is then known when it is offered.
    const offers = [...this.#kept.values()].filter(({ at }) => at > oldestAt).reverse();
    let restored = 0;
    for (let i = 0; i < offers.length; i += AT_ONCE) {
      const answers = await Promise.all(
        offers
          .slice(i, i + AT_ONCE)
          .map(({ keys, args, as, receivedAt }) =>
            this.#store.run("refresh-echo", keys, [...args, as, receivedAt]),
          ),
      );
      restored += answers.filter((answer) => answer === "restored" || answer === "spare").length;
    }
    this.#onOffered(offers.length, restored);
  }
}

/** Changes when Redis is started anew, or another takes over. Undefined where it hides that. */
async function identityOf(store: RedisStore): Promise<string | undefined> {
  const { connection } = store;
  const nodes: readonly Redis[] = connection instanceof Cluster ? connection.nodes("master") : [connection];
  const ids = await Promise.all(
    nodes.map(async (node) => /run_id:(\w+)/.exec(await infoOf(node))?.[1] ?? undefined),
  );
  return ids.includes(undefined) ? undefined : ids.sort().join(" ");
}

/** @throws what says that the connection is lost; what says that INFO is not allowed is an answer. */
async function infoOf(node: Redis): Promise<string> {
  try {
    return await node.info("server");
  } catch (error) {
    if (error instanceof Error && /^(NOPERM|ERR)\b/.test(error.message)) return "";
    throw error;
  }
}
