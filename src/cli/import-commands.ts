import { createHash } from "node:crypto";
import { type Command, InvalidArgumentError } from "commander";
import { type ImportTarget, planImport } from "../broker/import/plan-import.ts";
import { type ReadTerms, readImport, readPeople } from "../broker/import/read-import.ts";
import { openImport, runImport, standing, undoImport } from "../broker/import/run-import.ts";
import { IMPORT_FORMATS, type ImportFile, type ImportFormat } from "../domain/import.ts";
import { minutes } from "../domain/instant.ts";
import { agreed, YES } from "./agreed.ts";
import type { CliBroker, CliDeps, JsonOption } from "./build-cli.ts";
import { readNamedFile } from "./files.ts";
import { findClientNamed } from "./find-client.ts";
import { findServer } from "./find-server.ts";
import { guarded } from "./guarded.ts";
import { progressBar } from "./progress.ts";
import { renderFaults, renderImported, renderPlan, renderStanding, stepsOf } from "./render-import.ts";

/** `import`: refresh tokens that another system kept until now. */
export function addImportCommands(program: Command, deps: CliDeps): void {
  const run = guarded(deps);
  const group = program.command("import").description("bring in refresh tokens that another system keeps");

  fromFile(group.command("plan"))
    .description("rehearse: tell what would become of each line of a file; writes nothing, sends nothing")
    .action(run((file: string, options: FileOptions) => plan(deps, file, options)));
  fromFile(group.command("run"))
    .description(
      "bring a file's tokens in and hold them: the other system goes on; may be killed and run again",
    )
    .action(run((file: string, options: FileOptions) => bringIn(deps, file, options)));
  fromFile(group.command("open"))
    .description("refresh here from now on what the newest file has; the other system is stopped before")
    .option("--first <count>", "only so many of them", count)
    .option("--over <minutes>", "spread the first refreshes over so many minutes", count, 10)
    .option(...YES)
    .action(run((file: string, options: OpenOptions) => open(deps, file, options)));
  group
    .command("steps")
    .description("print what is to be stopped where before `import open`, and the way back")
    .requiredOption("--server <organisation/server>", "the server, as `show servers` lists it")
    .option("--format <format>", `what is to be stopped: ${IMPORT_FORMATS.join(", ")}`, formatOf, "json")
    .option("--json", "print for programs")
    .action(run((options: StepsOptions) => steps(deps, options)));
  group
    .command("status")
    .description("how far an import is, and which authorizations were put aside and why")
    .requiredOption("--server <organisation/server>", "the server, as `show servers` lists it")
    .option("--json", "print for programs")
    .action(run((options: ServerOption) => status(deps, options)));
  group
    .command("undo")
    .description("take out again what was never sent from here, and list the rest; revokes nothing")
    .requiredOption("--server <organisation/server>", "the server, as `show servers` lists it")
    .option(...YES)
    .option("--json", "print for programs")
    .action(run((options: UndoOptions) => undo(deps, options)));
}

interface ServerOption extends JsonOption {
  readonly server: string;
}
interface StepsOptions extends ServerOption {
  readonly format: ImportFormat;
}
interface FileOptions extends ServerOption {
  readonly application: string;
  readonly format: ImportFormat;
  readonly issuedTo?: string;
  readonly people?: string;
  readonly only?: string;
}
interface OpenOptions extends FileOptions {
  readonly first?: number;
  readonly over: number;
  readonly yes?: boolean;
}
interface UndoOptions extends ServerOption {
  readonly yes?: boolean;
}

const fromFile = (command: Command): Command =>
  command
    .argument("<file>", "the export; readable by you alone, and destroyed when it is done")
    .requiredOption("--server <organisation/server>", "the server, as `show servers` lists it")
    .requiredOption("--application <name>", "the client here that asks for these people's tokens")
    .option("--format <format>", `one of ${IMPORT_FORMATS.join(", ")}`, formatOf, "json")
    .option(
      "--issued-to <client-id>",
      "Client ID to which the tokens were issued, where the file does not say",
    )
    .option("--people <file>", "CSV: name,subject,imanage_user of whom the export knows by a name of its own")
    .option("--only <name>", "only this integration (Nango) or authorization server (plugin)")
    .option("--json", "print for programs");

function formatOf(text: string): ImportFormat {
  const found = IMPORT_FORMATS.find((one) => one === text);
  if (found === undefined) throw new InvalidArgumentError(`It is one of ${IMPORT_FORMATS.join(", ")}.`);
  return found;
}

function count(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("It is a whole number.");
  return Number(text);
}

/** As the plugin's `AuthCodeName` makes it; nothing depends on SHA-1 here but to find a name again. */
function credentialPath(name: string): string {
  const digest = createHash("sha1").update(name).digest("hex");
  return `creds/${digest.slice(0, 4)}/${digest.slice(4, 8)}/${digest.slice(8)}`;
}

async function read(file: string, options: FileOptions): Promise<ImportFile> {
  const people = options.people === undefined ? [] : readPeople(await readNamedFile(options.people));
  const { format, issuedTo, only } = options;
  const terms: ReadTerms = { format, issuedTo, only, people, credentialPath };
  return readImport(await readNamedFile(file), terms);
}

async function targetOf({ store }: CliBroker, options: FileOptions): Promise<ImportTarget> {
  return {
    server: await findServer(store, options.server),
    application: await findClientNamed(store, options.application),
  };
}

async function plan(deps: CliDeps, file: string, options: FileOptions): Promise<void> {
  const found = await read(file, options);
  await deps.withBroker(async (broker) => {
    const planned = await planImport(broker.imports, await targetOf(broker, options), found);
    if (planned.faults.length > 0) deps.setExitCode(1);
    deps.write(options.json ? renderPlan(planned, "json") : renderPlan(planned, "text"));
  });
}

async function bringIn(deps: CliDeps, file: string, options: FileOptions): Promise<void> {
  const found = await read(file, options);
  await deps.withBroker(async (broker) => {
    const target = await targetOf(broker, options);
    const bar = progressBar(deps.screen, "imported");
    const result = await runImport(broker.imports, target, found, broker.note, bar.at).finally(bar.end);
    if (result.faults.length > 0) deps.setExitCode(1);
    if (options.json) deps.write(`${JSON.stringify(result)}\n`);
    else deps.write(`${renderImported(result)}\n${stepsOf(options.format, options.server)}`);
  });
}

async function open(deps: CliDeps, file: string, options: OpenOptions): Promise<void> {
  const found = await read(file, options);
  await agreed(
    deps,
    options.yes,
    `Is everything stopped that \`cli import steps --server ${options.server} --format ${options.format}\` names, and was ${file} exported after that? From now on these refresh tokens are used here; where iManage gives another with each use, the other system's are void.`,
  );
  await deps.withBroker(async (broker) => {
    const target = await targetOf(broker, options);
    const bar = progressBar(deps.screen, "opened");
    const { first = Number.POSITIVE_INFINITY, over } = options;
    const terms = { first, overMs: minutes(over), note: broker.note };
    const result = await openImport(broker.imports, target, found, terms, bar.at).finally(bar.end);
    if (result.faults.length > 0) deps.setExitCode(1);
    if (options.json) {
      deps.write(`${JSON.stringify(result)}\n`);
      return;
    }
    deps.write(
      `${result.opened} authorizations are refreshed here from now on, their first refreshes within ${over} minutes by the workers; ${result.before} were opened before, ${result.left} are held.\n${renderFaults(result.faults)}How it goes: \`cli import status --server ${options.server}\`\n`,
    );
  });
}

async function steps(deps: CliDeps, { server, format, json = false }: StepsOptions): Promise<void> {
  await deps.withBroker(async ({ store }) => {
    await findServer(store, server);
    const text = stepsOf(format, server);
    deps.write(json ? `${JSON.stringify({ steps: text.trim().split("\n") })}\n` : text);
  });
}

async function status(deps: CliDeps, { server, json = false }: ServerOption): Promise<void> {
  await deps.withBroker(async ({ store, imports }) => {
    const found = await standing(imports, await findServer(store, server));
    deps.write(json ? `${JSON.stringify(found)}\n` : renderStanding(found));
  });
}

async function undo(deps: CliDeps, { server, yes, json = false }: UndoOptions): Promise<void> {
  await agreed(
    deps,
    yes,
    `Take out of ${server} everything that was imported and never used here? Nothing is revoked; the other system goes on with it.`,
  );
  await deps.withBroker(async ({ store, imports, note }) => {
    const result = await undoImport(imports, await findServer(store, server), note);
    const spent = result.spent.map(({ grant, owner }) => ({ grant, user: owner?.userId }));
    if (json) {
      deps.write(`${JSON.stringify({ undone: result.undone, spent })}\n`);
      return;
    }
    const list = spent.map(({ grant, user }) => `  ${grant}  ${user}\n`).join("");
    deps.write(
      `${result.undone} were taken out; the other system goes on with these.\n${
        spent.length === 0
          ? ""
          : `${spent.length} were used here, so that the other system's refresh token is void where iManage gives another with each use. These people go on here, or authorise once in the other system:\n${list}`
      }`,
    );
  });
}
