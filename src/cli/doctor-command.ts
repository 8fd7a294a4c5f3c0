import type { Command } from "commander";
import type { CliDeps, JsonOption } from "./build-cli.ts";
import { readDesired } from "./configuration-commands.ts";
import { ExpectedFault } from "./expected-fault.ts";
import { guarded } from "./guarded.ts";

/** What one check found, as the ops listener shows it too. */
export interface CheckFinding {
  readonly check: string;
  readonly ok: boolean;
  /** Where it is not ok: `refuse` keeps a process from starting, or from being given requests. */
  readonly severity: "refuse" | "warn";
  readonly sentence: string;
  readonly remedy?: string;
}

interface DoctorOptions extends JsonOption {
  readonly running?: boolean;
}

export function addDoctorCommand(program: Command, deps: CliDeps): void {
  program
    .command("doctor")
    .description(
      "look at everything that a start looks at, without starting; ends with 1 where it would be refused",
    )
    .argument("[files...]", "configuration files to read as `check` does")
    .option("--running", "a broker runs here already: its ports are taken, and that is well")
    .option("--json", "print one JSON object per line: findings, then the result")
    .action(
      guarded(deps)((files: readonly string[], options: DoctorOptions) => examine(deps, files, options)),
    );
}

async function examine(
  deps: CliDeps,
  files: readonly string[],
  { running = false, json = false }: DoctorOptions,
): Promise<void> {
  const count = { ok: 0, warnings: 0, refusals: 0 };
  const tell = (finding: CheckFinding) => {
    count[stateOf(finding)] += 1;
    deps.write(json ? `${JSON.stringify(finding)}\n` : renderFinding(finding));
  };
  for (const file of files) tell(await examineFile(deps, file));
  for await (const finding of deps.examine({ running })) tell(finding);
  const starts = count.refusals === 0;
  if (json) deps.write(`${JSON.stringify({ would_start: starts, ...count })}\n`);
  else
    deps.write(
      `\n${starts ? "A process would start here." : "A process would not start here."} ${count.ok} well, ${count.warnings} warnings, ${count.refusals} refusals.\n`,
    );
  if (!starts) deps.setExitCode(1);
}

async function examineFile(deps: CliDeps, file: string): Promise<CheckFinding> {
  const check = "configuration-file";
  try {
    await readDesired(deps, file);
    return { check, ok: true, severity: "warn", sentence: `${file} is right.` };
  } catch (error) {
    if (!(error instanceof ExpectedFault)) throw error;
    return {
      ...{ check, ok: false, severity: "refuse" },
      sentence: error.message.trimEnd(),
      remedy: "Correct the file; `cli check` reads it again.",
    };
  }
}

const stateOf = ({ ok, severity }: CheckFinding): "ok" | "warnings" | "refusals" =>
  ok ? "ok" : severity === "warn" ? "warnings" : "refusals";

const WORDS = { ok: "ok", warnings: "WARNING", refusals: "REFUSED" } as const;
const INDENT = " ".repeat(9);

export function renderFinding(finding: CheckFinding): string {
  const { check, sentence, remedy } = finding;
  const head = `${WORDS[stateOf(finding)].padEnd(INDENT.length)}${check}: ${sentence.replaceAll("\n", `\n${INDENT}`)}\n`;
  return remedy === undefined ? head : `${head}${INDENT}→ ${remedy}\n`;
}
