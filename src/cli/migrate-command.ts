import type { Command } from "commander";
import {
  type MigratePorts,
  MigrationHeld,
  type MigrationOutcome,
  migrateRecords,
} from "../broker/records/migrate-records.ts";
import { rfc3339 } from "../domain/instant.ts";
import type { SeenProcess, StoreMark } from "../domain/store-format.ts";
import { agreed } from "./agreed.ts";
import type { CliDeps, JsonOption } from "./build-cli.ts";
import { ExpectedFault } from "./expected-fault.ts";
import { guarded } from "./guarded.ts";
import { progressBar } from "./progress.ts";

interface MigrateOptions extends JsonOption {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly rate: string;
}

const RATE = "500";

/** `records migrate`: stored records in the form of this version. */
export function addMigrateCommand(records: Command, deps: CliDeps): void {
  const run = guarded(deps);
  records
    .command("migrate")
    .description("write stored records in the form of this version, while brokers work; killed, it goes on")
    .option("--dry-run", "count what would be written, and change nothing")
    .option("--rate <records>", "look at no more than so many records in a second", RATE)
    .option("--yes", "do not ask before the store's format is raised")
    .option("--json", "print for programs")
    .action(run((options: MigrateOptions) => migrate(deps, options)));
}

async function migrate(
  deps: CliDeps,
  { dryRun = false, yes = false, json = false, rate }: MigrateOptions,
): Promise<void> {
  const perSecond = Number(rate);
  if (!Number.isInteger(perSecond) || perSecond < 1)
    throw new ExpectedFault(`--rate ${rate} is no number of records.`);
  await deps.withBroker(async ({ migrations, note }) => {
    if (!dryRun && !yes) await askFirst(deps, migrations);
    const bar = progressBar(deps.screen, "records");
    const outcomes = await migrateRecords(migrations, {
      ...{ dryRun, note, perSecond },
      onProgress: (_, { looked, of }) => bar.at(looked, of),
    })
      .catch((error: unknown) => {
        throw error instanceof MigrationHeld ? new ExpectedFault(error.message) : error;
      })
      .finally(() => bar.end());
    const mark = await migrations.formats.mark();
    if (json)
      deps.write(
        `${JSON.stringify({ dry_run: dryRun, format: mark?.format ?? null, migrations: outcomes.map(row) }, undefined, 2)}\n`,
      );
    else deps.write(`${outcomes.map(tell).join("")}${tellMark(mark)}`);
    if (outcomes.some(({ state }) => state === "unfinished")) deps.setExitCode(1);
  });
}

/** Only where there is no way back: an earlier version does not start on what is written then. */
async function askFirst(deps: CliDeps, { migrations, formats }: MigratePorts): Promise<void> {
  const mark = await formats.mark();
  const to = Math.max(...migrations.map(({ format }) => format));
  if (mark === undefined || to <= mark.format) return;
  const question = `Raise the store's format from ${mark.format} to ${to}? Versions that do not read it start no more on this store. Make a backup first.`;
  await agreed(deps, false, question);
}

function tell({ name, does, state, looked, changed, raises }: MigrationOutcome): string {
  const raised = raises === undefined ? "" : ` (format ${raises})`;
  switch (state) {
    case "before":
      return `${name}: was done before.\n`;
    case "would":
      return `${name}${raised}: would write ${changed} of ${looked} records; ${does}.\n`;
    case "done":
      return `${name}${raised}: ${changed} records were written, ${looked} looked at in the last pass; ${does}.\n`;
    case "unfinished":
      return `${name}${raised}: ${changed} records were written, and it is not finished. Run it again.\n`;
  }
}

const tellMark = (mark: StoreMark | undefined): string =>
  mark === undefined
    ? "The store is not marked yet.\n"
    : `The store is of format ${mark.format}, since ${rfc3339(mark.since)} by version ${mark.by}.\n`;

const row = ({ name, does, state, looked, changed, raises }: MigrationOutcome) => ({
  ...{ name, does, state, looked, changed },
  raises_format_to: raises ?? null,
});

/** As one word: `http and worker 0.1.0`. */
export const processWords = ({ roles, version }: Pick<SeenProcess, "roles" | "version">): string =>
  `${roles.join(" and ")} ${version}`;
