import type { Command } from "commander";
import { previewShredding, shredOrganisation } from "../broker/keys/shred-organisation.ts";
import { minutes } from "../domain/instant.ts";
import type { CliDeps } from "./build-cli.ts";
import { ExpectedFault } from "./expected-fault.ts";
import { writeNamedFile } from "./files.ts";
import { guarded } from "./guarded.ts";

interface ShredOptions {
  readonly confirm?: string;
  readonly revoke?: boolean;
  readonly out?: string;
}

/** How long a command waits for iManage to revoke; what is left then is counted in the certificate. */
const REVOKE_FOR_MS = minutes(10);

export function addOrganisationCommands(program: Command, deps: CliDeps): void {
  const run = guarded(deps);
  program
    .command("organisations")
    .description("end an organisation")
    .command("shred")
    .description("destroy an organisation's keys and records, for good; without --confirm only count them")
    .argument("<name>", "name of the organisation")
    .option("--confirm <name>", "the same name again")
    .option("--revoke", "first revoke its tokens at iManage, for ten minutes at most")
    .option("--out <file>", "write the certificate to a file, not to standard output")
    .action(run((name: string, options: ShredOptions) => shred(deps, name, options)));
}

async function shred(
  deps: CliDeps,
  name: string,
  { confirm, revoke = false, out }: ShredOptions,
): Promise<void> {
  await deps.withBroker(async ({ shredding, note }) => {
    if (confirm === undefined) {
      const { organisation, counts, dataKeys } = await previewShredding(shredding, name);
      const lines = Object.entries(counts)
        .sort(([a], [b]) => a.localeCompare(b))
        .map(([noun, count]) => `  ${String(count).padStart(8)} ${noun}\n`);
      deps.write(
        `${name} (${organisation}) would be destroyed, for good:\n${lines.join("")}  data keys: ${dataKeys.join(", ")}\nNothing was changed. To do it: --confirm ${name}\n`,
      );
      return;
    }
    if (confirm !== name)
      throw new ExpectedFault(`--confirm ${confirm} is not ${name}: nothing was changed.`);
    const { certificate, shredding: done } = await shredOrganisation(shredding, name, {
      note,
      ...(revoke && { revokeForMs: REVOKE_FOR_MS }),
    });
    if (out === undefined) deps.write(`${certificate}\n`);
    else await writeNamedFile(out, Buffer.from(`${certificate}\n`));
    deps.complain(
      `${name} is destroyed. ${done.unrevoked ? `${done.unrevoked} tokens could not be revoked at iManage. ` : ""}Backups that are older can be opened until ${done.rootKeys.join(", ")} are destroyed, in every copy. Keep the certificate, and \`cli keys public\` beside it.\n`,
    );
  });
}
