import type { ConfigurationStore } from "../organisations/ports.ts";
import { type AuditBuffer, type AuditJournal, type AuditSink, SHARED_JOURNALS } from "./ports.ts";

export interface AuditPorts {
  readonly buffer: AuditBuffer;
  readonly sink: AuditSink;
  readonly organisations: Pick<ConfigurationStore, "listOrganisations">;
}

const BATCH = 1_000;

/**
 * Moves what has been audited out of Redis: first kept elsewhere, then acknowledged. A crash in between exports some
 * entries twice, with the same numbers; none is lost.
 */
export async function exportAudit(ports: AuditPorts): Promise<number> {
  let exported = 0;
  const organisations = (await ports.organisations.listOrganisations()).map(({ id }) => id);
  for (const journal of [...SHARED_JOURNALS, ...organisations]) exported += await exportOf(ports, journal);
  return exported;
}

async function exportOf(ports: AuditPorts, journal: AuditJournal): Promise<number> {
  for (let exported = 0; ; ) {
    const entries = await ports.buffer.read(journal, BATCH);
    const last = entries.at(-1);
    if (last === undefined) return exported;
    await ports.sink.write(journal, entries);
    await ports.buffer.acknowledge(journal, last.sequence);
    exported += entries.length;
    if (entries.length < BATCH) return exported;
  }
}
