import type { AuditNote } from "../broker/ports.ts";
import type { OrganisationId, SyncId } from "../domain/id.ts";
import { Problem } from "../domain/problem.ts";
import { discardDeletions, releaseDeletions } from "./held-deletions.ts";
import type { SyncPorts } from "./ports.ts";
import type { SyncView } from "./sync-view.ts";
import type { Syncs } from "./syncs.ts";

/** What operators do with anybody's sync: they ask no policy, and stand in the audit. */
export class OperateSyncs {
  readonly #ports: Pick<SyncPorts, "clock" | "syncs">;
  readonly #syncs: Pick<Syncs, "views">;

  constructor(ports: Pick<SyncPorts, "clock" | "syncs">, syncs: Pick<Syncs, "views">) {
    this.#ports = ports;
    this.#syncs = syncs;
  }

  async list(organisation: OrganisationId): Promise<readonly SyncView[]> {
    return this.#syncs.views(await this.#ports.syncs.listAllSyncs(organisation));
  }

  async find(id: SyncId): Promise<SyncView> {
    const sync = await this.#ports.syncs.findSync(id);
    const [view] = await this.#syncs.views(sync === undefined ? [] : [sync]);
    if (view === undefined) throw new Problem("not_found");
    return view;
  }

  /** @throws Problem("invalid_request") while it is paused. */
  async runNow(id: SyncId): Promise<void> {
    const answer = await this.#ports.syncs.wantSync(id);
    if (answer === "paused")
      throw new Problem("invalid_request", { detail: "The sync is paused; resume it." });
    mustBeThere(answer);
  }

  async pause(id: SyncId, note: AuditNote): Promise<void> {
    mustBeThere(await this.#ports.syncs.pauseSync(id, note));
  }

  async resume(id: SyncId, note: AuditNote): Promise<void> {
    mustBeThere(await this.#ports.syncs.resumeSync(id, note));
  }

  async reset(id: SyncId, note: AuditNote): Promise<void> {
    mustBeThere(await this.#ports.syncs.resetSync(id, note));
  }

  /** Deletions that are held are told. Answers how many documents it is about. */
  release(id: SyncId, note: AuditNote): Promise<number> {
    return releaseDeletions(this.#ports, id, note);
  }

  /** They are not told; the next full scan looks again. */
  discard(id: SyncId, note: AuditNote): Promise<number> {
    return discardDeletions(this.#ports, id, note);
  }
}

function mustBeThere(answer: string): void {
  if (answer === "gone") throw new Problem("not_found");
}
