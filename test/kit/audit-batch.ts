import {
  type AuditBatch,
  type AuditEntry,
  type AuditJournal,
  type ChainedEntry,
  canonicalEntry,
} from "../../src/domain/audit-entry.ts";
import { auditChain } from "../../src/security/audit-chain.ts";

/** Entries with their links, as the chainer hands them to a sink; the signature is not one unless it is given. */
export function batchOf(
  journal: AuditJournal,
  entries: readonly AuditEntry[],
  { previous = auditChain.beginning(journal), checkpoint = "not.a.signature" } = {},
): AuditBatch {
  const linked: ChainedEntry[] = [];
  let hash = previous;
  for (const entry of entries) {
    hash = auditChain.next(hash, canonicalEntry(journal, entry));
    linked.push({ ...entry, hash });
  }
  return { journal, entries: linked, checkpoint };
}
