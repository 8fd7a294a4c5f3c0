import type { Command } from "commander";
import { packageFor, sheetFor } from "../broker/organisations/registration-help.ts";
import { PACKAGE_KINDS, type PackageKind } from "../broker/organisations/registration-package.ts";
import {
  renderRegistrationSheet,
  SHEET_FORMATS,
  type SheetFormat,
} from "../broker/organisations/render-registration-sheet.ts";
import type { CliDeps, JsonOption } from "./build-cli.ts";
import { diagnoseServer } from "./diagnose.ts";
import { ExpectedFault } from "./expected-fault.ts";
import { writeNamedFile } from "./files.ts";
import { findServer } from "./find-server.ts";
import { guarded } from "./guarded.ts";

/** Commands about one server: `registration-sheet`, `registration-package`, `diagnose`. */
export function addServerCommands(program: Command, deps: CliDeps): void {
  const run = guarded(deps);

  program
    .command("registration-sheet")
    .description("the values for every field of Control Center › Applications")
    .argument("<server>", "organisation/server")
    .option("--format <format>", "text, markdown or json", "text")
    .action(run((server: string, options: { format: string }) => sheet(deps, server, options.format)));

  program
    .command("registration-package")
    .description("an upload package for Control Center: its extension, or the one for Work")
    .argument("<server>", "organisation/server")
    .requiredOption("--kind <kind>", "control-center or work")
    .requiredOption("--out <file>", "zip to write; one that is there is replaced")
    .action(run((server: string, options: PackageOptions) => writePackage(deps, server, options)));

  program
    .command("diagnose")
    .description("look at a server step by step: what is wrong, and who changes what where")
    .argument("<server>", "organisation/server")
    .option("--json", "print one JSON object per line: findings, then the whole")
    .action(run((server: string, options: JsonOption) => diagnose(deps, server, options)));
}

interface PackageOptions {
  readonly kind: string;
  readonly out: string;
}

async function sheet(deps: CliDeps, path: string, format: string): Promise<void> {
  if (!isOneOf(SHEET_FORMATS, format)) throw new ExpectedFault("--format must be text, markdown or json.");
  const told = await deps.withBroker(async ({ store }) =>
    sheetFor({ store, names: productNames(deps) }, await findServer(store, path)),
  );
  deps.write(renderRegistrationSheet(told, format));
}

async function writePackage(deps: CliDeps, path: string, { kind, out }: PackageOptions): Promise<void> {
  if (!isOneOf(PACKAGE_KINDS, kind)) throw new ExpectedFault("--kind must be control-center or work.");
  const { bytes } = await deps.withBroker(async ({ store, packages }) =>
    packageFor({ store, packages, names: productNames(deps) }, await findServer(store, path), kind),
  );
  await writeNamedFile(out, bytes);
  deps.write(
    `${out} is the ${kind} package for ${path}. Upload it in Control Center › Settings › Applications, then sign out and in again.\n`,
  );
}

const productNames = (deps: CliDeps) => {
  const names = deps.names();
  return {
    publicBaseUrl: names.PUBLIC_BASE_URL,
    otherBaseUrls: names.OTHER_PUBLIC_BASE_URLS,
    productName: names.PRODUCT_NAME,
    supportContact: names.SUPPORT_CONTACT,
  };
};

const isOneOf = <T extends SheetFormat | PackageKind>(known: readonly T[], word: string): word is T =>
  (known as readonly string[]).includes(word);

async function diagnose(deps: CliDeps, path: string, { json = false }: JsonOption): Promise<void> {
  const well = await deps.withBroker(async (broker) =>
    diagnoseServer(broker, (await findServer(broker.store, path)).id, { json, write: deps.write }),
  );
  if (!well) deps.setExitCode(1);
}
