import type { AuditNote } from "../broker/ports.ts";
import { evaluatePolicy } from "../domain/client.ts";
import {
  type ClientId,
  makeId,
  type OrganisationId,
  organisationOf,
  routeOf,
  type ServerId,
  type SyncId,
} from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import { DOCUMENT_FIELDS, type DocumentField } from "./document-fields.ts";
import { syncTiming } from "./plan.ts";
import type { Sync, SyncPorts } from "./ports.ts";

export interface CreateSync {
  readonly client: ClientId;
  readonly server: ServerId;
  readonly library: string;
  readonly intervalMs?: Milliseconds;
  readonly fields?: readonly string[];
  readonly note: AuditNote;
}

type SyncsPorts = Pick<SyncPorts, "clock" | "random" | "syncs" | "servers" | "clients">;

/** What clients do with their syncs. Another client's sync, or one in an organisation it does not know, is not there. */
export class Syncs {
  readonly #ports: SyncsPorts;
  readonly #minIntervalMs: Milliseconds;

  /** @param options.minIntervalMs less than 30 s for demos and tests alone: each pass is a call at a firm's iManage. */
  constructor(ports: SyncsPorts, options: { readonly minIntervalMs?: Milliseconds } = {}) {
    this.#ports = ports;
    this.#minIntervalMs = options.minIntervalMs ?? syncTiming.minIntervalMs;
  }

  /** One sync per client and library: asked again, it answers the one there is, as it is. */
  async create(request: CreateSync): Promise<{ readonly sync: Sync; readonly created: boolean }> {
    const { client, server, library, note } = request;
    const { clock, random, servers, syncs } = this.#ports;
    await this.#mustBeAllowed(client, server);
    if ((await servers.findServer(server)) === undefined) throw new Problem("not_found");
    const fields = this.#checked(request);

    const { id, created } = await syncs.insertSync(
      {
        id: makeId("syn", routeOf(server), clock.now(), random.bytes(16)),
        client,
        server,
        library,
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

  async find(client: ClientId, id: SyncId): Promise<Sync> {
    const sync = await this.#ports.syncs.findSync(id);
    if (sync?.client !== client) throw new Problem("not_found");
    await this.#mustBeAllowed(client, sync.server);
    return sync;
  }

  /** The client's syncs in an organisation, oldest first; those at servers that its policy does not name are left out. */
  async list(client: ClientId, organisation: OrganisationId): Promise<readonly Sync[]> {
    const { policy } = await this.#ports.clients.findPolicy(client, organisation);
    const verdict = evaluatePolicy(policy, { action: "sync" });
    if (!verdict.allowed) throw refusal(verdict.because);
    const syncs = await this.#ports.syncs.listSyncs(organisation, client);
    return syncs.filter(({ server }) => evaluatePolicy(policy, { action: "sync", server }).allowed);
  }

  /** Makes it due now. @throws Problem("invalid_request") while it is paused. */
  async runNow(client: ClientId, id: SyncId): Promise<Sync> {
    await this.find(client, id);
    if ((await this.#ports.syncs.wantSync(id)) === "paused") {
      throw new Problem("invalid_request", { detail: "The sync is paused; resume it." });
    }
    return this.find(client, id);
  }

  async pause(client: ClientId, id: SyncId, note: AuditNote): Promise<Sync> {
    await this.find(client, id);
    await this.#ports.syncs.pauseSync(id, note);
    return this.find(client, id);
  }

  async resume(client: ClientId, id: SyncId, note: AuditNote): Promise<Sync> {
    await this.find(client, id);
    await this.#ports.syncs.resumeSync(id, note);
    return this.find(client, id);
  }

  async delete(client: ClientId, id: SyncId, note: AuditNote): Promise<void> {
    await this.find(client, id);
    await this.#ports.syncs.deleteSync(id, note);
  }

  async #mustBeAllowed(client: ClientId, server: ServerId): Promise<void> {
    const { policy } = await this.#ports.clients.findPolicy(client, organisationOf(server));
    const verdict = evaluatePolicy(policy, { action: "sync", server });
    if (!verdict.allowed) throw refusal(verdict.because);
  }

  #checked({ library, intervalMs, fields }: CreateSync): readonly DocumentField[] | undefined {
    const faults: { field: string; message: string }[] = [];
    if (!/^[^\p{C}/]{1,100}$/u.test(library))
      faults.push({ field: "library", message: "is not a library id" });
    if (intervalMs !== undefined && !(Number.isInteger(intervalMs) && intervalMs >= this.#minIntervalMs)) {
      faults.push({ field: "interval", message: `is less than ${this.#minIntervalMs / 1_000} seconds` });
    }
    for (const field of fields ?? []) {
      if (!isField(field)) faults.push({ field: "fields", message: `does not know ${field.slice(0, 40)}` });
    }
    if (faults.length > 0) throw new Problem("invalid_request", { faults });
    return fields?.filter(isField);
  }
}

const refusal = (because: "no_policy" | "server" | "action"): Problem =>
  new Problem(because === "action" ? "not_allowed" : "not_found");

const isField = (text: string): text is DocumentField =>
  (DOCUMENT_FIELDS as readonly string[]).includes(text);
