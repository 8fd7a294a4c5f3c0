import type { Command } from "commander";
import type { GrantPosition } from "../broker/grants/ports.ts";
import { type GrantStory, type TimelineBreak, tellGrantStory } from "../domain/grant-timeline.ts";
import { parseId } from "../domain/id.ts";
import { rfc3339 } from "../domain/instant.ts";
import type { CliDeps, JsonOption } from "./build-cli.ts";
import { ExpectedFault } from "./expected-fault.ts";
import { guarded } from "./guarded.ts";
import { grantRow, renderRows } from "./render-records.ts";

export function addGrantCommands(program: Command, deps: CliDeps): void {
  const run = guarded(deps);

  const grants = program.command("grants").description("look at authorizations");
  grants
    .command("list")
    .description("list the authorizations of an organisation, oldest first")
    .requiredOption("--organisation <name>", "name of the organisation")
    .option("--json", "print one JSON object per line")
    .action(run((options: GrantsOptions) => listGrants(deps, options)));
  grants
    .command("timeline <id>")
    .description("what happened to an authorization, why it broke and who must act; also of one that is gone")
    .option("--json", "print one JSON object")
    .action(run((id: string, options: JsonOption) => tellTimeline(deps, id, options)));
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

async function tellTimeline(deps: CliDeps, text: string, { json = false }: JsonOption): Promise<void> {
  const id = parseId("grt", text);
  if (id === undefined)
    throw new ExpectedFault(`${text} is no id of an authorization: those begin with grt_.`);
  await deps.withBroker(async ({ grants }) => {
    const [grant, entries] = await Promise.all([grants.findGrant(id), grants.timeline(id)]);
    if (grant === undefined && entries.length === 0)
      throw new ExpectedFault(
        `Nothing is known of ${id}: it never was here, or ended longer ago than AUDIT_RETENTION_DAYS. The exported audit may have it.`,
      );
    const story = tellGrantStory(entries, grant);
    deps.write(json ? `${JSON.stringify({ grant: id, ...story })}\n` : renderStory(id, story));
  });
}

function renderStory(id: string, { lines, standing, begins }: GrantStory): string {
  const told = lines.map(({ at, what, actor, request, broke }) => {
    const by = actor === undefined ? "" : `  (${actor}${request ? `, request ${request}` : ""})`;
    return [`${rfc3339(at)}  ${what}${by}`, ...brokeLines(broke)].join("\n");
  });
  const head = [id, `  ${standing.sentence}`, ...brokeLines(standing.broke)];
  const record = begins === undefined ? "  There is no record of it." : `  ${begins.sentence}`;
  return `${[...head, record, "", ...told].join("\n")}\n`;
}

const brokeLines = (broke: TimelineBreak | undefined): readonly string[] =>
  broke === undefined ? [] : [`    Why: ${broke.sentence}`, `    Who acts: ${broke.remedy}. ${broke.action}`];
