import type { Command } from "commander";
import type { CliDeps } from "./build-cli.ts";
import { addDataKeyCommands } from "./data-key-commands.ts";
import { createSecretFile } from "./files.ts";
import { guarded } from "./guarded.ts";
import { addRootKeyCommands } from "./root-key-commands.ts";

/** `keys`: files of secrets, made without a keyset and without Redis; root keys and data keys through their lives. */
export function addKeyCommands(program: Command, deps: CliDeps): void {
  const run = guarded(deps);

  const keys = program.command("keys").description("make keys and secrets");
  keys
    .command("create")
    .description("write a new root keyset; keep a copy off this machine")
    .argument("<file>", "file to create (mode 0600)")
    .option("--wrapped", "wrap its key by VAULT_TRANSIT_KEY: the file alone opens nothing")
    .action(run((file: string, options: WrappedOption) => createKeyset(deps, file, options)));
  keys
    .command("client-secret")
    .description("write a new secret for a client, to be named as secret_file")
    .argument("<file>", "file to create (mode 0600)")
    .action(run((file: string) => createClientSecretFile(deps, file)));
  addRootKeyCommands(keys, deps);
  addDataKeyCommands(keys, deps);
}

interface WrappedOption {
  readonly wrapped?: boolean;
}

async function createKeyset(deps: CliDeps, file: string, { wrapped = false }: WrappedOption): Promise<void> {
  const bare = deps.createRootKeyset();
  await createSecretFile(file, wrapped ? await deps.rootKeysetFiles.wrap(bare.reveal()) : bare);
  deps.write(
    `${file} holds a new root keyset. Name it in ROOT_KEYSET_FILE and keep a copy off this machine: without it nothing opens again.\n`,
  );
}

async function createClientSecretFile(deps: CliDeps, file: string): Promise<void> {
  await createSecretFile(file, deps.createClientSecret());
  deps.write(`${file} holds a new client secret. Name it as the client's secret_file and apply.\n`);
}
