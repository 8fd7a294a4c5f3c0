import type { DiagnosisEvent } from "../broker/diagnosis/diagnose-server.ts";
import type { Diagnosis, Finding, FindingState } from "../domain/diagnosis.ts";
import { diagnosisTexts } from "../domain/diagnosis-texts.en.ts";
import type { ServerId } from "../domain/id.ts";

export interface DiagnoseBroker {
  /** Looks at a server; tells each finding as it comes, then the whole. */
  readonly diagnose: (server: ServerId) => AsyncIterable<DiagnosisEvent>;
}

/**
 * Tells each finding as it comes.
 * @returns whether nothing failed
 */
export async function diagnoseServer(
  { diagnose }: DiagnoseBroker,
  server: ServerId,
  { json, write }: { readonly json: boolean; readonly write: (text: string) => void },
): Promise<boolean> {
  let whole: Diagnosis | undefined;
  for await (const event of diagnose(server)) {
    if (json) write(`${JSON.stringify(event)}\n`);
    else write("finding" in event ? renderFinding(event.finding) : renderWhole(event.diagnosis));
    if ("diagnosis" in event) whole = event.diagnosis;
  }
  return whole !== undefined && whole.verdict !== "failed";
}

const STATES: Readonly<Record<FindingState, string>> = {
  ok: "ok",
  warning: "WARNING",
  failed: "FAILED",
  not_known: "not known",
  skipped: "skipped",
};
const INDENT = " ".repeat(11);

/** What is well takes one line; what is not says what it means, and who changes what where. */
function renderFinding({ step, state, seen, means, who, remedy }: Finding): string {
  const head = `${STATES[state].padEnd(INDENT.length)}${diagnosisTexts.steps[step]}: ${seen}`;
  if (state === "ok" || state === "skipped") return `${head}\n`;
  const act = remedy === undefined ? [] : [`${INDENT}→ ${diagnosisTexts.owners[who]}: ${remedy}`];
  return `${[head, `${INDENT}${means}`, ...act].join("\n")}\n`;
}

function renderWhole({ verdict, changes }: Diagnosis): string {
  const since =
    changes.length === 0
      ? ""
      : `\nSince the last good diagnosis:\n${changes.map(({ sentence }) => `- ${sentence}\n`).join("")}`;
  return `\n${diagnosisTexts.verdicts[verdict]}\n${since}`;
}
