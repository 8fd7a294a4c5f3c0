import { type AuditAction, isAuditAction } from "../../domain/audit-actions.ts";
import { type AuditJournal, type ChainedEntry, readLine } from "../../domain/audit-entry.ts";
import { type GrantId, parseId } from "../../domain/id.ts";
import type { Instant } from "../../domain/instant.ts";
import type { RestoreMode } from "../../domain/restore-mode.ts";
import { type Server, survivesReuse } from "../../domain/server.ts";
import { journalsOf } from "../audit/export-audit.ts";
import type { AuditChain, AuditJournals } from "../audit/ports.ts";
import { AuditVerifier, type VerifyPorts } from "../audit/verify-audit.ts";
import type { GrantStore } from "../grants/ports.ts";
import type { AuditNote } from "../ports.ts";
import type { RestoreStore, StoredGrant } from "./ports.ts";

export interface RestorePorts {
  readonly restores: RestoreStore;
  readonly grants: Pick<GrantStore, "deleteGrant">;
  readonly servers: { findServer(id: Server["id"]): Promise<Server | undefined> };
  readonly organisations: AuditJournals;
  readonly verify: VerifyPorts;
}

/** A grant of which the exported audit knows something that the store does not. */
export interface StaleGrant {
  readonly grant: GrantId;
  /** The newest entry about it. */
  readonly sequence: number;
  readonly at: Instant;
  readonly stored: StoredGrant;
  /** What becomes of it with the release. */
  readonly becomes: "suspect" | "reauthorization_required" | "ended";
}

/** What was done since, and is not there any more. */
export interface LostChange {
  readonly sequence: number;
  readonly at: Instant;
  readonly action: string;
  readonly fields: Readonly<Record<string, string>>;
}

export interface JournalRestore {
  readonly journal: AuditJournal;
  readonly mode: RestoreMode;
  /** The last entry of the export, whose link fits and behind which no signature stands against it. */
  readonly exported: { readonly sequence: number; readonly hash: string; readonly at: Instant };
  /** Exactly those whose refresh token iManage has replaced since, or that were withdrawn. */
  readonly stale: readonly StaleGrant[];
  /** Authorized since, and not there: these people authorise again. */
  readonly lost: readonly GrantId[];
  /** Everything else that was changed since, to be done again. */
  readonly changes: readonly LostChange[];
}

export interface RestoreReport {
  readonly journals: readonly JournalRestore[];
  /** Whether the exported audit was looked at. Without it any authorization may be stale, and none is named. */
  readonly compared: boolean;
  /** Names what the report says: whoever releases says that he has read this one. */
  readonly digest: string;
}

/** The export says less than it must, or something else than what was written. */
export class RestoreFault extends Error {
  constructor(sentence: string) {
    super(sentence);
    this.name = "RestoreFault";
  }
}

/** How a grant's standing was last changed, and whether it is worth keeping what was there before. */
const TOKENS: Partial<Record<AuditAction, "replaced" | "ended" | "withdrawn">> = {
  "grant.authorized": "replaced",
  "grant.rotated": "replaced",
  "grant.imported": "replaced",
  "grant.import_undone": "ended",
  "grant.exported": "withdrawn",
  "grant.revoked": "ended",
  "grant.reaped": "ended",
  // Of what is left of it nobody outside knows: where it was the last use, iManage was told to end the tokens.
  "binding.withdrawn": "withdrawn",
};
/** Neither is anybody's to do again. */
const PASSING: readonly string[] = [
  ...(["token.issued", "policy.budget_exceeded", "store.restored"] as const),
  // Asked of iManage again where it is forgotten.
  ...(["grant.verified", "grant.quarantined"] as const),
];
const GRANTS_AT_ONCE = 500;

/**
 * Compares the store with the exported audit, for every journal that was put back. Believes the export only as far as signatures
 * stand for it, and only where it goes on from what the store has.
 */
export async function restoreReport(
  ports: RestorePorts,
  lines: AsyncIterable<string> | "the export is gone",
): Promise<RestoreReport> {
  const journals = await journalsOf(ports.organisations);
  const positions = await ports.restores.positions(journals);
  const seen = new Map<AuditJournal, Since>();
  journals.forEach((journal, i) => {
    const mode = positions[i]!.restore;
    if (mode !== undefined) seen.set(journal, new Since(journal, mode));
  });
  if (typeof lines === "string") {
    const told = await Promise.all([...seen.values()].map((since) => since.compare(ports)));
    return { journals: told, compared: false, digest: digestOf(ports.verify.chain, told) };
  }
  const verifier = new AuditVerifier(ports.verify);
  for await (const text of lines) {
    const line = readLine(text);
    if (line.kind === "other" || !seen.has(line.journal)) continue;
    const checked = verifier.line(text);
    if (checked !== undefined) await checked;
    if (line.kind === "entry") seen.get(line.journal)!.entry(line.entry);
  }
  const verified = new Map(verifier.report().journals.map((one) => [one.journal, one]));
  const told: JournalRestore[] = [];
  for (const since of seen.values()) {
    const proof = verified.get(since.journal);
    // Of a journal that never had an entry there is nothing to compare.
    if (proof === undefined && since.mode.from > 0)
      throw new RestoreFault(`${since.journal}: no entry is in these files. Name every exported file.`);
    if (proof?.fault !== undefined)
      throw new RestoreFault(`${since.journal} ${proof.fault.sequence}: ${proof.fault.told}`);
    const to = proof?.proven?.to ?? 0;
    // Signed links stand for all that is before them; what lies behind the last signature fits its link, and has a number.
    if (to < since.mode.from)
      throw new RestoreFault(
        `${since.journal}: the export ends at entry ${to}, and the store has ${since.mode.from}. Name the newest exported files as well.`,
      );
    if (proof?.first !== undefined && proof.first > since.mode.from + 1)
      throw new RestoreFault(
        `${since.journal}: the export begins at entry ${proof.first}, and the store ends at ${since.mode.from}. Name the older exported files as well.`,
      );
    told.push(await since.compare(ports));
  }
  return { journals: told, compared: true, digest: digestOf(ports.verify.chain, told) };
}

/** What the export tells of one journal behind the store's newest entry. */
class Since {
  readonly journal: AuditJournal;
  readonly mode: RestoreMode;
  readonly #grants = new Map<
    GrantId,
    { sequence: number; at: Instant; how: "replaced" | "ended" | "withdrawn" }
  >();
  readonly #changes: LostChange[] = [];
  #last: { sequence: number; hash: string; at: Instant };

  constructor(journal: AuditJournal, mode: RestoreMode) {
    this.journal = journal;
    this.mode = mode;
    this.#last = { sequence: 0, hash: "", at: 0 };
  }

  entry({ sequence, fields, hash }: ChainedEntry): void {
    // Workers export the same twice.
    if (sequence <= this.#last.sequence) return;
    const at = Number(fields.at);
    this.#last = { sequence, hash, at };
    if (sequence <= this.mode.from) return;
    const action = fields.action ?? "";
    const how = isAuditAction(action) ? TOKENS[action] : undefined;
    const grant = parseId("grt", fields.grant ?? "");
    if (how !== undefined && grant !== undefined) this.#grants.set(grant, { sequence, at, how });
    else if (!PASSING.includes(action)) this.#changes.push({ sequence, at, action, fields });
  }

  async compare(ports: RestorePorts): Promise<JournalRestore> {
    const told = [...this.#grants];
    const stale: StaleGrant[] = [];
    const lost: GrantId[] = [];
    for (let i = 0; i < told.length; i += GRANTS_AT_ONCE) {
      const page = told.slice(i, i + GRANTS_AT_ONCE);
      const stored = await ports.restores.grants(page.map(([grant]) => grant));
      for (const [j, [grant, { sequence, at, how }]] of page.entries()) {
        const here = stored[j];
        if (here === undefined) {
          if (how === "replaced") lost.push(grant);
        } else if (sequence > (here.tokenSequence ?? this.mode.from)) {
          stale.push({ grant, sequence, at, stored: here, becomes: await becomes(ports, here, how) });
        }
      }
    }
    return {
      journal: this.journal,
      mode: this.mode,
      exported: this.#last,
      stale: stale.sort((a, b) => (a.grant < b.grant ? -1 : 1)),
      lost: lost.sort(),
      changes: this.#changes,
    };
  }
}

async function becomes(
  ports: RestorePorts,
  { server }: StoredGrant,
  how: "replaced" | "ended" | "withdrawn",
): Promise<StaleGrant["becomes"]> {
  if (how === "ended") return "ended";
  if (how === "withdrawn") return "reauthorization_required";
  const rotation = (await ports.servers.findServer(server))?.settings.rotation ?? "unknown";
  // Only where an operator has said that an earlier token harms nothing is it tried.
  return survivesReuse(rotation) ? "suspect" : "reauthorization_required";
}

function digestOf(chain: AuditChain, journals: readonly JournalRestore[]): string {
  const told = journals.map(({ journal, exported, stale, lost, changes }) => [
    journal,
    exported.sequence,
    exported.hash,
    stale.map(({ grant, sequence, becomes }) => [grant, sequence, becomes]),
    lost,
    changes.map(({ sequence }) => sequence),
  ]);
  return chain.next(chain.beginning("clients"), JSON.stringify(told)).slice(0, 16);
}

/** Lets each journal's audit go on, marks exactly what the report names, and puts the rest in use again. May be run again. */
export async function releaseRestore(
  ports: RestorePorts,
  report: RestoreReport,
  note: AuditNote,
  progress: (grants: number) => void = () => {},
): Promise<void> {
  let done = 0;
  for (const { journal, exported, stale } of report.journals) {
    await ports.restores.adopt(journal, exported.sequence, exported.hash);
    for (const { grant, sequence, becomes } of stale) {
      if (becomes === "ended") {
        // Ended at iManage as well: marked first, so that nobody has it whatever happens in between.
        const marked = await ports.restores.mark(grant, sequence, "reauthorization_required");
        if (marked === "marked" || marked === "already") await ports.grants.deleteGrant(grant, note);
      } else await ports.restores.mark(grant, sequence, becomes);
      progress(++done);
    }
    await ports.restores.release(journal, stale.length, note);
  }
}
