import type { Diagnosis, FindingOwner } from "./diagnosis.ts";
import type { Cause } from "./diagnosis-causes.ts";
import { type Instant, type Milliseconds, minutes } from "./instant.ts";

/** What a server that does not work yet waits for, by who has to do it. */
export interface Awaited {
  readonly who: Exclude<FindingOwner, "nobody">;
  readonly causes: readonly Cause[];
  /** What he does, one sentence for each. */
  readonly remedies: readonly string[];
}

/** A server is looked at again this long after a diagnosis that failed: a change at iManage may take 24 to 48 h (facts page, C). */
export const LOOK_AGAIN_MS: Milliseconds = minutes(30);

/** What failed at the last look, by who can change it. Empty: nothing is waited for. */
export function awaitedBy({ findings }: Pick<Diagnosis, "findings">): readonly Awaited[] {
  const failed = findings.filter(({ state, who }) => state === "failed" && who !== "nobody");
  return [...Map.groupBy(failed, ({ who }) => who)].map(([who, those]) => ({
    who: who as Awaited["who"],
    causes: those.map(({ cause }) => cause),
    remedies: those.flatMap(({ remedy }) => remedy ?? []),
  }));
}

/** Is it time to look whether what was waited for has happened? */
export const isDueAgain = (last: Pick<Diagnosis, "verdict" | "startedAt">, now: Instant): boolean =>
  last.verdict === "failed" && now - last.startedAt >= LOOK_AGAIN_MS;
