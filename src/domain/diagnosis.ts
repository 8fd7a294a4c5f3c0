import type { Cause } from "./diagnosis-causes.ts";
import type { ServerId } from "./id.ts";
import type { Instant } from "./instant.ts";

/** What is looked at, in this order. */
export const diagnosisSteps = [
  "dns",
  "egress",
  "reach",
  "tls",
  "clock",
  "api",
  "version",
  "oauth",
  "authorize",
  "secret",
  "secret_expiry",
  "application",
  "client_type",
  "pkce",
  "access",
  "code_life",
  "refresh_token",
  "refresh_life",
  "customer",
] as const;

export type DiagnosisStep = (typeof diagnosisSteps)[number];

/** `not_known`: the answers do not tell. That is said rather than guessed, and fails nothing. */
export type FindingState = "ok" | "warning" | "failed" | "not_known" | "skipped";

/** Who can change it. */
export type FindingOwner = "organisation_admin" | "imanage_admin" | "operator" | "vendor" | "nobody";

/** What was seen at one step, what it means, and who changes what where. */
export interface Finding {
  readonly step: DiagnosisStep;
  /** Stable, `<step>.<what>`: programs and other languages go by it. */
  readonly cause: Cause;
  readonly state: FindingState;
  /** May hold text that iManage sent: printable and bounded, for admins alone, never for a log. */
  readonly seen: string;
  readonly means: string;
  readonly who: FindingOwner;
  readonly remedy?: string;
  /** What may change while all is well, and explains much when it did: a certificate, an address, a version. */
  readonly mark?: string;
}

export interface Diagnosis {
  readonly v: 1;
  readonly server: ServerId;
  readonly startedAt: Instant;
  readonly endedAt: Instant;
  readonly requestId: string;
  /** Registration, secret and settings as they were then. */
  readonly configurationGeneration: number;
  readonly findings: readonly Finding[];
  readonly verdict: Verdict;
  /** When the last good diagnosis was, if there was one. */
  readonly comparedWith: Instant | undefined;
  readonly changes: readonly Change[];
}

/** `good`: nothing failed; it works as far as can be seen. */
export type Verdict = "good" | "attention" | "failed";

/** What is otherwise than at the last good diagnosis. */
export interface Change {
  readonly step: DiagnosisStep;
  readonly was: string;
  readonly is: string;
  readonly sentence: string;
}

export const verdictOf = (findings: readonly Finding[]): Verdict =>
  findings.some(({ state }) => state === "failed")
    ? "failed"
    : findings.some(({ state }) => state === "warning")
      ? "attention"
      : "good";

/** May later ones be compared with it? A warning does not keep a server from working. */
export const isGood = ({ verdict }: Pick<Diagnosis, "verdict">): boolean => verdict !== "failed";

/** What changed since a diagnosis that was good. `not_known` and `skipped` are no news by themselves. */
export function changedFindings(
  now: readonly Finding[],
  good: Pick<Diagnosis, "findings">,
): readonly { readonly was: Finding; readonly is: Finding }[] {
  const before = new Map(good.findings.map((finding) => [finding.step, finding]));
  return now.flatMap((is) => {
    const was = before.get(is.step);
    if (was === undefined) return [];
    const worse = is.cause !== was.cause && (is.state === "failed" || is.state === "warning");
    const other = is.mark !== undefined && was.mark !== undefined && is.mark !== was.mark;
    return worse || other ? [{ was, is }] : [];
  });
}
