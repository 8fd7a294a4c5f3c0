import { readFile } from "node:fs/promises";
import { onTestFinished } from "vitest";
import type { WalkingClient } from "../../scripts/walk/client.ts";
import type { GrantId } from "../../src/domain/id.ts";
import { startSimulator } from "../../src/simulator/start-simulator.ts";
import { grantKey } from "../../src/store/keys.ts";
import { addOrganisation } from "./additions.ts";
import { type BrokerProcess, brokerProcess, WITH_FAIL_POINTS } from "./broker-process.ts";
import { DISTURBABLE } from "./disturbances.ts";
import { dueNow, expireLease, expireSoon, reopenGate } from "./expire.ts";
import { faultProxyForThisTest } from "./fault-proxy.ts";
import { checkInvariants, type GrantFinding } from "./invariants.ts";
import { manyGrants } from "./many-grants.ts";
import { ownRedisForThisTest } from "./redis.ts";
import type { Seeded } from "./seeded.ts";
import type { SoakTargets } from "./soak-faults.ts";
import { SoakLedger } from "./soak-ledger.ts";
import { type World, world } from "./world.ts";

const SETTLES_MS = 90_000;

interface Firm {
  readonly name: "leeway" | "strict";
  readonly world: World;
  readonly clientAt: (base: string) => WalkingClient;
  readonly grants: readonly GrantId[];
}

export interface Settled {
  readonly broken: readonly string[];
  /** Of the strict server; authorised again since. */
  readonly lost: readonly GrantFinding[];
  /** Of these: a fault touched a refresh of them that had left. */
  readonly explained: number;
  readonly tookMs: number;
}

/** Two brokers and two workers on a Redis of their own, before a server with leeway and a strict one: what a soak is about. */
export class SoakFleet implements SoakTargets {
  readonly here: World;
  readonly processes: readonly BrokerProcess[];
  readonly ledger: SoakLedger;
  readonly #firms: readonly Firm[];
  readonly links: SoakTargets["links"];
  readonly redis: SoakTargets["redis"];
  readonly servers: SoakTargets["servers"];

  private constructor(
    of: Pick<SoakFleet, "here" | "processes" | "ledger" | "links" | "redis" | "servers">,
    firms: readonly Firm[],
  ) {
    ({ here: this.here, processes: this.processes, ledger: this.ledger } = of);
    ({ links: this.links, redis: this.redis, servers: this.servers } = of);
    this.#firms = firms;
  }

  /**
   * @param grants at each of the two servers
   * @param pairs of a broker and a worker
   */
  static async start(grants: number, pairs: number): Promise<SoakFleet> {
    const roles = (["http", "worker"] as const).flatMap((role) => Array<typeof role>(pairs).fill(role));
    const redis = await ownRedisForThisTest();
    let local = "";
    const wire = await faultProxyForThisTest(() => ({
      host: "127.0.0.1",
      port: Number(new URL(local).port),
    }));
    const strict = await startSimulator({ publicOrigin: `http://${wire.host}:${wire.port}` });
    onTestFinished(() => strict.close());
    local = strict.localOrigin;
    strict.setSwitches({ refresh_mode: "strict" });
    const here = await world({
      redisUrl: redis.url,
      wired: true,
      receivers: [strict.origin],
      serverSettings: { rotation: "leeway" },
    });
    here.simulator.setSwitches({ refresh_mode: "leeway", leeway_seconds: 180 });
    const added = await addOrganisation(here, {
      servers: { dms: { simulator: strict, settings: { rotation: "strict" } } },
      clients: { app: {} },
    });
    const there: World = {
      ...here,
      simulator: strict,
      server: added.servers.dms.id,
      organisation: added.organisation,
      client: added.clients.app,
    };
    const links = await Promise.all(roles.map(() => faultProxyForThisTest(redis)));
    const [processes, ours, theirs] = await Promise.all([
      Promise.all(
        roles.map((role, i) =>
          brokerProcess(here, role, {
            ...WITH_FAIL_POINTS,
            ...DISTURBABLE,
            REDIS_URL: `redis://127.0.0.1:${links[i]!.port}`,
            LOG_LEVEL: "error",
          }),
        ),
      ),
      manyGrants(here, grants),
      manyGrants(there, grants),
    ]);
    const firms: readonly Firm[] = [
      { name: "leeway", world: here, clientAt: here.clientOf, grants: ours },
      { name: "strict", world: there, clientAt: (base) => added.clientAt("app", base), grants: theirs },
    ];
    const serverOf = new Map(
      firms.flatMap(({ name, grants }) => grants.map((id) => [id as string, name] as const)),
    );
    const ledger = new SoakLedger(serverOf, new Set(["strict"]));
    processes.forEach((process, i) => void ledger.hear(i, process.failPoints));
    const servers = [
      { name: "leeway", simulator: here.simulator, wire: here.wire! },
      { name: "strict", simulator: strict, wire },
    ];
    return new SoakFleet({ here, processes, ledger, links, redis, servers }, firms);
  }

  /** They come first. */
  get #brokers(): number {
    return this.processes.length / 2;
  }

  /** Token requests, so many a second, at either broker for any grant; ends when they all are answered. */
  load(perSecond: number, seeded: Seeded): { end(): Promise<void> } {
    const clients = this.#firms.map(({ clientAt }) =>
      this.processes.slice(0, this.#brokers).map(({ base }) => clientAt(base)),
    );
    return steadily(perSecond, async () => {
      const process = seeded.below(this.#brokers);
      const firm = seeded.below(2);
      const { name, grants, world: of } = this.#firms[firm]!;
      const i = seeded.below(grants.length);
      const from = performance.now();
      const failed = await clients[firm]![process]!.accessToken({
        server: of.server,
        subject: { type: "user", id: `user.${i}` },
      }).then(
        ({ status, body }) => (status === 200 ? undefined : `${status} ${body.code}`),
        (error: Error) => `cut: ${error.cause ?? error}`,
      );
      this.ledger.asked({ process, server: name, grant: grants[i]!, from, failed });
    });
  }

  /** So many grants a second come to the end of their tokens: half of them in a caller's hands, half in the schedule. */
  expiries(perSecond: number, seeded: Seeded): { end(): Promise<void> } {
    return steadily(perSecond, async () => {
      const grant = seeded.pick(seeded.pick(this.#firms).grants);
      const one = seeded.next() < 0.5 ? dueNow(this.here, grant) : expireSoon(this.here, grant);
      // Redis may be away: then this one lives on.
      await one.then(() => this.here.broker.reconcile()).catch(() => {});
    });
  }

  /**
   * No fault is under way any more: a minute passes for what the dead have left, every grant is made due, and each must be refreshed.
   * What then is lost is authorised again.
   */
  async settle(): Promise<Settled> {
    const since = performance.now();
    for (const { grants, world: of } of this.#firms) {
      for (const grant of grants) {
        await this.#leaveByTheDead(grant);
        await dueNow(this.here, grant);
      }
      await reopenGate(this.here, of.server);
    }
    await this.here.broker.reconcile();
    for (;;) {
      const waiting = (await this.#judge()).filter((one) => !this.#isDone(one));
      if (waiting.length === 0 && (await this.#fresh())) break;
      if (performance.now() - since > SETTLES_MS) break;
      for (const { grant } of waiting) await this.#leaveByTheDead(grant as GrantId);
      for (const { world: of } of this.#firms) await reopenGate(this.here, of.server);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await this.#untilNobodyRefreshes();
    const broken: string[] = [];
    const lost: GrantFinding[] = [];
    let explained = 0;
    for (const { name, world: of, grants } of this.#firms) {
      const { journal } = this.ledger;
      const findings = await checkInvariants(of, { journal });
      broken.push(...findings.broken);
      for (const one of findings.grants) {
        if (one.verdict === "healthy") continue;
        if (one.verdict !== "lost" || name !== "strict") {
          broken.push(one.sentence);
          continue;
        }
        lost.push(one);
        if (journal.some(({ grant }) => grant === one.grant)) explained += 1;
        await manyGrants(of, 1, grants.indexOf(one.grant as GrantId));
      }
      if (findings.grants.length !== grants.length)
        broken.push(`There are ${findings.grants.length} grants.`);
    }
    const stale = await this.#stale();
    const stillStale = stale.filter((grant) => !lost.some((one) => one.grant === grant));
    for (const grant of stillStale) broken.push(await this.#tellStale(grant as GrantId));
    this.ledger.forgive();
    return { broken, lost, explained, tookMs: performance.now() - since };
  }

  /** Everything is due at once, and nothing goes wrong: until all are fresh. */
  async calm(): Promise<void> {
    for (const { grants } of this.#firms) for (const grant of grants) await dueNow(this.here, grant);
    await this.here.broker.reconcile();
    for (const until = performance.now() + 30_000; !(await this.#fresh()); ) {
      if (performance.now() > until) {
        const told = (await this.#stale()).map((grant) => this.#tellStale(grant as GrantId));
        throw new Error(`In calm: ${(await Promise.all(told)).join(" ")}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Resident memory of each process, in MiB; undefined where the system does not tell. */
  async memory(): Promise<readonly (number | undefined)[]> {
    return Promise.all(
      this.processes.map(async ({ pid }) => {
        const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
        const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1];
        return kilobytes === undefined ? undefined : Math.round(Number(kilobytes) / 1_024);
      }),
    );
  }

  async #judge(): Promise<readonly (GrantFinding & { readonly strict: boolean })[]> {
    const all = await Promise.all(
      this.#firms.map(async ({ name, world: of }) =>
        (await checkInvariants(of)).grants.map((one) => ({ ...one, strict: name === "strict" })),
      ),
    );
    return all.flat();
  }

  #isDone({ verdict, strict, state }: GrantFinding & { readonly strict: boolean }): boolean {
    return verdict === "healthy" ? state === "active" : verdict === "lost" && strict;
  }

  /** Healthy ones without a token that lives long enough. */
  async #stale(): Promise<readonly string[]> {
    const store = this.here.broker.stores.fast;
    const now = await store.now();
    const all = this.#firms.flatMap(({ grants }) => grants);
    const ends = await Promise.all(
      all.map((id) => store.call((redis) => redis.hget(grantKey(id), "at_exp"))),
    );
    return all.filter((_, i) => Number(ends[i] ?? 0) < now + 60_000);
  }

  /** What the store says of a grant that should have been refreshed. */
  async #tellStale(grant: GrantId): Promise<string> {
    const store = this.here.broker.stores.fast;
    const names = ["at_exp", "due_at", "retry_at", "lease_until", "sent_at"] as const;
    const [now, times, said] = await Promise.all([
      store.now(),
      store.call((redis) => redis.hmget(grantKey(grant), ...names)),
      store.call((redis) => redis.hmget(grantKey(grant), "state", "intent", "problem")),
    ]);
    const ahead = names.map((name, i) => `${name} ${times[i] == null ? "none" : Number(times[i]) - now}`);
    return `${grant} has no fresh token when all is well again: ${said}; ahead in ms: ${ahead.join(", ")}.`;
  }

  async #fresh(): Promise<boolean> {
    const stale = await this.#stale();
    if (stale.length === 0) return true;
    const lost = new Set(
      (await this.#judge()).filter(({ verdict }) => verdict === "lost").map(({ grant }) => grant),
    );
    return stale.every((grant) => lost.has(grant));
  }

  /** Never of the living: on a strict server whoever took over from them would have the whole family revoked. */
  async #leaveByTheDead(grant: GrantId): Promise<void> {
    const lease = await this.here.broker.stores.fast.call((redis) => redis.hget(grantKey(grant), "lease"));
    await this.#untilNobodyRefreshes(grant);
    await expireLease(this.here, grant, { lease });
  }

  /** @param grant this one alone */
  async #untilNobodyRefreshes(grant?: GrantId): Promise<void> {
    for (;;) {
      await Promise.all(this.processes.map(({ failPoints }) => failPoints.caughtUp()));
      const busy = this.processes.flatMap(({ failPoints }) =>
        [...failPoints.inFlight().keys()]
          .filter((one) => grant === undefined || one === grant)
          .map((one) => failPoints.next("ended", one)),
      );
      if (busy.length === 0) return;
      await Promise.race([Promise.all(busy), new Promise((resolve) => setTimeout(resolve, 500))]);
    }
  }
}

const TICK_MS = 20;

/** So many a second whatever becomes of them: one that is slow holds up no other. */
function steadily(perSecond: number, act: () => Promise<void>): { end(): Promise<void> } {
  const underWay = new Set<Promise<void>>();
  const since = performance.now();
  let begun = 0;
  const timer = setInterval(() => {
    for (const due = ((performance.now() - since) / 1_000) * perSecond; begun < due; begun++) {
      const one = act().finally(() => underWay.delete(one));
      underWay.add(one);
    }
  }, TICK_MS);
  return {
    async end() {
      clearInterval(timer);
      await Promise.all(underWay);
    },
  };
}
