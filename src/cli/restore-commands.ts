import type { Command } from "commander";
import { type BackupManifest, readBackup } from "../broker/backup/backup-file.ts";
import {
  type JournalRestore,
  type RestoreReport,
  releaseRestore,
  restoreReport,
} from "../broker/restore/report.ts";
import { rfc3339 } from "../domain/instant.ts";
import { RESTORE_WORDS } from "../domain/restore-mode.ts";
import { linesInOrder, linesOfAll } from "./audit-files.ts";
import { checked, progressOf } from "./backup-commands.ts";
import type { CliBroker, CliDeps, JsonOption } from "./build-cli.ts";
import { ExpectedFault } from "./expected-fault.ts";
import { guarded } from "./guarded.ts";

/** `restore`: puts a backup into an empty Redis, and looks after what an older store has forgotten. */
export function addRestoreCommands(program: Command, deps: CliDeps): void {
  const run = guarded(deps);
  const restore = program
    .command("restore")
    .description("put a backup into an empty Redis; nobody refreshes there until `restore release`")
    .argument("<file>", "the backup")
    .option("--into <redis>", "redis://host:port, or `settings` for the one that REDIS_URL names")
    .option(
      "--password-file <file>",
      "password of the user in --into, who may RESTORE; else REDIS_PASSWORD_FILE",
    )
    .option("--yes", "write; without it the file is checked, and what would be written is counted")
    .option("--json", "print for programs")
    .action(run((file: string, options: PutOptions) => put(deps, file, options)));
  restore
    .command("report")
    .description("compare a store that was put back with the exported audit: which authorizations are stale")
    .argument("[files...]", "all exported audit since before the backup, in any order")
    .option("--without-audit", "where the export is gone: any authorization may be stale then")
    .option("--json", "print all of it for programs")
    .action(
      run((files: string[], _: AuditOption, command: Command) =>
        report(deps, files, command.optsWithGlobals()),
      ),
    );
  restore
    .command("release")
    .description("mark what `restore report` named, and put the rest in use again")
    .argument("[files...]", "the same files")
    .option("--without-audit", "as for the report")
    .requiredOption("--confirm <digest>", "what `restore report` printed last")
    .option("--json", "print for programs")
    .action(
      run((files: string[], _: ReleaseOptions, command: Command) =>
        release(deps, files, command.optsWithGlobals()),
      ),
    );
}

interface PutOptions extends JsonOption {
  readonly into?: string;
  readonly passwordFile?: string;
  readonly yes?: boolean;
}
interface AuditOption extends JsonOption {
  readonly withoutAudit?: boolean;
}
interface ReleaseOptions extends AuditOption {
  readonly confirm: string;
}

async function put(
  deps: CliDeps,
  file: string,
  { into, passwordFile, yes = false, json = false }: PutOptions,
): Promise<void> {
  if (into === undefined)
    throw new ExpectedFault("Say into which Redis: --into redis://host:port, or --into settings.");
  // Whole before anything is written, and each part once more before it is.
  const manifest = await checked(deps, file);
  const { refill, close } = await deps.openRefill(into, passwordFile);
  try {
    const occupied = await refill.occupied();
    if (occupied > 0) {
      throw new ExpectedFault(
        `That Redis holds ${occupied >= 1_000 ? "a thousand keys and more" : `${occupied} keys`} of a broker. Nothing is written over them: name an empty one, or empty it yourself.`,
      );
    }
    if (yes) await fill(deps, file, manifest, refill);
  } finally {
    close();
  }
  if (json) {
    deps.write(`${JSON.stringify({ restored: yes, manifest })}\n`);
    return;
  }
  const { keys, organisations, at } = manifest;
  const what = `${keys} keys of ${organisations} organisations, as of ${rfc3339(at)}`;
  deps.write(
    yes
      ? `Restored: ${what}. No token is handed out and nothing is refreshed there until an operator has looked: \`cli restore report\` with all exported audit.\n`
      : `Would be restored: ${what}. Nothing was written. To do it: --yes\n`,
  );
}

async function fill(
  deps: CliDeps,
  file: string,
  manifest: BackupManifest,
  refill: Awaited<ReturnType<CliDeps["openRefill"]>>["refill"],
): Promise<void> {
  await refill.close(manifest.journals, manifest.at);
  const progress = progressOf(deps);
  let written = 0;
  for await (const part of readBackup(linesOfAll([file]), await deps.backupMac())) {
    if (part.kind !== "keys") continue;
    await refill.write(part.keys);
    written += part.keys.length;
    progress(written);
  }
}

async function report(
  deps: CliDeps,
  files: readonly string[],
  { json = false, withoutAudit = false }: AuditOption,
): Promise<void> {
  await deps.withBroker(async (broker) => {
    const found = await restoreReport(broker.restore, linesOf(files, withoutAudit));
    deps.write(json ? `${JSON.stringify(found, undefined, 2)}\n` : await textOf(broker, found));
  });
}

async function release(
  deps: CliDeps,
  files: readonly string[],
  { confirm, json = false, withoutAudit = false }: ReleaseOptions,
): Promise<void> {
  await deps.withBroker(async (broker) => {
    const found = await restoreReport(broker.restore, linesOf(files, withoutAudit));
    if (found.journals.length === 0)
      throw new ExpectedFault("Nothing was put back: there is nothing to release.");
    if (found.digest !== confirm) {
      throw new ExpectedFault(
        `What is stale now is not what ${confirm} stands for: look at \`cli restore report\` again.`,
      );
    }
    await releaseRestore(broker.restore, found, broker.note, progressOf(deps, "authorizations"));
    const stale = found.journals.reduce((sum, one) => sum + one.stale.length, 0);
    deps.write(
      json
        ? `${JSON.stringify({ released: found.journals.map(({ journal }) => journal), stale })}\n`
        : `In use again: ${found.journals.length} journals, ${stale} authorizations marked.\n`,
    );
  });
}

function linesOf(files: readonly string[], withoutAudit: boolean): Parameters<typeof restoreReport>[1] {
  if (withoutAudit) return "the export is gone";
  if (files.length === 0) throw new ExpectedFault("Name the exported audit, or say --without-audit.");
  return linesInOrder(files);
}

async function textOf(
  { store }: Pick<CliBroker, "store">,
  { journals, digest, compared }: RestoreReport,
): Promise<string> {
  if (journals.length === 0) return "Nothing was put back to an earlier state.\n";
  const names = new Map((await store.listOrganisations()).map(({ id, name }) => [id as string, name]));
  const nameOf = (journal: string): string => names.get(journal) ?? `the audit of ${journal}`;
  if (!compared) {
    const list = journals.map(({ journal, mode }) => `${nameOf(journal)} ${RESTORE_WORDS[mode.why]}.\n`);
    return `${list.join("")}Without the exported audit nothing tells which authorizations are stale. Each is tried when it is used; at a server that rotates strictly those that were refreshed since have to be authorised again, and what was withdrawn or stopped since is in use again. To do so all the same: \`cli restore release --without-audit --confirm ${digest}\`\n`;
  }
  const told = journals.map((one) => textOfJournal(one, nameOf(one.journal)));
  return `${told.join("\n")}\nTo mark these and put everything else in use again: \`cli restore release\` with the same files and --confirm ${digest}\n`;
}

function textOfJournal({ mode, exported, stale, lost, changes }: JournalRestore, name: string): string {
  const lines = [
    `${name} ${RESTORE_WORDS[mode.why]} (noticed ${rfc3339(mode.since)}). It knows the audit up to entry ${mode.from}; the export goes to ${exported.sequence}.`,
    `  ${stale.length} authorizations are stale: iManage has given another refresh token since, or they were ended.`,
    ...stale.map(
      ({ grant, at, stored, becomes, sequence }) =>
        `    ${grant} ${stored.owner.customerId}/${stored.owner.userId} at ${stored.server}: entry ${sequence}, ${rfc3339(at)}; becomes ${becomes}`,
    ),
    `  ${lost.length} authorizations were made since and are not there: these people authorise again.`,
    ...lost.map((grant) => `    ${grant}`),
    `  ${changes.length} other changes since are not there, and are to be done again where they still hold.`,
    ...changes.map(
      ({ sequence, at, action, fields }) =>
        `    ${sequence} ${rfc3339(at)} ${action} by ${fields.actor ?? ""} ${["containment", "client", "server", "library", "sync", "subscription", "name"].flatMap((field) => fields[field] ?? []).join(" ")}`,
    ),
  ];
  return `${lines.join("\n")}\n`;
}
