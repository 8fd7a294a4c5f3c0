import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Meters } from "../broker/meter-ports.ts";
import type { Tracer } from "../broker/tracer.ts";
import { type Instant, type Milliseconds, seconds } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import type { RedisConnection } from "./connect-redis.ts";
import { ReplicaWait } from "./replica-wait.ts";
import { sendTogether } from "./send-together.ts";

export type ScriptName =
  | "advance-connect-session"
  | "delete-grant"
  | "put-consent"
  | "put-policy"
  | "refresh-begin"
  | "refresh-commit"
  | "refresh-echo"
  | "refresh-fail"
  | "refresh-mark-sent"
  | "refresh-release"
  | "refresh-renew"
  | "take-authorization-request"
  | "unbind"
  | "vend"
  | (string & {});

/** One connection, the scripts, and the only place where Redis' errors are seen. */
export class RedisStore {
  readonly connection: RedisConnection;
  readonly #clockOffsetMs: () => Milliseconds;
  readonly #patienceMs: Milliseconds | undefined;
  readonly #meters: Pick<Meters, "storeCall"> | undefined;
  /** Undefined: a change counts as soon as the master has it. */
  #replicas: ReplicaWait | undefined;
  readonly #tracer: Tracer | undefined;
  readonly #together: () => void;

  /**
   * @param clockOffsetMs shifts the time that scripts see: 0 outside tests.
   * @param patienceMs how long an answer may take; undefined: as long as it takes.
   * @param meters counts the answers
   * @param tracer spans name scripts, and never a key or an argument.
   */
  constructor(
    connection: RedisConnection,
    clockOffsetMs: () => Milliseconds = () => 0,
    patienceMs?: Milliseconds,
    meters?: Pick<Meters, "storeCall">,
    tracer?: Tracer,
  ) {
    this.connection = connection;
    this.#together = sendTogether(connection);
    this.#meters = meters;
    this.#clockOffsetMs = clockOffsetMs;
    this.#patienceMs = patienceMs;
    this.#tracer = tracer;
  }

  /** From now on a change is acknowledged when so many replicas have it. */
  waitForReplicas(count: number): this {
    this.#replicas = count === 0 ? undefined : new ReplicaWait(this.connection, count, REPLICAS_MS);
    return this;
  }

  /** Any command that changes what lies at `key`. */
  async change<T>(key: string, command: (redis: RedisConnection) => Promise<T>): Promise<T> {
    const confirmed = this.#replicas?.around(key);
    const answer = await this.call(command);
    await this.#confirm(confirmed);
    return answer;
  }

  async #confirm(confirmed: (() => Promise<void>) | undefined): Promise<void> {
    if (confirmed !== undefined) await this.call(confirmed);
  }

  /** Runs a script by its digest; sends its text only where this Redis has not seen it yet. */
  async run(
    script: ScriptName,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    const { sha, text, reads } = loadScript(script);
    const confirmed = reads ? undefined : this.#replicas?.around(keys[0] ?? "");
    const all = [...keys, ...args, this.#clockOffsetMs()];
    const answer = await this.#traced(`redis ${script}`, script, async (redis) => {
      try {
        return await redis.evalsha(sha, keys.length, ...all);
      } catch (error) {
        if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error;
        return await redis.eval(text, keys.length, ...all);
      }
    });
    await this.#confirm(confirmed);
    return answer;
  }

  /** Any command. @throws Problem("store_unavailable") for whatever Redis or the way to it did. */
  call<T>(command: (redis: RedisConnection) => Promise<T>, operation = "command"): Promise<T> {
    return this.#traced("redis command", operation, command);
  }

  #traced<T>(name: string, operation: string, command: (redis: RedisConnection) => Promise<T>): Promise<T> {
    return this.#tracer === undefined
      ? this.#ask(command, operation)
      : this.#tracer.span(name, {}, () => this.#ask(command, operation));
  }

  async #ask<T>(command: (redis: RedisConnection) => Promise<T>, operation: string): Promise<T> {
    const startedAt = performance.now();
    try {
      this.#together();
      const sent = command(this.connection);
      const answer = await (this.#patienceMs === undefined ? sent : within(this.#patienceMs, sent));
      this.#meters?.storeCall(operation, "answered", performance.now() - startedAt);
      return answer;
    } catch (error) {
      this.#meters?.storeCall(operation, "failed", performance.now() - startedAt);
      throw storeProblem(error);
    }
  }

  /** The store's own time, shifted as scripts see it. */
  async now(): Promise<Instant> {
    const [s, us] = await this.call((redis) => redis.time());
    return Number(s) * 1_000 + Math.floor(Number(us) / 1_000) + this.#clockOffsetMs();
  }

  async readJson(key: string): Promise<unknown> {
    const text = await this.call((redis) => redis.get(key));
    return text === null ? undefined : JSON.parse(text);
  }
}

/** What replicas need that are well, many times over; and less than a caller's patience. */
const REPLICAS_MS: Milliseconds = 600;

const STEPS = 3;

/**
 * Fails once `answer` has taken `ms`, counted in steps after each of which this process has read what Redis sent: what it was
 * too busy to read has arrived, and to say that the store is away would be wrong (F22). A timer alone fires before the socket
 * is looked at, however long both have been waiting.
 */
function within<T>(ms: Milliseconds, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let steps = STEPS;
    const late = () =>
      reject(new Problem("store_unavailable", { detail: "Redis: timeout", retryAfterMs: seconds(1) }));
    const step = (): NodeJS.Timeout =>
      setTimeout(() => {
        steps -= 1;
        if (steps > 0) timer = step();
        else setImmediate(late);
      }, ms / STEPS);
    let timer = step();
    const settled =
      <A>(settle: (answer: A) => void) =>
      (answer: A) => {
        clearTimeout(timer);
        settle(answer);
      };
    answer.then(settled(resolve), settled(reject));
  });
}

/** The error's first word says what it is (`OOM`, `MISCONF`, `CLUSTERDOWN`, `ECONNREFUSED`); the rest may hold arguments. */
function storeProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const { code, message } = error as { code?: string; message?: string };
  const word = code ?? message?.split(/[ :]/, 1)[0] ?? "unknown";
  if (word === "ERR" || error instanceof TypeError) {
    // Not an outage but a defect of ours: say which, without arguments.
    return new Problem("internal_error", { detail: `Redis refused a command: ${message?.slice(0, 200)}` });
  }
  return new Problem("store_unavailable", { detail: `Redis: ${word}`, retryAfterMs: seconds(1) });
}

interface Script {
  /** It says of itself that it changes nothing. */
  readonly reads: boolean;
  readonly sha: string;
  readonly text: string;
}

const scripts = new Map<string, Script>();
const read = (name: string): string => readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), "utf8");

/** The shebang has to be the first line, the prelude follows it. */
function loadScript(name: string): Script {
  const known = scripts.get(name);
  if (known !== undefined) return known;
  const source = read(name);
  const end = source.indexOf("\n");
  const rest = source.slice(end + 1);
  // `-- with: gate containment` as the second line brings `gate.lua` and `containment.lua` along.
  const named = /^-- with: ([\w ]+)\n/.exec(rest)?.[1]?.split(" ") ?? [];
  const libraries = ["prelude", ...named].map(read).join("\n");
  const text = `${source.slice(0, end)}\n${libraries}\n${rest}`;
  const reads = /\bno-writes\b/.test(source.slice(0, end));
  const script = { reads, sha: createHash("sha1").update(text).digest("hex"), text };
  scripts.set(name, script);
  return script;
}
