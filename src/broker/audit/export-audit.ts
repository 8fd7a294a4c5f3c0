import type { OrganisationId } from "../../domain/id.ts";
import type { ConfigurationStore } from "../organisations/ports.ts";
import type { AuditBuffer, AuditSink } from "./ports.ts";

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
  for (const { id } of await ports.organisations.listOrganisations()) exported += await exportOf(ports, id);
  return exported;
}

async function exportOf(ports: AuditPorts, organisation: OrganisationId): Promise<number> {
  for (let exported = 0; ; ) {
    const entries = await ports.buffer.read(organisation, BATCH);
    const last = entries.at(-1);
    if (last === undefined) return exported;
    await ports.sink.write(organisation, entries);
    await ports.buffer.acknowledge(organisation, last.sequence);
    exported += entries.length;
    if (entries.length < BATCH) return exported;
  }
}
