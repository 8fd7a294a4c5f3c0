import type { OrganisationId } from "../domain/id.ts";
import { type Instant, minutes } from "../domain/instant.ts";
import { type DueSync, inTurns, type SyncTurn } from "../domain/sync-turns.ts";
import type { SyncPorts } from "./ports.ts";

const ORGANISATIONS_MAX = 500;
/** Of one organisation in one sweep: those that wait longest. The rest follows in the next, after everyone had a turn. */
const PER_ORGANISATION_MAX = 50;
const RESTATE_MS = minutes(1);

/** Finds the syncs whose time has come, from our own schedule. */
export class SyncSweep {
  readonly #ports: Pick<SyncPorts, "clock" | "schedule">;
  #restatedAt: Instant | undefined;
  /** Of which it was announced that what waited for somebody is due at once: their hints know nothing of it. */
  readonly #woken = new Set<OrganisationId>();

  /** @param woken announcements of such organisations. They may be lost: the hint is of half a minute later at the most. */
  constructor(
    ports: Pick<SyncPorts, "clock" | "schedule">,
    woken?: { each(hear: (organisation: OrganisationId) => void): unknown },
  ) {
    this.#ports = ports;
    woken?.each((organisation) => this.#woken.add(organisation));
  }

  /** In the order of their turns. */
  async sweep(): Promise<readonly SyncTurn[]> {
    const { clock, schedule } = this.#ports;
    await this.#restate();
    for (const organisation of this.#woken) {
      // Forgotten first: what is announced from here on is another reason to look.
      this.#woken.delete(organisation);
      await schedule.restateHint(organisation);
    }
    const found: (readonly DueSync[])[] = [];
    for (const organisation of await schedule.dueOrganisations(ORGANISATIONS_MAX)) {
      const due = await schedule.dueSyncs(organisation, PER_ORGANISATION_MAX);
      // The hint was too early, as it may be.
      if (due.length === 0) await schedule.restateHint(organisation);
      else found.push(await schedule.findDue(due));
    }
    return inTurns(found, clock.now());
  }

  /** Hints may be lost; what they are made from may not. */
  async #restate(): Promise<void> {
    const now = this.#ports.clock.monotonicMs();
    if (this.#restatedAt !== undefined && now - this.#restatedAt < RESTATE_MS) return;
    await this.#ports.schedule.restateAllHints();
    this.#restatedAt = now;
  }
}
