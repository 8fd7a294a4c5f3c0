import type { AuditNote } from "../ports.ts";

/** One stored record, and whether it may be believed. */
export interface RecordSeal {
  readonly noun: "organisation" | "server" | "registration" | "client" | "policy" | "subscription";
  /** Key name: what names it in the log and in commands. */
  readonly place: string;
  /** Its name in configuration files; of a policy, of client and organisation. */
  readonly name: string;
  /**
   * `sealed`: a broker wrote it here. `unsealed`: no broker of this version did. `altered`: it was changed or moved.
   * `closed`: the root key that it names is not usable.
   */
  readonly state: "sealed" | "unsealed" | "altered" | "closed";
  /** Root key that it names: that one is not retired while one does. */
  readonly rootKey: string | undefined;
  /** Sealed under another root key than the primary one. */
  readonly outdated: boolean;
  /** What is stored, as it stands there: public to operators, without secrets. */
  readonly text: string;
}

/** The seals of everything that operators manage (T25). */
export interface RecordSeals {
  /** Every record, by what lists and names lead to. */
  survey(): Promise<readonly RecordSeal[]>;
  /**
   * Seals a record as it was surveyed, for the text that is in it, and restates what scripts read of it. Leaves an audit
   * entry in the same step. False: it is another by now.
   */
  seal(record: RecordSeal, note: AuditNote): Promise<boolean>;
  /** Seals under the primary root key what another one sealed. Leaves no entry: nothing is another now. */
  rewrap(record: RecordSeal): Promise<boolean>;
}
