import { createHash } from "node:crypto";
import type { AuditChain } from "../broker/audit/ports.ts";
import type { SignerPublicKey } from "../broker/ports.ts";
import { type AuditCheckpoint, parseJournal } from "../domain/audit-entry.ts";
import { verifySigned } from "./signer.ts";

/** SHA-256, base64url. Unkeyed: whoever has the export alone can do it again, and the signatures say what it must come to. */
export const auditChain: AuditChain = {
  beginning: (journal) => createHash("sha256").update(`audit chain of ${journal}`).digest("base64url"),
  next: (previous, canonical) =>
    createHash("sha256").update(Buffer.from(previous, "base64url")).update(canonical).digest("base64url"),
};

const LINK = /^[\w-]{43}$/;

/** What a checkpoint says, if one of these keys has signed it. Needs nothing of a running broker. */
export const readCheckpoint =
  (keys: { readonly keys: readonly SignerPublicKey[] }) =>
  async (jws: string): Promise<AuditCheckpoint | undefined> => {
    const signed = await verifySigned(jws, "audit-checkpoint+jws", keys);
    if (signed === undefined) return undefined;
    const { journal: name, first, previous, sequence, hash, at } = signed;
    const journal = parseJournal(String(name));
    const numbers = [first, sequence, at].every((number) => Number.isSafeInteger(number));
    const links = [previous, hash].every((link) => typeof link === "string" && LINK.test(link));
    return journal !== undefined && numbers && links
      ? { ...(signed as unknown as AuditCheckpoint), journal }
      : undefined;
  };
