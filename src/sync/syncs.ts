import type { Caller } from "../broker/clients/ports.ts";
import type { AuditNote } from "../broker/ports.ts";
import {
  makeId,
  type OrganisationId,
  organisationOf,
  routeOf,
  type ServerId,
  type SyncId,
} from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";
import { evaluatePolicy, type PolicyRequest } from "../domain/policy.ts";
import { mustAllow } from "../domain/policy-refusal.ts";
import { Problem } from "../domain/problem.ts";
import {
  asWish,
  DEFAULT_WISH,
  libraryOfWorkspace,
  SYNC_WANTS,
  type SyncWish,
  WORKSPACES_MAX,
} from "../domain/sync-wish.ts";
import { syncTiming } from "./plan.ts";
import type { Sync, SyncPorts } from "./ports.ts";
import { isSyncField, type SyncField } from "./sync-fields.ts";
import { type SyncView, viewSync } from "./sync-view.ts";

export interface CreateSync {
  readonly caller: Caller;
  readonly server: ServerId;
  readonly library: string;
  /** What is not said is as in `DEFAULT_WISH`. */
  readonly wish?: Partial<SyncWish>;
  readonly intervalMs?: Milliseconds;
  readonly fields?: readonly string[];
  readonly note: AuditNote;
}

type SyncsPorts = Pick<SyncPorts, "clock" | "random" | "syncs" | "space" | "servers" | "clients">;

export interface SyncsOptions {
  /** Less than 30 s for demos and tests alone: each pass is a call at a firm's iManage. */
  readonly minIntervalMs?: Milliseconds;
  /** What the syncs of an organisation may take of the store, in bytes. */
  readonly quotaBytes?: number;
}

/** What clients do with their syncs. Another client's sync, or one in an organisation it does not know, is not there. */
export class Syncs {
  readonly #ports: SyncsPorts;
  readonly #minIntervalMs: Milliseconds;
  readonly #quotaBytes: number;

  constructor(ports: SyncsPorts, options: SyncsOptions = {}) {
    this.#ports = ports;
    this.#minIntervalMs = options.minIntervalMs ?? syncTiming.minIntervalMs;
    this.#quotaBytes = options.quotaBytes ?? Number.POSITIVE_INFINITY;
  }

  /** One sync per client, library and set of workspaces: asked again, it answers the one there is, as it is. */
  async create(request: CreateSync): Promise<{ readonly sync: Sync; readonly created: boolean }> {
    const { caller, server, library, note } = request;
    const { client } = caller;
    const { clock, random, servers, syncs } = this.#ports;
    await this.#mustBeAllowed(caller, server, library);
    if ((await servers.findServer(server)) === undefined) throw new Problem("not_found");
    const fields = this.#checked(request);

    const { id, created } = await syncs.insertSync(
      {
        id: makeId("syn", routeOf(server), clock.now(), random.bytes(16)),
        client,
        server,
        library,
        wish: asWish({ ...DEFAULT_WISH, ...request.wish }),
        intervalMs: request.intervalMs ?? Math.max(syncTiming.intervalMs, this.#minIntervalMs),
        fields,
      },
      note,
    );
    const sync = await syncs.findSync(id);
    // Deleted by the same client at the same moment.
    if (sync === undefined) throw new Problem("not_found");
    return { sync, created };
  }

  async find(caller: Caller, id: SyncId): Promise<Sync> {
    const sync = await this.#ports.syncs.findSync(id);
    if (sync?.client !== caller.client) throw new Problem("not_found");
    await this.#mustBeAllowed(caller, sync.server, sync.library);
    return sync;
  }

  /** The client's syncs in an organisation, oldest first; those that its policy does not name are left out. */
  async list({ client, address }: Caller, organisation: OrganisationId): Promise<readonly Sync[]> {
    const { policy } = await this.#ports.clients.findPolicy(client, organisation);
    const now = this.#ports.clock.now();
    mustAllow(policy, { action: "sync", server: undefined, subject: undefined, address }, now);
    const syncs = await this.#ports.syncs.listSyncs(organisation, client);
    return syncs.filter(
      ({ server, library }) => evaluatePolicy(policy, toSync(server, library, address), now).allowed,
    );
  }

  /** How syncs of one organisation stand, in their order. */
  async views(syncs: readonly Sync[]): Promise<readonly SyncView[]> {
    const [first] = syncs;
    if (first === undefined) return [];
    const { total, of } = await this.#ports.space.spaceOf(first.organisation);
    const now = this.#ports.clock.now();
    return syncs.map((sync) =>
      viewSync(sync, now, { own: of.get(sync.id) ?? 0, organisation: total, quota: this.#quotaBytes }),
    );
  }

  async view(sync: Sync): Promise<SyncView> {
    const [view] = await this.views([sync]);
    return view!;
  }

  /** Makes it due now. @throws Problem("invalid_request") while it is paused. */
  async runNow(caller: Caller, id: SyncId): Promise<Sync> {
    await this.find(caller, id);
    if ((await this.#ports.syncs.wantSync(id)) === "paused") {
      throw new Problem("invalid_request", { detail: "The sync is paused; resume it." });
    }
    return this.find(caller, id);
  }

  async pause(caller: Caller, id: SyncId, note: AuditNote): Promise<Sync> {
    await this.find(caller, id);
    await this.#ports.syncs.pauseSync(id, note);
    return this.find(caller, id);
  }

  async resume(caller: Caller, id: SyncId, note: AuditNote): Promise<Sync> {
    await this.find(caller, id);
    await this.#ports.syncs.resumeSync(id, note);
    return this.find(caller, id);
  }

  /** Looks at everything again, and tells what is otherwise than it was told. */
  async reset(caller: Caller, id: SyncId, note: AuditNote): Promise<Sync> {
    await this.find(caller, id);
    await this.#ports.syncs.resetSync(id, note);
    return this.find(caller, id);
  }

  async changeInterval(caller: Caller, id: SyncId, intervalMs: Milliseconds, note: AuditNote): Promise<Sync> {
    await this.find(caller, id);
    const faults = [...this.#faultsOfInterval(intervalMs)];
    if (faults.length > 0) throw new Problem("invalid_request", { faults });
    await this.#ports.syncs.changeInterval(id, intervalMs, note);
    return this.find(caller, id);
  }

  async delete(caller: Caller, id: SyncId, note: AuditNote): Promise<void> {
    await this.find(caller, id);
    await this.#ports.syncs.deleteSync(id, note);
  }

  async #mustBeAllowed({ client, address }: Caller, server: ServerId, library: string): Promise<void> {
    const { policy } = await this.#ports.clients.findPolicy(client, organisationOf(server));
    mustAllow(policy, toSync(server, library, address), this.#ports.clock.now());
  }

  *#faultsOfInterval(intervalMs: Milliseconds) {
    if (!(Number.isInteger(intervalMs) && intervalMs >= this.#minIntervalMs))
      yield { field: "interval", message: `is less than ${this.#minIntervalMs / 1_000} seconds` };
  }

  #checked({ library, wish, intervalMs, fields }: CreateSync): readonly SyncField[] | undefined {
    const faults: { field: string; message: string }[] = [];
    if (!/^[^\p{C}/]{1,100}$/u.test(library))
      faults.push({ field: "library", message: "is not a library id" });
    if (intervalMs !== undefined) faults.push(...this.#faultsOfInterval(intervalMs));
    for (const field of fields ?? []) {
      if (!isSyncField(field))
        faults.push({ field: "fields", message: `does not know ${field.slice(0, 40)}` });
    }
    faults.push(...faultsOfWish(library, wish ?? {}));
    if (faults.length > 0) throw new Problem("invalid_request", { faults });
    return fields?.filter(isSyncField);
  }
}

function* faultsOfWish(library: string, { wants, workspaces }: Partial<SyncWish>) {
  if (wants?.length === 0) yield { field: "wants", message: "names nothing" };
  for (const want of wants ?? []) {
    if (!SYNC_WANTS.includes(want))
      yield { field: "wants", message: `does not know ${String(want).slice(0, 40)}` };
  }
  if (workspaces === undefined) return;
  if (workspaces.length === 0)
    yield { field: "workspaces", message: "names none: leave it out for all of the library" };
  if (workspaces.length > WORKSPACES_MAX) {
    yield {
      field: "workspaces",
      message: `names more than ${WORKSPACES_MAX}: leave it out for all of the library`,
    };
  }
  for (const id of workspaces.slice(0, WORKSPACES_MAX)) {
    const named = libraryOfWorkspace(id);
    if (named === undefined)
      yield { field: "workspaces", message: "holds what is not a workspace's id (LIBRARY!number)" };
    else if (named !== library)
      yield { field: "workspaces", message: "holds a workspace of another library" };
    else continue;
    // One of them is enough to mend the list.
    return;
  }
}

const toSync = (server: ServerId, id: string, address: string): PolicyRequest => ({
  action: "sync",
  server,
  subject: { type: "library", id },
  address,
});
