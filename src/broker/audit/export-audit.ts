import {
  type AuditBatch,
  type AuditEntry,
  type AuditJournal,
  type ChainedEntry,
  canonicalEntry,
  SHARED_JOURNALS,
} from "../../domain/audit-entry.ts";
import { seconds } from "../../domain/instant.ts";
import { eachInTurn } from "../each-in-turn.ts";
import type { Meters } from "../meter-ports.ts";
import type { Clock, Log, Random, Signer, Timers } from "../ports.ts";
import type { AuditBuffer, AuditChain, AuditHead, AuditJournals, AuditLease, AuditSink } from "./ports.ts";

export interface AuditPorts {
  readonly clock: Pick<Clock, "now">;
  readonly timers: Pick<Timers, "every">;
  readonly random: Random;
  readonly log: Log;
  readonly buffer: AuditBuffer;
  readonly sink: AuditSink;
  readonly chain: AuditChain;
  readonly signer: Pick<Signer, "sign">;
  readonly organisations: AuditJournals;
  readonly meters?: Pick<Meters, "auditExported" | "auditExportFailed">;
}

const BATCH = 1_000;
/** A chainer that died keeps its journal waiting for so long, and the next checkpoint with it. */
const LEASE_MS = seconds(5);

/**
 * Moves what has been audited out of Redis: chained, signed, kept elsewhere, and only then acknowledged. A crash in between
 * exports some entries twice, with the same numbers and the same links; none is lost, and nothing forks.
 *
 * One journal that cannot be exported holds up no other; what the first one failed of is thrown at the end.
 */
export async function exportAudit(ports: AuditPorts): Promise<number> {
  const owner = Buffer.from(ports.random.bytes(16)).toString("base64url");
  let exported = 0;
  await eachInTurn(await journalsOf(ports.organisations), async (journal) => {
    exported += await exportOf(ports, journal, owner);
  });
  return exported;
}

export async function journalsOf(organisations: AuditJournals): Promise<readonly AuditJournal[]> {
  return [...SHARED_JOURNALS, ...(await organisations.listOrganisations()).map(({ id }) => id)];
}

async function exportOf(ports: AuditPorts, journal: AuditJournal, owner: string): Promise<number> {
  const head = await ports.buffer.take(journal, owner, LEASE_MS);
  if (head.kind !== "taken") return 0;
  const lease: AuditLease = { journal, owner, fence: head.fence };
  const done = ports.timers.every(LEASE_MS / 3, () => {
    // Late: somebody else goes on, with the same links.
    ports.buffer.renew(lease, LEASE_MS).catch(() => {});
  });
  try {
    return await exportFrom(ports, lease, head);
  } finally {
    done();
    await ports.buffer.renew(lease, 0).catch(() => {});
  }
}

async function exportFrom(ports: AuditPorts, lease: AuditLease, head: AuditHead): Promise<number> {
  const { journal } = lease;
  let { sequence } = head;
  let hash = head.hash ?? ports.chain.beginning(journal);
  for (let exported = 0; ; ) {
    const entries = await ports.buffer.read(journal, sequence, BATCH);
    if (entries.length === 0) return exported;
    tellGaps(ports.log, journal, sequence, entries);
    const batch = await chained(ports, journal, hash, entries);
    await ports.sink.write(batch).catch((error: unknown) => {
      ports.meters?.auditExportFailed();
      throw error;
    });
    const last = batch.entries.at(-1)!;
    if ((await ports.buffer.advance(lease, sequence, last.sequence, last.hash)) === "lost") return exported;
    ports.meters?.auditExported(entries.length);
    ({ sequence, hash } = last);
    exported += entries.length;
    if (entries.length < BATCH) return exported;
  }
}

async function chained(
  { chain, signer, clock }: AuditPorts,
  journal: AuditJournal,
  previous: string,
  entries: readonly AuditEntry[],
): Promise<AuditBatch> {
  const linked: ChainedEntry[] = [];
  let hash = previous;
  for (const entry of entries) {
    hash = chain.next(hash, canonicalEntry(journal, entry));
    linked.push({ ...entry, hash });
  }
  const checkpoint = await signer.sign("audit-checkpoint+jws", {
    journal,
    first: entries[0]!.sequence,
    previous,
    sequence: entries.at(-1)!.sequence,
    hash,
    at: clock.now(),
  });
  return { journal, entries: linked, checkpoint };
}

/** Numbers are contiguous because scripts make them so: one that is missing was taken out of Redis by somebody. */
function tellGaps(log: Log, journal: AuditJournal, after: number, entries: readonly AuditEntry[]): void {
  let expected = after + 1;
  for (const { sequence } of entries) {
    if (sequence !== expected) {
      const detail = `${journal}: ${sequence} follows ${expected - 1}`;
      log.error({ code: "audit_gap", count: sequence - expected, detail }, "audit entries are missing");
    }
    expected = sequence + 1;
  }
}
