import { type ChildProcess, fork } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { fileURLToPath } from "node:url";
import { inject, onTestFinished } from "vitest";
import { endWithThisProcess } from "../../scripts/watchdog.mjs";
import { storeConsent } from "../../src/broker/authorization/redeem.ts";
import type { ServerId, SyncId } from "../../src/domain/id.ts";
import { type Milliseconds, minutes } from "../../src/domain/instant.ts";
import { Secret } from "../../src/domain/secret.ts";
import { prefixNeedles, refuse, scan } from "../kit/canary.ts";
import type { World } from "../kit/world.ts";
import type { FromWorker, WorkerOrders } from "./broker-worker.ts";

/** What a worker process said, and which one. */
export type Heard = { readonly by: WorkerProcess; readonly at: number } & FromWorker;

export interface WorkerProcess {
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
  readonly exited: Promise<void>;
  /** Lets jobs go on that stand still. */
  go(): void;
}

/** Locks so short that a death is noticed within a second and a half: for counts, never for how long it takes. */
export const QUICK = {
  lockMs: 1_000,
  stalledMs: 500,
  sweepMs: 200,
  syncSweepMs: 200,
  auditExportMs: 1_000,
  revocationMs: 60_000,
};

/** Worker processes of one world, and all that they say in one place. Ended with the running test. */
export class Fleet extends EventEmitter<{ heard: [Heard]; output: [] }> {
  readonly all: Heard[] = [];
  readonly #environment: Readonly<Record<string, string>>;
  readonly #output: string[] = [];

  constructor({ environment }: Pick<World, "environment">) {
    super();
    this.setMaxListeners(0);
    this.#environment = environment;
    onTestFinished(() => refuse(scan(this.output, prefixNeedles, "a worker's output")));
  }

  get output(): string {
    return this.#output.join("");
  }

  async start(orders: WorkerOrders): Promise<WorkerProcess> {
    const child = fork(
      fileURLToPath(new URL("./broker-worker.ts", import.meta.url)),
      [JSON.stringify(orders)],
      {
        env: {
          PATH: process.env.PATH ?? "",
          NODE_COMPILE_CACHE: inject("compileCache"),
          ...this.#environment,
        },
        execArgv: [],
        stdio: ["ignore", "pipe", "pipe", "ipc"],
      },
    );
    endWithThisProcess(child, { graceSeconds: 2 });
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.#output.push(text);
        this.emit("output");
      });
    }
    const one: WorkerProcess = {
      exited: once(child, "exit").then(() => {}),
      async kill() {
        child.kill("SIGKILL");
        await one.exited;
      },
      go: () => void child.send("go"),
    };
    child.on("message", (said: FromWorker) => {
      const heard = { ...said, by: one, at: performance.now() };
      this.all.push(heard);
      this.emit("heard", heard);
    });
    onTestFinished(() => one.kill());
    await this.#ready(child, one);
    return one;
  }

  async #ready(child: ChildProcess, one: WorkerProcess): Promise<void> {
    const ready = this.next(({ says, by }) => says === "ready" && by === one);
    await Promise.race([
      ready,
      one.exited.then(() => {
        if (child.signalCode === null) throw new Error(`a worker ended before it was ready:\n${this.output}`);
      }),
    ]);
  }

  /** The next thing said that fits; `from`: counted from there in `all`. */
  async next(fits: (heard: Heard) => boolean, from = this.all.length): Promise<Heard> {
    for (let i = from; ; i++) {
      while (i >= this.all.length) await once(this, "heard");
      const heard = this.all[i]!;
      if (fits(heard)) return heard;
    }
  }

  /** Until they have written this so often. */
  async written(text: string, times = 1): Promise<void> {
    while (this.output.split(text).length <= times) await once(this, "output");
  }

  /**
   * Starts workers again as they die, as whoever runs them would, until `finished`; answers how many died.
   * @throws once `deathsMax` have died.
   */
  async supervise(orders: WorkerOrders, finished: Promise<unknown>, deathsMax: number): Promise<number> {
    for (let deaths = 0; deaths < deathsMax; deaths++) {
      const worker = await this.start(orders);
      const ended = await Promise.race([finished.then(() => "finished"), worker.exited]);
      if (ended === "finished") return deaths;
    }
    throw new Error(`${deathsMax} workers died, and there is no end to it`);
  }

  count(says: FromWorker["says"], id: SyncId): number {
    return this.all.filter((it) => it.says === says && it.says !== "ready" && it.id === id).length;
  }
}

/**
 * Libraries of `documents` documents each, every one lent by an administrator of its own, and a sync of each. By the
 * broker's own stories, without a browser for each administrator.
 */
export async function syncedLibraries(
  world: World,
  count: number,
  documents = 1,
  whose: {
    readonly server?: ServerId;
    readonly client?: string;
    /** Of the libraries' names: each caller has its own. */
    readonly prefix?: string;
    readonly intervalMs?: Milliseconds;
    /** Whether what is there at first is told. */
    readonly existing?: "tell" | "skip";
  } = {},
): Promise<readonly { readonly id: SyncId; readonly library: string }[]> {
  const { authorization, syncs } = world.broker;
  const { simulator } = world;
  const {
    server: at = world.server,
    client = world.client.id,
    prefix = "LIB",
    intervalMs,
    existing = "tell",
  } = whose;
  const server = (await authorization.servers.findServer(at))!;
  const pattern = simulator.libraries.find(5948, "ACTIVE")!.documents[0]!;
  const note = { actor: "test", requestId: "req_test" };
  simulator.registrations.patch("token-broker", { access: "all_users" });
  const all = [];
  for (let i = 0; i < count; i++) {
    const [library, admin] = [`${prefix}${i}`, `${prefix}.admin.${i}`];
    simulator.users.put({ customer_id: 5948, id: admin, password: "x" });
    simulator.libraries.put({
      customer_id: 5948,
      id: library,
      nrtadmin_group: [admin],
      nrtadmin_role: [admin],
      documents: Array.from({ length: documents }, (_, j) => ({
        ...pattern,
        id: `${library}!${j + 1}.1`,
        database: library,
        document_number: j + 1,
        version: 1,
      })),
    });
    const issued = simulator.issueTokens({ client_id: "token-broker", user: admin });
    const grant = await storeConsent(
      authorization,
      {
        server,
        credentials: { clientId: "token-broker", secrets: [] },
        receivedAt: authorization.clock.monotonicMs(),
        answer: {
          accessToken: new Secret(issued.access_token),
          refreshToken: new Secret(issued.refresh_token!),
          accessTokenLifeMs: minutes(30),
          scope: undefined,
        },
        identity: {
          user: { customerId: "5948", userId: admin, name: undefined, email: undefined },
          apiRoot: "",
          dmsVersion: undefined,
        },
      },
      undefined,
      note,
    );
    await world.broker.libraryStore.lendLibraries(grant, at, [{ library, replaces: undefined }], note);
    const { sync } = await syncs.create({
      caller: { client: client as never, address: "192.0.2.1" },
      server: at,
      library,
      ...(intervalMs !== undefined && { intervalMs }),
      wish: { existing },
      note,
    });
    all.push({ id: sync.id, library });
  }
  return all;
}

/** Every change that a sync has told, from its stream. */
export async function toldOf(world: World, sync: SyncId) {
  const all = [];
  for (let cursor: string | undefined; ; ) {
    const read = await world.broker.changes.read({
      caller: { client: world.client.id as never, address: "192.0.2.1" },
      sync,
      limit: 500,
      ...(cursor !== undefined && { cursor }),
    });
    if (read.changes.length === 0) return all;
    all.push(...read.changes);
    cursor = read.cursor;
  }
}
