import { onTestFinished } from "vitest";
import type { Clock, Log, LogFields } from "../../src/broker/ports.ts";
import {
  type ClientId,
  type ContainmentId,
  makeId,
  makeRoute,
  organisationId,
  type SyncId,
} from "../../src/domain/id.ts";
import type { Milliseconds } from "../../src/domain/instant.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { Problem } from "../../src/domain/problem.ts";
import { Secret } from "../../src/domain/secret.ts";
import { ImanageApi } from "../../src/imanage/imanage-api.ts";
import { ImanageDocuments } from "../../src/imanage/imanage-documents.ts";
import { ImanageObjects } from "../../src/imanage/imanage-objects.ts";
import { systemRandom } from "../../src/security/random.ts";
import { startSimulator } from "../../src/simulator/start-simulator.ts";
import { ChangeListener } from "../../src/store/change-listener.ts";
import { connectRedis, disconnect, whenReady } from "../../src/store/connect-redis.ts";
import { RedisSnapshotSlots } from "../../src/store/redis-snapshot-slots.ts";
import { RedisStore } from "../../src/store/redis-store.ts";
import { RedisSyncSpace } from "../../src/store/redis-sync-space.ts";
import { RedisSyncStore } from "../../src/store/redis-sync-store.ts";
import type { SyncPorts, SyncToken, SyncTokenRequest } from "../../src/sync/ports.ts";
import { type Change, ChangeReader } from "../../src/sync/read-changes.ts";
import { type SnapshotOptions, Snapshots } from "../../src/sync/read-snapshot.ts";
import { type SyncRunOptions, SyncRuns } from "../../src/sync/run-sync.ts";
import { Syncs } from "../../src/sync/syncs.ts";
import { outboundTo, serverAt } from "../imanage/kit.ts";
import { ruleOf } from "../kit/policies.ts";
import { addressOf, sharedRedisUrl } from "../kit/redis.ts";
import { sealerKit } from "../security/kit.ts";

export const NOTE = { actor: "client:test", requestId: "req-1" };
export const LIBRARY = "ACTIVE";
/** Documents that Amelia, who administers it, sees in ACTIVE. */
export const DOCUMENTS = 24;

/** The nth list of documents that iManage is asked for. */
export const onLists = (nth = 1) =>
  ({
    route: "api",
    path_starts_with: `/work/api/v2/customers/5948/libraries/${LIBRARY}/documents`,
    nth,
  }) as const;

/** Lines that were logged. */
export class KeptLog implements Log {
  readonly lines: (LogFields & { readonly message: string })[] = [];
  info = (fields: LogFields, message: string): void => void this.lines.push({ ...fields, message });
  warn = this.info;
  error = this.info;
}

/** Connections of the running test to one Redis, with time shifted by `offset.ms`. */
export async function redisFor(offset: { ms: number }, url = sharedRedisUrl()) {
  const open = async () => {
    const connection = connectRedis(addressOf(url), "durable");
    onTestFinished(() => disconnect(connection));
    await whenReady(connection);
    return connection;
  };
  const store = new RedisStore(await open(), () => offset.ms);
  const listener = new ChangeListener(await open());
  await listener.listen();
  return { store, listener };
}

export function identities() {
  const route = makeRoute(systemRandom.bytes(10));
  const now = Date.now();
  return {
    route,
    organisation: organisationId(route),
    server: makeId("srv", route, now, systemRandom.bytes(16)),
    client: makeId("cli", undefined, now, systemRandom.bytes(16)),
    newSync: () => makeId("syn", route, now, systemRandom.bytes(16)),
  };
}

export interface KitOptions extends SyncRunOptions {
  readonly changesKept?: number;
  readonly minIntervalMs?: Milliseconds;
  readonly redisUrl?: string;
  /** An iManage without change feed. */
  readonly feed?: "missing";
}

/** The stories on a real Redis, real seals and the simulator, whose time is moved by `advance`. */
export async function syncKit({
  changesKept,
  minIntervalMs,
  redisUrl,
  feed,
  ...runOptions
}: KitOptions = {}) {
  const offset = { ms: 0 };
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  if (feed === "missing") {
    simulator.addFault({
      id: "no feed",
      on: {
        route: "api",
        path_starts_with: `/work/api/v2/customers/5948/libraries/${LIBRARY}/change-events`,
      },
      times: "always",
      do: { answer: { status: 404 } },
    });
  }
  const { store, listener } = await redisFor(offset, redisUrl);
  const ids = identities();
  const server = { ...serverAt(simulator.origin), id: ids.server, organisation: ids.organisation };
  const { sealer } = sealerKit();
  await sealer.prepare(`o:${ids.route}`);
  const syncs = new RedisSyncStore(store, changesKept === undefined ? {} : { changesKept });
  const log = new KeptLog();

  /** Waits that were asked for; none takes any time. */
  const waited: Milliseconds[] = [];
  const clock: Clock = {
    now: () => Date.now() + offset.ms,
    monotonicMs: () => performance.now(),
  };
  const policy: Policy = {
    v: 1,
    client: ids.client,
    organisation: ids.organisation,
    rules: [ruleOf({ actions: ["token", "sync"] })],
    tokensPerMinute: 60,
  };
  const caller = { client: ids.client, address: "192.0.2.1" };
  const stop: { found: ContainmentId | undefined } = { found: undefined };
  const standing: { state: "active" | "stopped" } = { state: "active" };
  const policies = new Map<ClientId, Policy>([[ids.client, policy]]);

  const lender = { grant: makeId("grt", ids.route, Date.now(), systemRandom.bytes(16)) };
  const tokens = new LentTokens(() => {
    const { access_token } = simulator.issueTokens({ client_id: "token-broker", user: "amelia.hart" });
    return {
      accessToken: new Secret(access_token),
      fingerprint: access_token.slice(-22),
      server,
      customerId: "5948",
      grant: lender.grant,
    };
  });
  const api = new ImanageApi(outboundTo([simulator.origin]));
  const ports: SyncPorts = {
    clock,
    random: systemRandom,
    log,
    timers: {
      after(ms) {
        if (ms > 0) waited.push(ms);
        return { elapsed: Promise.resolve(), cancel() {} };
      },
    },
    sealer,
    syncs,
    space: new RedisSyncSpace(store),
    schedule: syncs,
    announcements: listener,
    documents: new ImanageDocuments(api),
    objects: new ImanageObjects(api),
    servers: { findServer: async (id) => (id === server.id ? server : undefined) },
    clients: {
      findStanding: async () => ({ state: standing.state, generation: 1 }),
      findPolicy: async (client, organisation) => ({
        policy: organisation === ids.organisation ? policies.get(client) : undefined,
        generation: 1,
        mark: "",
      }),
    },
    stops: { findStop: async () => stop.found },
    accessToken: (request) => tokens.provide(request),
  };
  const stories = new Syncs(ports, minIntervalMs === undefined ? {} : { minIntervalMs });
  const runs = new SyncRuns(ports, { pageSize: 10, ...runOptions });
  const reader = new ChangeReader(ports, stories);
  const slots = new RedisSnapshotSlots(store);
  const snapshots = (options: SnapshotOptions = {}) =>
    new Snapshots(
      { ...ports, slots, clock: { ...clock, monotonicMs: () => performance.now() + offset.ms } },
      stories,
      { pageSize: 10, ...options },
    );

  return {
    ...ids,
    caller,
    simulator,
    store,
    syncs,
    stories,
    runs,
    reader,
    snapshots,
    waited,
    listener,
    ports,
    tokens,
    lender,
    policies,
    policy,
    standing,
    stop,
    log,
    advance(ms: Milliseconds) {
      offset.ms += ms;
      simulator.advance(ms);
    },
    create: async (): Promise<SyncId> =>
      (
        await stories.create({
          caller,
          server: server.id,
          library: LIBRARY,
          wish: { existing: "tell" },
          note: NOTE,
        })
      ).sync.id,
    /** Every change from the beginning. */
    async all(sync: SyncId): Promise<readonly Change[]> {
      const { changes } = await reader.read({ caller, sync, limit: 500 });
      return changes;
    },
    /** The lists of documents that iManage was asked for. */
    listed: () => simulator.requests().filter(({ path }) => path.endsWith("/documents")),
  };
}

/** What a library's admin has lent, as strict as `AccessTokens`: one token until it is reported, or a refusal. */
class LentTokens {
  readonly asked: SyncTokenRequest[] = [];
  /** Set: nobody gets a token. */
  refusal: Problem | undefined;
  readonly #issue: () => SyncToken;
  #current: SyncToken | undefined;

  constructor(issue: () => SyncToken) {
    this.#issue = issue;
  }

  /** The next token is another. */
  renew(): void {
    this.#current = undefined;
  }

  async provide(request: SyncTokenRequest): Promise<SyncToken> {
    this.asked.push(request);
    if (this.refusal !== undefined) throw this.refusal;
    if (request.rejected !== undefined && request.rejected === this.#current?.fingerprint) {
      this.#current = undefined;
    }
    this.#current ??= this.#issue();
    return this.#current;
  }
}

/** Lets `calls` of `method` through; from then on the process is dead and nothing reaches the store. */
export function dyingAfter<T extends object>(of: T, method: keyof T & string, calls: number): T {
  let left = calls;
  let dead = false;
  return new Proxy(of, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return async (...args: unknown[]) => {
        if (dead) throw new Error("killed");
        const answer = await value.apply(target, args);
        if (name === method && --left === 0) dead = true;
        return answer;
      };
    },
  });
}

export const problemCode = (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => "no problem",
    (error) => (error instanceof Problem ? error.code : `not a problem: ${error}`),
  );
