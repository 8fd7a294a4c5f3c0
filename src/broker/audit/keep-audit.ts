import type { AuditJournal } from "../../domain/audit-entry.ts";
import type { Milliseconds } from "../../domain/instant.ts";
import { eachInTurn } from "../each-in-turn.ts";
import type { Log } from "../ports.ts";
import { journalsOf } from "./export-audit.ts";
import type { AuditBuffer, AuditJournals } from "./ports.ts";

export interface KeepAuditPorts {
  readonly log: Log;
  readonly buffer: Pick<AuditBuffer, "backlog" | "trim">;
  readonly organisations: AuditJournals;
  readonly limits: AuditLimits;
}

export interface AuditLimits {
  /** Entries that may wait for their export; at this many an organisation gets no tokens. */
  readonly backlogMax: number;
  /** How long an exported entry can be read here. */
  readonly keptMs: Milliseconds;
  /** How many of a journal stay at most. */
  readonly keptMax: number;
}

/** Of the cap, when operators are told. */
const ALERT = 0.75;
/** Trims of one journal in one run: with one run a minute more go than any broker writes. */
const TRIMS_MAX = 20;

/** Lets old entries go that are kept elsewhere, and says in time where the export does not keep up. */
export async function keepAudit(ports: KeepAuditPorts): Promise<void> {
  await eachInTurn(await journalsOf(ports.organisations), async (journal) => {
    await tellBacklog(ports, journal);
    for (let trims = 0; trims < TRIMS_MAX; trims++) {
      if ((await ports.buffer.trim(journal, ports.limits.keptMs, ports.limits.keptMax)) === 0) break;
    }
  });
}

async function tellBacklog({ log, buffer, limits }: KeepAuditPorts, journal: AuditJournal): Promise<void> {
  const waiting = await buffer.backlog(journal);
  if (waiting < limits.backlogMax * ALERT) return;
  const fields = { code: "audit_backlog", count: waiting, detail: `${journal}: of ${limits.backlogMax}` };
  if (waiting < limits.backlogMax) log.warn(fields, "the audit's export does not keep up");
  else log.error(fields, "no audit, no token: the audit's export has stopped");
}
