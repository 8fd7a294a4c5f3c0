import type { Command } from "commander";
import type { CliBroker, CliDeps, JsonOption } from "./build-cli.ts";
import { guarded } from "./guarded.ts";
import { progressBar } from "./progress.ts";
import { renderStatus } from "./render-status.ts";
import { lookAtStatus } from "./status.ts";

interface StatusOptions extends JsonOption {
  readonly quick?: boolean;
}

export function addStatusCommand(program: Command, deps: CliDeps): void {
  program
    .command("status")
    .description("how everything stands, on one page; ends with 1 where processes are given no requests")
    .option("--quick", "do not go through the authorizations: only how many there are")
    .option("--json", "print a JSON object")
    .action(guarded(deps)((options: StatusOptions) => status(deps, options)));
}

async function status(deps: CliDeps, { quick = false, json = false }: StatusOptions): Promise<void> {
  await deps.withBroker(async (broker: CliBroker) => {
    const bar = progressBar(deps.screen, "authorizations");
    const told = await lookAtStatus(broker, { quick, onGrants: (done, of) => bar.at(done, of) }).finally(() =>
      bar.end(),
    );
    deps.write(json ? `${JSON.stringify(told, undefined, 2)}\n` : renderStatus(told));
    if (told.checks.some(({ ok, severity }) => !ok && severity === "refuse")) deps.setExitCode(1);
  });
}
