import type { Command } from "commander";
import type { RecordSeal } from "../broker/records/ports.ts";
import { sealRecords } from "../broker/records/seal-records.ts";
import { agreed, YES } from "./agreed.ts";
import type { CliDeps, JsonOption } from "./build-cli.ts";
import { guarded } from "./guarded.ts";
import { addMigrateCommand } from "./migrate-command.ts";

interface SealOptions extends JsonOption {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

/** `records`: whether what Redis holds was written by a broker. */
export function addRecordCommands(program: Command, deps: CliDeps): void {
  const run = guarded(deps);
  const records = program.command("records").description("check and take over stored records");

  records
    .command("check")
    .description(
      "name every record that no broker of this version wrote where it is; ends with 1 if there is one",
    )
    .option("--json", "print for programs")
    .action(run((options: JsonOption) => check(deps, options)));
  records
    .command("seal")
    .description(
      "take over records of an earlier version, once; or the ones at the places that are named, after looking at them",
    )
    .argument("[places...]", "key names, as the log and `records check` tell them")
    .option("--dry-run", "show what would be taken over, and its contents")
    .option(...YES)
    .option("--json", "print for programs")
    .action(run((places: readonly string[], options: SealOptions) => seal(deps, places, options)));
  addMigrateCommand(records, deps);
}

async function check(deps: CliDeps, { json = false }: JsonOption): Promise<void> {
  const all = await deps.withBroker(({ recordSeals }) => recordSeals.survey());
  const refused = all.filter(({ state }) => state !== "sealed");
  if (refused.length > 0) deps.setExitCode(1);
  deps.write(
    json
      ? print({ records: all.length, refused: refused.map(row) })
      : `${all.length - refused.length} records are as a broker wrote them; ${refused.length} are not.\n${refused.map(lineOf).join("")}`,
  );
}

async function seal(
  deps: CliDeps,
  places: readonly string[],
  { json = false, dryRun = false, yes }: SealOptions,
): Promise<void> {
  if (!dryRun)
    await agreed(
      deps,
      yes,
      "Take these records over as yours? --dry-run shows them; look at what they say first.",
    );
  const { taken, changed, refused, sound } = await deps.withBroker(({ recordSeals, note }) =>
    sealRecords(recordSeals, places, { dryRun, note }),
  );
  if (refused.length + changed.length > 0) deps.setExitCode(1);
  if (json) {
    deps.write(
      print({
        dry_run: dryRun,
        sound,
        sealed: taken.map(row),
        changed_meanwhile: changed.map(row),
        refused: refused.map(row),
      }),
    );
    return;
  }
  const told = (title: string, list: readonly RecordSeal[], line: (record: RecordSeal) => string) =>
    list.length === 0 ? "" : `${title}\n${list.map(line).join("")}`;
  deps.write(
    told(dryRun ? "Would be taken over:" : "Taken over:", taken, (one) => `${lineOf(one)}    ${one.text}\n`) +
      told("Changed meanwhile, so left alone; again, please:", changed, lineOf) +
      told("Refused, and left so:", refused, lineOf) +
      `${sound} records were as a broker wrote them.\n`,
  );
}

const lineOf = ({ noun, name, state, place }: RecordSeal): string =>
  `  ${state.padEnd(8)} ${noun} ${name} (${place})\n`;

const row = ({ noun, name, place, state, rootKey }: RecordSeal) => ({
  noun,
  name,
  place,
  state,
  root_key: rootKey ?? null,
});

const print = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
