import { type Milliseconds, seconds } from "../../domain/instant.ts";
import type {
  AgedCensus,
  Census,
  CensusOrganisations,
  CensusStore,
  ServerGate,
  SharedCensus,
} from "./ports.ts";

/** How old an answer may be. Prometheus asks each process four times a minute, and a person looks once. */
const FRESH_MS = seconds(10);
/** Whoever takes it and dies keeps others from it for so long. */
const LEAD_MS = seconds(30);
const ORGANISATIONS_AT_ONCE = 16;

export interface CensusPorts {
  readonly store: CensusStore;
  readonly organisations: CensusOrganisations;
  /** Closed servers that are named. */
  readonly serversMax: number;
  readonly monotonicMs: () => Milliseconds;
}

/**
 * What all organisations have, for metrics. One process of all takes it, and leaves it where the others find it: so whichever
 * is asked answers the same, and the store is asked as often with fifty replicas as with one.
 */
export class CensusTaker {
  readonly #ports: CensusPorts;
  #known:
    | { readonly census: SharedCensus; readonly ageMs: Milliseconds; readonly at: Milliseconds }
    | undefined;
  #taking: Promise<AgedCensus> | undefined;

  constructor(ports: CensusPorts) {
    this.#ports = ports;
  }

  /** @throws Problem("store_unavailable") */
  read(): Promise<AgedCensus> {
    const { monotonicMs } = this.#ports;
    const known = this.#known;
    const heldMs = known === undefined ? 0 : monotonicMs() - known.at;
    if (known !== undefined && heldMs < FRESH_MS / 2)
      return Promise.resolve({ census: known.census, ageMs: known.ageMs + heldMs });
    this.#taking ??= this.#read().finally(() => {
      this.#taking = undefined;
    });
    return this.#taking;
  }

  async #read(): Promise<AgedCensus> {
    const { store, monotonicMs } = this.#ports;
    const [shared, now] = await Promise.all([store.findShared(), store.now()]);
    const sharedMs = shared === undefined ? 0 : Math.max(0, now - shared.takenAt);
    // Somebody is at it: until he is done, what was there before is the answer.
    const read =
      shared !== undefined && (sharedMs < FRESH_MS || !(await store.lead(LEAD_MS)))
        ? { census: shared, ageMs: sharedMs }
        : { census: await this.#take(), ageMs: 0 };
    this.#known = { ...read, at: monotonicMs() };
    return read;
  }

  async #take(): Promise<SharedCensus> {
    const { store, organisations, serversMax } = this.#ports;
    const takenAt = await store.now();
    const ids = (await organisations.listOrganisationNames()).map(({ id }) => id);
    const all: Census[] = [];
    for (let at = 0; at < ids.length; at += ORGANISATIONS_AT_ONCE) {
      const some = ids.slice(at, at + ORGANISATIONS_AT_ONCE);
      all.push(...(await Promise.all(some.map((id) => store.ofOrganisation(id)))));
    }
    const census = addedUp(all, takenAt, serversMax);
    await store.share(census);
    return census;
  }
}

/** Numbers are added, ages are those of the worst. */
export function addedUp(all: readonly Census[], takenAt: number, serversMax: number): SharedCensus {
  const sum = (of: (census: Census) => number) => all.reduce((total, census) => total + of(census), 0);
  const worst = (of: (census: Census) => number) =>
    all.reduce((most, census) => Math.max(most, of(census)), 0);
  const sums = <K extends string>(keys: readonly K[], of: (census: Census) => Readonly<Record<K, number>>) =>
    Object.fromEntries(keys.map((key) => [key, sum((census) => of(census)[key])])) as Record<K, number>;
  const servers = all.flatMap((census) => census.servers);
  const gates = ["passing", "upstream", "incident", "misconfigured", "throttled"] as const;
  return {
    takenAt,
    organisations: all.length,
    grants: sums(
      ["active", "suspect", "reauthorization_required", "paused", "revoked"],
      ({ grants }) => grants,
    ),
    ending: sums(["1d", "7d", "30d"], ({ ending }) => ending),
    due: sums(["now", "1h", "1d"], ({ due }) => due),
    overdueMs: worst(({ overdueMs }) => overdueMs),
    auditBacklog: worst(({ auditBacklog }) => auditBacklog),
    auditOldestMs: worst(({ auditOldestMs }) => auditOldestMs),
    revocations: sum(({ revocations }) => revocations),
    revocationOldestMs: worst(({ revocationOldestMs }) => revocationOldestMs),
    receivers: sums(["answering", "down", "off"], ({ receivers }) => receivers),
    receiverDownMs: worst(({ receiverDownMs }) => receiverDownMs),
    eventsWaiting: sum(({ eventsWaiting }) => eventsWaiting),
    eventsUnread: worst(({ eventsUnread }) => eventsUnread),
    eventsOldestMs: worst(({ eventsOldestMs }) => eventsOldestMs),
    deadLetters: sum(({ deadLetters }) => deadLetters),
    syncs: sums(["active", "paused", "parked"], ({ syncs }) => syncs),
    syncLagMs: worst(({ syncLagMs }) => syncLagMs),
    syncsBehind: sum(({ syncsBehind }) => syncsBehind),
    gates: Object.fromEntries(
      gates.map((gate) => [gate, servers.filter((server) => server.gate === gate).length]),
    ) as Record<ServerGate["gate"], number>,
    closed: servers
      .filter(({ gate }) => gate !== "passing")
      .sort((a, b) => b.closedMs - a.closedMs || (a.id < b.id ? -1 : 1))
      .slice(0, serversMax),
  };
}
