/** What one check found. A listener shows it, a start-up acts on it, and both read the same words. */
export interface Finding {
  /** Kebab-case, stable: alerts are written against it. */
  readonly check: string;
  readonly ok: boolean;
  /** Where it is not ok: `refuse` means not to start, or not to be given traffic; `warn` means to tell someone. */
  readonly severity: "refuse" | "warn";
  /** What was seen, as a sentence for an operator. Never a secret. */
  readonly sentence: string;
  /** What he does about it, where it is not ok. */
  readonly remedy?: string;
}

export const refuses = (finding: Finding): boolean => !finding.ok && finding.severity === "refuse";
