import {
  type AuditCheckpoint,
  type AuditEntry,
  type AuditJournal,
  type ChainedEntry,
  canonicalEntry,
  readLine,
} from "../../domain/audit-entry.ts";
import { LinkList } from "./link-list.ts";
import type { AuditChain } from "./ports.ts";

export interface VerifyPorts {
  readonly chain: AuditChain;
  /** What was signed, or undefined: not by one of the keys that were given. */
  readonly readCheckpoint: (jws: string) => Promise<AuditCheckpoint | undefined>;
}

export type AuditFaultKind =
  | "changed"
  | "missing"
  | "out_of_order"
  | "inserted"
  | "truncated"
  /** A checkpoint that none of the given keys has signed, or that was signed for something else. */
  | "not_signed";

export interface AuditFault {
  /** The first entry that is not as it was written. */
  readonly sequence: number;
  readonly kind: AuditFaultKind;
  /** A sentence. */
  readonly told: string;
}

export interface JournalReport {
  readonly journal: AuditJournal;
  /** The first entry of what was given; undefined: none was. */
  readonly first: number | undefined;
  readonly last: number;
  readonly entries: number;
  /** Entries that came more than once, each time the same. */
  readonly repeated: number;
  /** The first and the last entry for which a signature stands; undefined: none. */
  readonly proven: { readonly from: number; readonly to: number } | undefined;
  readonly fault: AuditFault | undefined;
}

/**
 * Reads exported audit line by line and finds the first entry of each journal that is not as it was written. It knows nothing
 * of the broker but its public keys, and holds 32 bytes of each entry: what comes twice is compared, however late.
 */
export class AuditVerifier {
  readonly #ports: VerifyPorts;
  readonly #journals = new Map<AuditJournal, Journal>();
  #others = 0;

  constructor(ports: VerifyPorts) {
    this.#ports = ports;
  }

  /** A promise only where a signature is to be checked. */
  line(text: string): Promise<void> | undefined {
    const line = readLine(text);
    if (line.kind === "other") {
      if (text.trim() !== "") this.#others += 1;
      return undefined;
    }
    const journal = this.#journal(line.journal);
    if (line.kind === "entry") {
      journal.entry(line.entry);
      return undefined;
    }
    return this.#ports
      .readCheckpoint(line.checkpoint)
      .then((signed) => journal.checkpoint(line.sequence, signed));
  }

  /** @param expected how far journals are known to go, from a source that whoever holds the files cannot write to. */
  report(expected: ReadonlyMap<AuditJournal, number> = new Map()): {
    readonly journals: readonly JournalReport[];
    /** Lines that are none of the audit's: torn by a crash, altered beyond reading, or somebody else's. */
    readonly otherLines: number;
  } {
    for (const [journal, sequence] of expected) this.#journal(journal).expect(sequence);
    const journals = [...this.#journals.values()].map((one) => one.report());
    return {
      journals: journals.sort((a, b) => (a.journal < b.journal ? -1 : 1)),
      otherLines: this.#others,
    };
  }

  #journal(name: AuditJournal): Journal {
    const known = this.#journals.get(name) ?? new Journal(name, this.#ports.chain);
    this.#journals.set(name, known);
    return known;
  }
}

class Journal {
  readonly #name: AuditJournal;
  readonly #chain: AuditChain;
  /** From the link before the first entry on. Empty: nothing was seen. */
  #links = new LinkList();
  /** Sequence of the first link. */
  #base = 0;
  /** The first entry, while the link before it is not known: it begins in the middle of a chain. */
  #unanchored: ChainedEntry | undefined;
  #provenTo: number | undefined;
  #entries = 0;
  #repeated = 0;
  #fault: AuditFault | undefined;
  /** An entry that does not fit: what comes next says whether it was changed or slipped in. */
  #misfit: ChainedEntry | undefined;
  /** A number that did not come when its turn was: whether it comes later says what happened. */
  #gap:
    | { readonly expected: number; readonly found: number; readonly by: "entry" | "checkpoint" }
    | undefined;

  constructor(name: AuditJournal, chain: AuditChain) {
    this.#name = name;
    this.#chain = chain;
  }

  get #last(): number {
    return this.#base + this.#links.length - 1;
  }

  entry(entry: ChainedEntry): void {
    this.#entries += 1;
    if (this.#fault !== undefined) return;
    if (this.#misfit !== undefined) this.#judgeMisfit(this.#misfit, entry);
    else if (this.#gap !== undefined) this.#judgeGap(entry);
    else if (this.#links.length === 0) this.#begin(entry);
    else if (entry.sequence <= this.#last) this.#again(entry);
    else if (entry.sequence > this.#last + 1) {
      this.#gap = { expected: this.#last + 1, found: entry.sequence, by: "entry" };
    } else if (this.#linkOf(entry) === entry.hash) this.#links.push(entry.hash);
    else this.#misfit = entry;
  }

  checkpoint(sequence: number, signed: AuditCheckpoint | undefined): void {
    if (this.#fault !== undefined) return;
    this.#settleMisfit();
    if (this.#fault !== undefined || this.#gap !== undefined) return;
    if (signed === undefined || signed.journal !== this.#name || signed.sequence !== sequence) {
      const told = `The checkpoint at ${sequence} is signed by none of the given keys.`;
      this.#fault = { kind: "not_signed", sequence, told };
    } else if (this.#links.length === 0) {
      // A file may begin here: what was before is in another.
      this.#base = sequence;
      this.#links.push(signed.hash);
    } else if (sequence > this.#last) {
      this.#gap = { expected: this.#last + 1, found: sequence, by: "checkpoint" };
    } else if (sequence > this.#base) this.#compare(signed);
  }

  expect(sequence: number): void {
    this.#settle();
    if (this.#fault !== undefined || this.#last >= sequence) return;
    const told = `It is known to go to ${sequence}, and ends with ${this.#last}.`;
    this.#fault = { kind: "truncated", sequence: this.#last + 1, told };
  }

  report(): JournalReport {
    this.#settle();
    const first = this.#links.length > 1 ? this.#base + 1 : undefined;
    const from = this.#unanchored === undefined ? this.#base + 1 : this.#base + 2;
    const to = this.#provenTo;
    return {
      journal: this.#name,
      first,
      last: this.#last,
      entries: this.#entries,
      repeated: this.#repeated,
      proven: to === undefined || to < from ? undefined : { from, to },
      fault: this.#fault,
    };
  }

  #begin(entry: ChainedEntry): void {
    const beginning = this.#chain.beginning(this.#name);
    this.#base = entry.sequence - 1;
    this.#links.push(beginning);
    if (this.#linkOf(entry) !== entry.hash) {
      if (entry.sequence === 1) {
        this.#misfit = entry;
        return;
      }
      this.#unanchored = entry;
    }
    this.#links.push(entry.hash);
  }

  /** Written again after a crash, or not the same: then somebody wrote it. */
  #again(entry: ChainedEntry): void {
    const at = entry.sequence - this.#base;
    if (at < 1) {
      this.#before(entry);
      return;
    }
    const known = this.#links.at(at);
    const same =
      this.#unanchored?.sequence === entry.sequence
        ? canonicalEntry(this.#name, this.#unanchored) === canonicalEntry(this.#name, entry)
        : this.#next(at - 1, entry) === known;
    if (same && entry.hash === known) {
      this.#repeated += 1;
      return;
    }
    const told = `There is a second entry ${entry.sequence}, and it is another. It was slipped in, or Redis lost its newest entries and gave their numbers again.`;
    this.#fault = { kind: "inserted", sequence: entry.sequence, told };
  }

  /** Older than all that was given so far. */
  #before(entry: ChainedEntry): void {
    const told = `Entry ${entry.sequence} stands behind ${this.#base + 1}. Were files given in the wrong order?`;
    this.#fault = { kind: "out_of_order", sequence: entry.sequence, told };
  }

  #judgeMisfit(misfit: ChainedEntry, next: ChainedEntry): void {
    const at = this.#links.length - 1;
    const itself = next.sequence === misfit.sequence && this.#next(at, next) === next.hash;
    const moved =
      next.sequence === misfit.sequence + 1 &&
      this.#next(at, { ...next, sequence: misfit.sequence }) === next.hash;
    const { sequence } = misfit;
    const told = `Entry ${sequence} was slipped in: what was written as ${sequence} comes after it.`;
    if (itself || moved) this.#fault = { kind: "inserted", sequence, told };
    else this.#settleMisfit();
  }

  #settleMisfit(): void {
    const misfit = this.#misfit;
    if (misfit === undefined || this.#fault !== undefined) return;
    const told = `Entry ${misfit.sequence} does not fit the link before it: it was changed, or put in another's place.`;
    this.#fault = { kind: "changed", sequence: misfit.sequence, told };
  }

  #judgeGap({ sequence }: ChainedEntry): void {
    const { expected, found, by } = this.#gap!;
    if (sequence === expected) {
      const told = `Entry ${expected} stands behind ${by === "entry" ? "entry" : "the checkpoint at"} ${found}.`;
      this.#fault = { kind: "out_of_order", sequence: expected, told };
    } else if (by === "checkpoint") {
      this.#gap = { expected, found: sequence, by: "entry" };
    }
  }

  #settle(): void {
    this.#settleMisfit();
    if (this.#gap === undefined || this.#fault !== undefined) return;
    const { expected, found, by } = this.#gap;
    const missing =
      found - 1 === expected ? `Entry ${expected} is` : `Entries ${expected} to ${found - 1} are`;
    this.#fault =
      by === "entry"
        ? { kind: "missing", sequence: expected, told: `${missing} missing: ${found} follows.` }
        : {
            kind: "truncated",
            sequence: expected,
            told: `The last entry is ${expected - 1}, and a signature stands for all up to ${found}.`,
          };
  }

  #compare(signed: AuditCheckpoint): void {
    const before = signed.first - 1 - this.#base;
    const fits =
      this.#links.at(signed.sequence - this.#base) === signed.hash &&
      (before < 1 || this.#links.at(before) === signed.previous);
    const first = this.#unanchored;
    const firstFits =
      first === undefined ||
      signed.first !== first.sequence ||
      this.#chain.next(signed.previous, canonicalEntry(this.#name, first)) === first.hash;
    if (!fits || !firstFits) {
      const from = Math.max(this.#base, this.#provenTo ?? 0) + 1;
      const told = `What stands from ${from} to ${signed.sequence} is not what was signed: links were computed anew over something that was changed.`;
      this.#fault = { kind: "changed", sequence: from, told };
      return;
    }
    if (signed.first === first?.sequence) this.#unanchored = undefined;
    this.#provenTo = Math.max(this.#provenTo ?? 0, signed.sequence);
  }

  #linkOf(entry: ChainedEntry): string {
    return this.#next(this.#links.length - 1, entry);
  }
  #next(at: number, entry: AuditEntry): string {
    return this.#chain.next(this.#links.at(at), canonicalEntry(this.#name, entry));
  }
}
