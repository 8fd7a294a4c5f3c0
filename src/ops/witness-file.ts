import { open, readFile, rename } from "node:fs/promises";
import type { Log } from "../broker/ports.ts";
import type { StorePosition, StoreWitness } from "../broker/restore/ports.ts";
import { type AuditJournal, parseJournal } from "../domain/audit-entry.ts";

/**
 * How far the store was, in a file: `{"v":1,"journals":{"org_…":[epoch, number]}}`. Whoever starts with an older store learns by it.
 * Each process has its own, as its audit file is.
 */
export function makeWitnessFile(path: string, log: Pick<Log, "error">): StoreWitness {
  return {
    async read() {
      const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT")
          log.error({ code: "witness_unreadable", detail: error.code ?? "unknown" }, "witness");
        return undefined;
      });
      return text === undefined ? new Map() : readWitness(text, log);
    },
    async write(positions) {
      const journals = Object.fromEntries(
        [...positions].map(([journal, { epoch, sequence }]) => [journal, [epoch, sequence]]),
      );
      const beside = `${path}.${process.pid}.new`;
      const file = await open(beside, "w", 0o600);
      try {
        await file.writeFile(`${JSON.stringify({ v: 1, journals })}\n`);
        await file.datasync();
      } finally {
        await file.close();
      }
      await rename(beside, path);
    },
  };
}

function readWitness(text: string, log: Pick<Log, "error">): Map<AuditJournal, StorePosition> {
  const found = new Map<AuditJournal, StorePosition>();
  try {
    const { journals } = JSON.parse(text) as { journals: Record<string, [number, number]> };
    for (const [name, [epoch, sequence]] of Object.entries(journals)) {
      const journal = parseJournal(name);
      if (journal !== undefined && Number.isSafeInteger(epoch) && Number.isSafeInteger(sequence))
        found.set(journal, { epoch, sequence });
    }
  } catch {
    log.error({ code: "witness_unreadable", detail: "no JSON of ours" }, "witness");
  }
  return found;
}
