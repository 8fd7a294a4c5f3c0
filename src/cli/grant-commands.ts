import type { Command } from "commander";
import type { GrantPosition } from "../broker/grants/ports.ts";
import type { CliDeps, JsonOption } from "./build-cli.ts";
import { ExpectedFault } from "./expected-fault.ts";
import { guarded } from "./guarded.ts";
import { grantRow, renderRows } from "./render-records.ts";

export function addGrantCommands(program: Command, deps: CliDeps): void {
  const run = guarded(deps);

  program
    .command("grants")
    .description("look at authorizations")
    .command("list")
    .description("list the authorizations of an organisation, oldest first")
    .requiredOption("--organisation <name>", "name of the organisation")
    .option("--json", "print one JSON object per line")
    .action(run((options: GrantsOptions) => listGrants(deps, options)));
}

interface GrantsOptions extends JsonOption {
  readonly organisation: string;
}

const GRANTS_PER_PAGE = 500;

async function listGrants(deps: CliDeps, { organisation: name, json = false }: GrantsOptions): Promise<void> {
  await deps.withBroker(async ({ store, grants }) => {
    const organisation = await store.findOrganisationByName(name);
    if (organisation === undefined) throw new ExpectedFault(`There is no organisation named ${name}.`);
    let after: GrantPosition | undefined;
    let count = 0;
    for (;;) {
      const page = await grants.listGrants(organisation.id, after, GRANTS_PER_PAGE);
      count += page.length;
      if (json) for (const grant of page) deps.write(`${JSON.stringify(grantRow(grant))}\n`);
      else if (page.length > 0) deps.write(`${renderRows(page.map(grantRow))}\n`);
      const last = page.at(-1);
      if (last === undefined || page.length < GRANTS_PER_PAGE) break;
      after = { createdAt: last.createdAt, id: last.id };
    }
    if (!json) deps.write(`${count} authorizations.\n`);
  });
}
