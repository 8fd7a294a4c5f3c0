import { RESTORE_WORDS, type RestoreMode } from "../domain/restore-mode.ts";
import type { Finding } from "./finding.ts";

const NAMES_TOLD = 5;

/** Does anything wait for an operator since it was put back to an earlier state (F33)? A warning: what is not of it goes on. */
export function judgeContinuity(
  restoring: readonly { readonly name: string; readonly mode: RestoreMode }[],
): Finding {
  const check = "store-continuity";
  if (restoring.length === 0)
    return { check, ok: true, severity: "warn", sentence: "The store is as new as it is known to be." };
  const told = restoring.slice(0, NAMES_TOLD).map(({ name, mode }) => `${name} ${RESTORE_WORDS[mode.why]}`);
  const more = restoring.length > NAMES_TOLD ? `, and ${restoring.length - NAMES_TOLD} more` : "";
  return {
    check,
    ok: false,
    severity: "warn",
    sentence: `${told.join("; ")}${more}. Nothing of it is refreshed.`,
    remedy:
      "An operator runs `cli restore report` with all exported audit, looks at what is stale, and then `cli restore release`.",
  };
}
