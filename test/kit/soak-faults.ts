import { setTimeout as lasts } from "node:timers/promises";
import type { RunningRedis } from "../../scripts/redis/index.ts";
import { hours } from "../../src/domain/instant.ts";
import type { Fault, Simulator } from "../../src/simulator/start-simulator.ts";
import type { BrokerProcess } from "./broker-process.ts";
import { disturb } from "./disturbances.ts";
import { OF_A_GOOD_REFRESH } from "./fail-points.ts";
import type { FaultProxy } from "./fault-proxy.ts";
import type { Seeded } from "./seeded.ts";
import type { Scope, SoakLedger } from "./soak-ledger.ts";

/** What faults befall. */
export interface SoakTargets {
  readonly processes: readonly BrokerProcess[];
  /** Between each process and Redis. */
  readonly links: readonly FaultProxy[];
  readonly redis: RunningRedis;
  readonly servers: readonly {
    readonly name: string;
    readonly simulator: Simulator;
    readonly wire: FaultProxy;
  }[];
}

/** False: it found nothing to befall. `ms` draws a length up to so much. */
type Act<T> = (on: T, draw: { readonly seeded: Seeded; ms(most: number): number }) => Promise<unknown>;
interface OfProcess {
  readonly process: BrokerProcess;
  readonly link: FaultProxy;
  readonly number: number;
  readonly ledger: SoakLedger;
}

const die = async ({ process, number, ledger }: OfProcess): Promise<void> => {
  await process.exited;
  await process.failPoints.heardAll;
  ledger.died(number);
  // As a supervisor does: a process that is starting when Redis goes away says so, and ends.
  for (let tries = 1; ; tries++) {
    try {
      return await process.restart();
    } catch (error) {
      if (tries === 10 || !/"code":"store_unavailable"/.test(String(error))) throw error;
      ledger.startsBrokenOff += 1;
    }
  }
};

const ofProcesses: Readonly<Record<string, Act<OfProcess>>> = {
  "kill -9": async (on) => {
    await on.process.kill();
    await die(on);
  },
  "kill -9 at a fail point": async (on, { seeded }) => {
    const { process } = on;
    const order = await process.failPoints.kill(seeded.pick(OF_A_GOOD_REFRESH));
    const stop = new AbortController();
    const met = await Promise.race([
      order.reached.then(() => true),
      lasts(2_000, false, { signal: stop.signal }),
    ]);
    stop.abort();
    // An order that is taken back may have been met meanwhile.
    if (!met) await process.failPoints.forget().catch(() => {});
    if (!met && process.running) return false;
    await die(on);
    return true;
  },
  SIGTERM: async (on) => {
    on.process.signal("SIGTERM");
    await die(on);
  },
  SIGSTOP: async ({ process }, { ms }) => {
    process.signal("SIGSTOP");
    await lasts(ms(2_500));
    process.signal("SIGCONT");
  },
  "event loop blocked": async ({ process }, { ms }) => disturb(process, { disturb: "block", ms: ms(2_000) }),
  "Redis: connections reset": async ({ link }) => link.reset(),
  "Redis: slow": async ({ link }, { ms }) => {
    link.set({ delayMs: ms(300) });
    await lasts(ms(1_500));
    link.set("pass");
  },
  "Redis: connections frozen": async ({ link }, { ms }) => {
    link.set("freeze");
    await lasts(ms(2_000));
    link.set("pass");
  },
  "Redis: connections dead": async ({ link }, { ms }) => {
    link.set("drop");
    await lasts(ms(2_000));
    link.set("pass");
    link.reset();
  },
  "Redis: answers lost": async ({ link }, { seeded, ms }) => {
    link.set({ swallow: 5 + seeded.below(40), andThen: "cut" }, "to-client");
    await lasts(ms(1_500));
    link.set("pass");
  },
};

/** These excuse nothing. */
const harmless: Readonly<Record<string, Act<OfProcess>>> = {
  "clock jumps": async ({ process }, { seeded, ms }) => {
    await disturb(process, { disturb: "clock", shiftMs: seeded.pick([-1, 1]) * hours(1) });
    await lasts(ms(2_000));
    await disturb(process, { disturb: "clock", shiftMs: 0 });
  },
};

const ofRedis: Readonly<Record<string, Act<RunningRedis>>> = {
  "Redis killed -9": async (redis, { ms }) => {
    await redis.kill();
    await lasts(ms(500));
    await redis.restart();
  },
  "Redis restarted": (redis) => redis.restart(),
  "Redis frozen": async (redis, { ms }) => {
    redis.pause();
    await lasts(ms(2_000));
    redis.resume();
  },
};

type Server = SoakTargets["servers"][number];

const ofWires: Readonly<Record<string, Act<Server>>> = {
  "iManage: connections reset": async ({ wire }) => wire.reset(),
  "iManage: slow line": async ({ wire }, { ms }) => {
    wire.set({ delayMs: ms(1_000) });
    await lasts(ms(2_000));
    wire.set("pass");
  },
  "iManage: connections dead": async ({ wire }, { ms }) => {
    wire.set("drop");
    await lasts(ms(2_000));
    wire.set("pass");
    wire.reset();
  },
  "iManage: answers lost": async ({ wire }, { seeded, ms }) => {
    wire.set({ swallow: 1 + seeded.below(4), andThen: "cut" }, "to-client");
    await lasts(ms(1_000));
    wire.set("pass");
  },
  "iManage: refuses connections": async ({ wire }, { ms }) => {
    await wire.refuse();
    wire.reset();
    await lasts(ms(1_500));
    await wire.accept();
  },
};

const tokens = { access_token: "{{access_token}}", refresh_token: "{{refresh_token}}" };
const html = "<html><body>Please wait</body></html>";

const answers: Readonly<Record<string, (ms: (most: number) => number) => Fault["do"]>> = {
  "iManage: 500": () => ({ answer: { status: 500, body: { error: "server_error" } } }),
  "iManage: 502 after acting": () => ({ answer: { status: 502, body: html, acts: true } }),
  "iManage: 503": () => ({ answer: { status: 503, headers: { "Retry-After": "1" }, body: html } }),
  "iManage: 429": () => ({ answer: { status: 429, headers: { "Retry-After": "1" } } }),
  "iManage: HTML": () => ({ answer: { status: 200, headers: { "Content-Type": "text/html" }, body: html } }),
  "iManage: garbage": () => ({ answer: { status: 200, body: "{{{ ÿ not JSON" } }),
  "iManage: JSON broken off": () => ({ answer: { body: `${JSON.stringify(tokens).slice(0, -1)},,` } }),
  "iManage: cut body": () => ({ cut_body_after_bytes: 20 }),
  "iManage: slow before acting": (ms) => ({ delay_before_ms: ms(3_000) }),
  "iManage: slow after acting": (ms) => ({ delay_after_ms: ms(3_000) }),
  "iManage: reset before acting": () => ({ drop_before: "reset" }),
  "iManage: reset after acting": () => ({ drop_after: "reset" }),
};

/** Waits for somebody to run into it, and takes it away again. */
const answering =
  (made: (ms: (most: number) => number) => Fault["do"]): Act<Server> =>
  async ({ simulator }, { seeded, ms }) => {
    const times = 1 + seeded.below(3);
    const id = simulator.addFault({
      on: { route: "token", grant_type: "refresh_token" },
      times,
      do: made(ms),
    });
    const stop = new AbortController();
    const fired = () => simulator.faults().find((fault) => fault.id === id)?.fired ?? 0;
    await Promise.race([
      simulator.waitFor(() => fired() >= times, 10_000, stop.signal).catch(() => {}),
      lasts(1_000 + ms(2_000), undefined, { signal: stop.signal }).catch(() => {}),
    ]);
    stop.abort();
    const some = fired() > 0;
    simulator.clearFaults(id);
    return some;
  };

const kindsOfServer: Readonly<Record<string, Act<Server>>> = {
  ...ofWires,
  ...Object.fromEntries(Object.entries(answers).map(([name, made]) => [name, answering(made)])),
};

/** A seeded stream of faults, so many under way at once, none two at the same target. */
export class SoakFaults {
  readonly counts: Record<string, number> = {};
  readonly #on: SoakTargets;
  readonly #ledger: SoakLedger;
  readonly #seeded: Seeded;
  /** How long the longest lasts, of what it may. */
  readonly #share: number;
  readonly #underWay = new Map<Scope, Promise<void>>();

  readonly #ofProcesses: readonly (readonly [string, Act<OfProcess>])[];

  /** @param sample short ones, and none whose traces take longer to go than a test may take: a jumped clock, up to a minute */
  constructor(on: SoakTargets, ledger: SoakLedger, seeded: Seeded, sample = false) {
    this.#on = on;
    this.#ledger = ledger;
    this.#seeded = seeded;
    this.#share = sample ? 0.2 : 1;
    this.#ofProcesses = Object.entries(sample ? ofProcesses : { ...ofProcesses, ...harmless });
  }

  get total(): number {
    return Object.values(this.counts).reduce((sum, n) => sum + n, 0);
  }

  get underWay(): number {
    return this.#underWay.size;
  }

  /** Draws a target and what befalls it; where that target still suffers, nothing. */
  draw(): void {
    const seeded = this.#seeded;
    const what = seeded.next();
    if (what < 0.05) {
      this.#begin("redis", seeded.pick(Object.entries(ofRedis)), this.#on.redis);
    } else if (what < 0.5) {
      const server = seeded.pick(this.#on.servers);
      this.#begin(`server:${server.name}`, seeded.pick(Object.entries(kindsOfServer)), server);
    } else {
      const number = seeded.below(this.#on.processes.length);
      const of = {
        process: this.#on.processes[number]!,
        link: this.#on.links[number]!,
        number,
        ledger: this.#ledger,
      };
      this.#begin(`process:${number}`, seeded.pick(this.#ofProcesses), of);
    }
  }

  /** Resolves when none is under way. Rejects with what one of them could not do. */
  async ended(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay.values());
    if (this.#problem !== undefined) throw this.#problem;
  }
  #problem: unknown;

  #begin<T>(scope: Scope, [kind, act]: readonly [string, Act<T>], on: T): void {
    if (this.#underWay.has(scope)) return;
    const window = this.#ledger.begin(kind, kind in harmless ? undefined : scope);
    const ms = (most: number) => this.#share * most * (0.1 + 0.9 * this.#seeded.next());
    const run = async () => {
      try {
        if ((await act(on, { seeded: this.#seeded, ms })) === false) return this.#ledger.withdraw(window);
        this.counts[kind] = (this.counts[kind] ?? 0) + 1;
        if (!scope.startsWith("server:")) await this.#wellAgain(scope);
      } catch (error) {
        this.#problem ??= new Error(`${kind} at ${scope}`, { cause: error });
      } finally {
        window.to = performance.now();
        this.#underWay.delete(scope);
      }
    };
    this.#underWay.set(scope, run());
  }

  /** By its own word. Another fault may hold it up: then it is that one's. */
  async #wellAgain(scope: Scope): Promise<void> {
    const touched = (number: number) => scope === "redis" || scope === `process:${number}`;
    await Promise.all(
      this.#on.processes.map(async ({ ops }, number) => {
        for (const until = performance.now() + 30_000; touched(number); await lasts(50)) {
          if (this.#underWay.size > 1 && scope === "redis" && this.#underWay.has(`process:${number}`)) return;
          const ready = await fetch(`${ops}/readyz`).then(
            async (answer) => {
              await answer.bytes();
              return answer.ok;
            },
            () => false,
          );
          if (ready) return;
          if (performance.now() > until)
            throw new Error(`process ${number} is not ready half a minute later`);
        }
      }),
    );
  }
}
