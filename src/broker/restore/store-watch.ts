import type { AuditJournal } from "../../domain/audit-entry.ts";
import { type Milliseconds, minutes } from "../../domain/instant.ts";
import type { RestoreMode } from "../../domain/restore-mode.ts";
import { journalsOf } from "../audit/export-audit.ts";
import type { AuditJournals } from "../audit/ports.ts";
import type { Clock, Log } from "../ports.ts";
import type { RestoreStore, StorePosition, StoreWitness } from "./ports.ts";

export interface StoreWatchPorts {
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly log: Pick<Log, "error" | "warn">;
  readonly restores: Pick<RestoreStore, "positions" | "enter">;
  readonly organisations: AuditJournals;
  /** Unless given, {@link MARK_MS}. */
  readonly markMs?: Milliseconds | undefined;
  /** Undefined: nothing is kept outside the store and this process. */
  readonly witness: StoreWitness | undefined;
}

/**
 * What was committed in the last ten minutes comes back by itself from the processes that live (F32, `store/commit-echo.ts`).
 * A mark is between one and two of these old: what the store has lost of before it, nobody has any more.
 */
const MARK_MS: Milliseconds = minutes(5);

/**
 * Notices that the store is older than it was: somebody put an older copy in its place, or a replica took over that had missed a
 * lot (T27, F33). The numbers of the audit only rise, so a lower one than was seen is proof. What this process has seen itself
 * counts behind the marks; what was known before it started, in a file, counts at once, for nobody has that any more.
 */
export class StoreWatch {
  readonly #ports: StoreWatchPorts;
  /** How far the store was at least, some minutes ago. */
  #marked = new Map<AuditJournal, StorePosition>();
  #next = new Map<AuditJournal, StorePosition>();
  #nextAt: Milliseconds;
  #written = "";
  #begun = false;
  #missing = 0;

  constructor(ports: StoreWatchPorts) {
    this.#ports = ports;
    this.#nextAt = ports.clock.monotonicMs();
  }

  /** Before this process does anything with the store. */
  async begin(): Promise<void> {
    this.#marked = new Map(await this.#ports.witness?.read());
    this.#begun = true;
    await this.look();
  }

  /** Compares, and remembers. Whoever begins a refresh afterwards is refused where the store is older than it was. */
  async look(): Promise<void> {
    if (!this.#begun) return;
    const { restores, clock, log, organisations, witness } = this.#ports;
    const journals = await journalsOf(organisations);
    this.#tellMissing(new Set(journals));
    const positions = await restores.positions(journals);
    const now = new Map<AuditJournal, StorePosition>();
    for (const [i, journal] of journals.entries()) {
      const { restore, ...position } = positions[i]!;
      const known = this.#marked.get(journal);
      // In a journal without an entry there is nothing that could be stale: it is a new store's.
      const isNew = position.epoch === 0 && position.sequence === 0;
      if (restore === undefined && known !== undefined && !isNew && isBefore(position, known)) {
        const entered = await restores.enter(journal, known);
        if (entered === "entered") {
          log.error(
            {
              code: "restoring",
              ...(journal.startsWith("org_") && { organisation: journal }),
              detail: `${journal}: at entry ${position.sequence} of epoch ${position.epoch}, was at ${known.sequence} of ${known.epoch}`,
            },
            "alert: the store is older than it was; nothing is refreshed until an operator has looked",
          );
        }
        continue;
      }
      // What it was before it was put back is known until an operator has released it: then its numbers have risen beyond.
      now.set(journal, restore !== undefined && known !== undefined ? known : position);
    }
    if (clock.monotonicMs() - this.#nextAt >= (this.#ports.markMs ?? MARK_MS)) {
      this.#marked = this.#next;
      this.#next = now;
      this.#nextAt = clock.monotonicMs();
    } else {
      for (const [journal, position] of now) if (!this.#next.has(journal)) this.#next.set(journal, position);
    }
    await this.#write(now, witness);
  }

  /** Journals that were put back, and wait for an operator. */
  async restoring(): Promise<readonly { readonly journal: AuditJournal; readonly mode: RestoreMode }[]> {
    const journals = await journalsOf(this.#ports.organisations);
    const positions = await this.#ports.restores.positions(journals);
    return journals.flatMap((journal, i) => {
      const mode = positions[i]!.restore;
      return mode === undefined ? [] : [{ journal, mode }];
    });
  }

  /** Of an organisation that is not there nothing can be spent. Shredded ones are missing too. */
  #tellMissing(there: ReadonlySet<AuditJournal>): void {
    const missing = [...this.#marked.keys()].filter((journal) => !there.has(journal));
    if (missing.length > this.#missing)
      this.#ports.log.warn(
        { code: "organisations_missing", count: missing.length, detail: missing.slice(0, 5).join(" ") },
        "organisations that the store had are not there",
      );
    this.#missing = missing.length;
  }

  async #write(positions: ReadonlyMap<AuditJournal, StorePosition>, witness: StoreWitness | undefined) {
    if (witness === undefined) return;
    const told = JSON.stringify([...positions]);
    if (told === this.#written) return;
    try {
      await witness.write(positions);
      this.#written = told;
    } catch (error) {
      this.#ports.log.warn(
        { code: "witness_not_written", detail: error instanceof Error ? error.name : "unknown" },
        "how far the store is cannot be kept outside it",
      );
    }
  }
}

/** Numbers are given out again where a store was put back by hand; the epoch then is a lower one. */
export const isBefore = (position: StorePosition, known: StorePosition): boolean =>
  position.epoch < known.epoch || (position.epoch === known.epoch && position.sequence < known.sequence);
