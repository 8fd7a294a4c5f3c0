import { BackupFault } from "../broker/backup/backup-file.ts";
import { ImportFault } from "../broker/import/read-import.ts";
import { RestoreFault } from "../broker/restore/report.ts";
import { Problem } from "../domain/problem.ts";
import { PROBLEMS } from "../domain/problem-catalogue.ts";
import type { CliDeps } from "./build-cli.ts";
import { ExpectedFault } from "./expected-fault.ts";

/** Errors an operator can mend become one block on standard error; unforeseen ones keep their stack. */
export function guarded(deps: Pick<CliDeps, "complain" | "explain" | "setExitCode">) {
  return <A extends unknown[]>(command: (...args: A) => Promise<void>) =>
    async (...args: A): Promise<void> => {
      try {
        await command(...args);
      } catch (error) {
        const text = explain(error) ?? deps.explain(error);
        if (text === undefined) throw error;
        deps.complain(`${text.trimEnd()}\n`);
        deps.setExitCode(1);
      }
    };
}

function explain(error: unknown): string | undefined {
  const expected = [ExpectedFault, BackupFault, RestoreFault, ImportFault];
  if (expected.some((kind) => error instanceof kind)) return (error as Error).message;
  if (!(error instanceof Problem)) return undefined;
  const faults = (error.details.faults ?? []).map(({ field, message }) => `  ${field} ${message}\n`);
  return `${error.message}\n${faults.join("")}${PROBLEMS[error.code].action}`;
}
