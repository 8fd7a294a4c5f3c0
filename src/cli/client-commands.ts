import type { Command } from "commander";
import { renewClientSecret } from "../broker/organisations/renew-client-secret.ts";
import type { CliDeps } from "./build-cli.ts";
import { guarded } from "./guarded.ts";

export function addClientCommands(program: Command, deps: CliDeps): void {
  const run = guarded(deps);

  program
    .command("clients")
    .description("change clients")
    .command("new-secret")
    .description("make a client's next secret; the one before stays valid beside it")
    .argument("<name>", "name of the client")
    .action(run((name: string) => newSecret(deps, name)));
}

async function newSecret(deps: CliDeps, name: string): Promise<void> {
  const { id, secret } = await deps.withBroker((broker) => renewClientSecret(broker, name, broker.note));
  deps.write(
    `Secret of client ${name} (${id}), shown this once; the one before stays valid beside it:\n${secret.reveal()}\n`,
  );
}
