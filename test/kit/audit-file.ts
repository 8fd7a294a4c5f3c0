import { readFile } from "node:fs/promises";
import { AuditVerifier } from "../../src/broker/audit/verify-audit.ts";
import type { AuditJournal } from "../../src/domain/audit-entry.ts";
import { auditChain, readCheckpoint } from "../../src/security/audit-chain.ts";
import type { World } from "./world.ts";

/** What `cli audit verify` makes of the world's audit file, by the public keys alone. */
export async function verifyAuditFile(
  here: Pick<World, "broker" | "environment">,
  expected?: ReadonlyMap<AuditJournal, number>,
) {
  const keys = await here.broker.signer.publicKeys();
  const verifier = new AuditVerifier({ chain: auditChain, readCheckpoint: readCheckpoint(keys) });
  const lines = (await readFile(here.environment.AUDIT_FILE!, "utf8")).split("\n");
  for (const line of lines) await verifier.line(line);
  return { lines, ...verifier.report(expected) };
}
