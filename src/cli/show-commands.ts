import type { Command } from "commander";
import type { CliDeps, JsonOption } from "./build-cli.ts";
import { ExpectedFault } from "./expected-fault.ts";
import { guarded } from "./guarded.ts";
import { clientRows, organisationRows, type Row, renderRows, serverRows } from "./render-records.ts";

export function addShowCommands(program: Command, deps: CliDeps): void {
  const run = guarded(deps);

  program
    .command("show")
    .description("show organisations, servers or clients")
    .argument("<what>", "organisations, servers or clients")
    .option("--json", "print for programs")
    .action(run((what: string, options: JsonOption) => show(deps, what, options)));
}

async function show(deps: CliDeps, what: string, { json = false }: JsonOption): Promise<void> {
  if (!["organisations", "servers", "clients"].includes(what)) {
    throw new ExpectedFault(`There are no ${what} to show: organisations, servers or clients.`);
  }
  const { PUBLIC_BASE_URL } = deps.names();
  const rows = await deps.withBroker((broker): Promise<Row[]> => {
    if (what === "organisations") return organisationRows(broker.store);
    return what === "servers" ? serverRows(broker, PUBLIC_BASE_URL) : clientRows(broker.store);
  });
  if (json) deps.write(`${JSON.stringify(rows, undefined, 2)}\n`);
  else deps.write(rows.length === 0 ? `There are no ${what} yet.\n` : renderRows(rows));
}
