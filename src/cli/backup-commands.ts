import { open, rename, rm } from "node:fs/promises";
import type { Command } from "commander";
import { type BackupManifest, verifyBackup, writeBackup } from "../broker/backup/backup-file.ts";
import { rfc3339 } from "../domain/instant.ts";
import { linesOfAll } from "./audit-files.ts";
import type { CliDeps, JsonOption } from "./build-cli.ts";
import { ExpectedFault } from "./expected-fault.ts";
import { reasonOf } from "./files.ts";
import { guarded } from "./guarded.ts";

/** `backup`: everything that the broker keeps in Redis, in one file. */
export function addBackupCommands(program: Command, deps: CliDeps): void {
  const run = guarded(deps);
  const backup = program
    .command("backup")
    .description("copy everything that the broker keeps in Redis into one file, while it works")
    .argument("<file>", "a new file; readable by its owner alone")
    .option("--json", "print the manifest for programs")
    .action(run((file: string, options: JsonOption) => create(deps, file, options)));
  backup
    .command("verify")
    .description("check that a backup is whole and was written by a broker with this root keyset; offline")
    .argument("<file>", "the backup")
    .option("--json", "print the manifest for programs")
    .action(
      run(async (file: string, _: JsonOption, command: Command) => {
        const manifest = await checked(deps, file);
        tell(deps, manifest, `${file} is whole`, command.optsWithGlobals());
      }),
    );
}

async function create(deps: CliDeps, file: string, options: JsonOption): Promise<void> {
  const partial = `${file}.partial`;
  const target = await open(file, "wx", 0o600).catch(refused(file));
  await target.close();
  const out = await open(partial, "w", 0o600).catch(refused(partial));
  try {
    const mac = await deps.backupMac();
    const manifest = await deps.withBroker(async ({ snapshot, clock }) => {
      const parts = writeBackup(snapshot.items(), mac, clock, progressOf(deps));
      for (;;) {
        const part = await parts.next();
        if (part.done) return part.value;
        await out.writeFile(part.value);
      }
    });
    await out.sync();
    await out.close();
    await rename(partial, file);
    tell(deps, manifest, `${file} is written`, options);
  } catch (error) {
    await out.close().catch(() => {});
    await Promise.all([partial, file].map((path) => rm(path, { force: true })));
    throw error;
  }
}

/** The manifest of a backup that is whole. */
export async function checked(deps: CliDeps, file: string): Promise<BackupManifest> {
  return verifyBackup(linesOfAll([file]), await deps.backupMac(), progressOf(deps));
}

/** On standard error, now and then. */
export function progressOf(deps: Pick<CliDeps, "complain">, of = "keys"): (count: number) => void {
  let toldAt = performance.now();
  return (count) => {
    if (performance.now() - toldAt < 1_000) return;
    toldAt = performance.now();
    deps.complain(`${count} ${of} …\n`);
  };
}

function tell(deps: CliDeps, manifest: BackupManifest, what: string, { json = false }: JsonOption): void {
  if (json) {
    deps.write(`${JSON.stringify(manifest, undefined, 2)}\n`);
    return;
  }
  const { keys, organisations, at, endedAt, nouns } = manifest;
  const counts = Object.entries(nouns)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([noun, count]) => `  ${String(count).padStart(8)} ${noun}\n`);
  deps.write(
    `${what}: ${keys} keys of ${organisations} organisations, from ${rfc3339(at)} to ${rfc3339(endedAt)}.\n${counts.join("")}`,
  );
}

const refused =
  (file: string) =>
  (error: unknown): never => {
    const there = (error as NodeJS.ErrnoException).code === "EEXIST";
    throw new ExpectedFault(
      there
        ? `${file} is there already, and is not overwritten.`
        : `${file} cannot be written: ${reasonOf(error)}.`,
    );
  };
