import type { GrantPosition } from "../broker/grants/ports.ts";
import { describeClosedServer } from "../domain/closed-server.ts";
import type { OrganisationId } from "../domain/id.ts";
import { rfc3339 } from "../domain/instant.ts";
import type { Organisation } from "../domain/organisation.ts";
import { syncWait } from "../domain/sync-wait.ts";
import { isDown } from "../events/delivery-plan.ts";
import type { CliBroker } from "./build-cli.ts";
import type { CheckFinding } from "./doctor-command.ts";

/** What the store's server and the queues say of themselves. */
export interface StatusBroker {
  readonly health: () => Promise<{
    readonly checks: readonly CheckFinding[];
    readonly durability?: { readonly class: string; readonly sentence: string };
  }>;
  readonly queues: () => Promise<readonly QueueStanding[]>;
}

export interface QueueStanding {
  readonly name: string;
  readonly waiting: number;
  readonly active: number;
  readonly delayed: number;
  readonly failed: number;
  /** How long the one that has waited longest has waited. */
  readonly oldest_waits_s: number | null;
}

export type Status = Awaited<ReturnType<typeof lookAtStatus>>;

const PAGE = 500;
/** A process that has not been heard of for longer is gone, or cannot reach Redis. */
const HEARD_OF_MS = 60_000;

export async function lookAtStatus(
  broker: CliBroker,
  options: { readonly quick: boolean; readonly onGrants?: (done: number, of: number) => void },
) {
  const { checks, durability } = await broker.health();
  const organisations = await broker.store.listOrganisations();
  const mark = await broker.migrations.formats.mark();
  const each = async <T>(look: (organisation: Organisation) => Promise<readonly T[]>): Promise<T[]> => {
    const all: T[] = [];
    for (const organisation of organisations) all.push(...(await look(organisation)));
    return all;
  };
  return {
    processes: await processes(broker),
    durability: durability ?? null,
    format: mark === undefined ? null : { format: mark.format, since: rfc3339(mark.since), by: mark.by },
    checks,
    organisations: organisations.length,
    servers: await each((one) => servers(broker, one)),
    authorizations: await grants(broker, organisations, options),
    queues: await broker.queues(),
    syncs: await each((one) => syncs(broker, one)),
    subscriptions: await each((one) => subscriptions(broker, one)),
    containments: await containments(broker, organisations),
    audit: await audit(broker, organisations),
  };
}

async function processes({ migrations }: CliBroker) {
  const { now, seen } = await migrations.formats.processes();
  return seen.map(({ roles, version, host, pid, reads, startedAt, seenAt }) => ({
    ...{ roles, version, host, pid, reads_format: reads },
    started_at: rfc3339(startedAt),
    heard_of_s: Math.max(0, Math.round((now - seenAt) / 1_000)),
    gone: now - seenAt > HEARD_OF_MS,
  }));
}

async function servers({ store, profiles, clock }: CliBroker, { id, name }: Organisation) {
  return Promise.all(
    (await store.listServers(id)).map(async (server) => {
      const closed = await profiles.findClosedGate(server.id);
      const told = closed && describeClosedServer(closed, clock.now());
      return {
        name: `${name}/${server.name}`,
        id: server.id,
        closed: told?.code ?? null,
        why: told?.sentence ?? null,
      };
    }),
  );
}

/**
 * By state one by one, and not out of the census: what an earlier version or its backup left is counted there as active until a
 * worker has put it where it is counted, and this page is looked at where no worker runs.
 */
async function grants(
  { grants: store }: CliBroker,
  organisations: readonly Organisation[],
  { quick, onGrants }: Parameters<typeof lookAtStatus>[1],
) {
  let all = 0;
  for (const { id } of organisations) all += await store.countGrants(id);
  if (quick) return { all, by_state: null };
  const byState: Record<string, number> = {};
  let done = 0;
  for (const { id } of organisations) {
    for (let after: GrantPosition | undefined; ; ) {
      const page = await store.listGrants(id, after, PAGE);
      for (const { state } of page) byState[state] = (byState[state] ?? 0) + 1;
      done += page.length;
      onGrants?.(done, all);
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) break;
      after = { createdAt: last.createdAt, id: last.id };
    }
  }
  return { all: done, by_state: byState };
}

async function syncs({ syncs: operated }: CliBroker, { id, name }: Organisation) {
  return (await operated.list(id)).map(({ sync, phase, waitsFor, lagMs, heldDeletions }) => {
    const wait = waitsFor === undefined ? undefined : syncWait(waitsFor);
    return {
      ...{ id: sync.id, organisation: name, library: sync.library, state: sync.state, phase },
      waits_for: waitsFor ?? null,
      who_acts: wait?.remedy ?? null,
      action: wait?.action ?? null,
      lag_s: lagMs === undefined ? null : Math.round(lagMs / 1_000),
      held_deletions: heldDeletions,
    };
  });
}

async function subscriptions({ subscriptions: operated }: CliBroker, { id, name }: Organisation) {
  return (await operated.list(id)).map(({ subscription, delivery }) => ({
    ...{ id: subscription.id, organisation: name, url: subscription.url, enabled: subscription.enabled },
    receiver_down: isDown(delivery.receiver),
    waiting: delivery.waiting,
    dead: delivery.dead,
  }));
}

async function containments(
  { containment: { containments: store } }: CliBroker,
  organisations: readonly Organisation[],
) {
  const places: readonly (OrganisationId | undefined)[] = [undefined, ...organisations.map(({ id }) => id)];
  const found = await Promise.all(places.map((place) => store.listContainments(place, undefined, PAGE)));
  return found
    .flat()
    .filter(({ lifted }) => lifted === undefined)
    .map(({ id, effect, reason, by, since }) => ({ id, effect, reason, by, since: rfc3339(since) }));
}

/** Entries that have not been exported, of each journal that has one. */
async function audit({ audit: buffer }: CliBroker, organisations: readonly Organisation[]) {
  const journals = [
    ...organisations.map(({ id, name }) => ({ journal: id, name })),
    ...(["clients", "registrations"] as const).map((journal) => ({ journal, name: journal })),
  ];
  const all = await Promise.all(
    journals.map(async ({ journal, name }) => ({
      journal: name,
      newest: await buffer.newest(journal),
      not_exported: await buffer.backlog(journal),
    })),
  );
  return {
    entries: all.reduce((sum, { newest }) => sum + newest, 0),
    not_exported: all.reduce((sum, { not_exported }) => sum + not_exported, 0),
    behind: all.filter(({ not_exported }) => not_exported > 0),
  };
}
