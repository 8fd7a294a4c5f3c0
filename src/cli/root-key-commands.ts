import type { Command } from "commander";
import { type RootKeyUse, rewrapAll, rootKeyUses } from "../broker/keys/root-keys.ts";
import type { Secret } from "../domain/secret.ts";
import { agreed, YES } from "./agreed.ts";
import type { CliDeps, JsonOption } from "./build-cli.ts";
import { ExpectedFault } from "./expected-fault.ts";
import { readNamedFile, replaceSecretFile } from "./files.ts";
import { guarded } from "./guarded.ts";

const FILE = "root keyset file, as ROOT_KEYSET_FILE names it";

/** Root keys: add, give the file to every process, promote, rewrap, retire at zero references. */
export function addRootKeyCommands(keys: Command, deps: CliDeps): void {
  const run = guarded(deps);

  keys
    .command("wrap")
    .description("wrap every root key of a file by VAULT_TRANSIT_KEY; again after that key was rotated")
    .argument("<file>", FILE)
    .action(run((file: string) => wrap(deps, file)));
  keys
    .command("add-root")
    .description("add a root key to a file, not yet used: every process has to know it first")
    .argument("<file>", FILE)
    .option("--json", "print for programs")
    .action(run((file: string, options: JsonOption) => addRoot(deps, file, options)));
  keys
    .command("promote-root")
    .description("let a root key wrap and sign from now on")
    .argument("<file>", FILE)
    .argument("<id>", "its id")
    .action(run((file: string, id: string) => promoteRoot(deps, file, id)));
  keys
    .command("rewrap")
    .description("wrap by the primary root key what another one wrapped: data keys and seals of records")
    .option("--json", "print for programs")
    .action(run((options: JsonOption) => rewrap(deps, options)));
  keys
    .command("retire-root")
    .description("refuse a root key from now on; itself refused while anything needs it")
    .argument("<file>", FILE)
    .argument("<id>", "its id")
    .option(...YES)
    .action(
      run((file: string, id: string, { yes }: { readonly yes?: boolean }) => retireRoot(deps, file, id, yes)),
    );
}

async function wrap(deps: CliDeps, file: string): Promise<void> {
  await replaceSecretFile(file, await deps.rootKeysetFiles.wrap(await readNamedFile(file)));
  deps.write(
    `${file} holds its root keys wrapped. Destroy every bare copy that was kept, and keep one of this file.\n`,
  );
}

async function addRoot(deps: CliDeps, file: string, { json = false }: JsonOption): Promise<void> {
  const { add, isWrapped, wrap: wrapped } = deps.rootKeysetFiles;
  const text = await readNamedFile(file);
  const { text: bare, id } = add(text);
  await replaceSecretFile(file, isWrapped(text) ? await wrapped(bare.reveal()) : bare);
  if (json) return deps.write(`${JSON.stringify({ id, file })}\n`);
  deps.write(
    `${id} is in ${file}. Give the file to every process and start each anew; then \`cli keys promote-root ${file} ${id}\`.\n`,
  );
}

async function promoteRoot(deps: CliDeps, file: string, id: string): Promise<void> {
  const promoted: Secret = deps.rootKeysetFiles.promote(await readNamedFile(file), id);
  await replaceSecretFile(file, promoted);
  deps.write(
    `${id} wraps and signs from now on. Give the file to every process and start each anew; then \`cli keys rewrap\`.\n`,
  );
}

async function rewrap(deps: CliDeps, { json = false }: JsonOption): Promise<void> {
  const { owners, records } = await deps.withBroker(({ rootKeys, note }) => rewrapAll(rootKeys, note));
  if (json) return deps.write(`${JSON.stringify({ owners, records })}\n`);
  deps.write(
    `The keys of ${owners} owners and the seals of ${records} records were wrapped anew. Client secrets follow at their next use: \`cli keys status\` names those that have not.\n`,
  );
}

async function retireRoot(deps: CliDeps, file: string, id: string, yes: boolean | undefined): Promise<void> {
  const retired = deps.rootKeysetFiles.retire(await readNamedFile(file), id);
  const uses = await deps.withBroker(({ rootKeys }) => rootKeyUses(rootKeys));
  const use = uses.find(({ rootKey }) => rootKey === id);
  if (use !== undefined && isNeeded(use))
    throw new ExpectedFault(
      `${id} is needed and stays: ${tellUse(use)}. Run \`cli keys rewrap\`; a client that never signs in with its secret needs a new one.`,
    );
  await agreed(deps, yes, `Refuse root key ${id} from now on? Backups that need it open no more.`);
  await replaceSecretFile(file, retired);
  deps.write(
    `${id} is refused from the next start of each process on. It still lies in ${file}: delete its entry, in every copy, to destroy it and with it what old backups need.\n`,
  );
}

export const isNeeded = ({ dataKeys, clientSecrets, records }: RootKeyUse): boolean =>
  dataKeys + clientSecrets.length + records > 0;

export const tellUse = ({ dataKeys, clientSecrets, records }: RootKeyUse): string =>
  `it wraps the keys of ${dataKeys} owners, seals ${records} records, and secrets of ${clientSecrets.length} clients are kept under it${
    clientSecrets.length === 0 ? "" : ` (${clientSecrets.slice(0, 10).join(", ")})`
  }`;
