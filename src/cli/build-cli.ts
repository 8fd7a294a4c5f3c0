import { Command } from "commander";
import type { GrantPosition, GrantStore } from "../broker/grants/ports.ts";
import { type ApplyPorts, applyConfiguration } from "../broker/organisations/apply-configuration.ts";
import type { CertificateReader } from "../broker/organisations/desired-configuration.ts";
import {
  packageFor,
  type RegistrationHelpPorts,
  sheetFor,
} from "../broker/organisations/registration-help.ts";
import { PACKAGE_KINDS, type PackageKind } from "../broker/organisations/registration-package.ts";
import {
  renderRegistrationSheet,
  SHEET_FORMATS,
  type SheetFormat,
} from "../broker/organisations/render-registration-sheet.ts";
import { renewClientSecret } from "../broker/organisations/renew-client-secret.ts";
import type { AddressRules } from "../broker/organisations/server-address.ts";
import type { AuditNote } from "../broker/ports.ts";
import type { ServerProfiles } from "../broker/profile/ports.ts";
import type { GateReader } from "../broker/refresh/ports.ts";
import type { Settings } from "../config/settings.ts";
import { Problem } from "../domain/problem.ts";
import { PROBLEMS } from "../domain/problem-catalogue.ts";
import type { Secret } from "../domain/secret.ts";
import type { Server } from "../domain/server.ts";
import { readConfigurationFile } from "./configuration-file.ts";
import { type DiagnoseBroker, diagnoseServer } from "./diagnose.ts";
import { ExpectedFault } from "./expected-fault.ts";
import {
  certificateReaders,
  createSecretFile,
  readNamedFile,
  secretSource,
  writeNamedFile,
} from "./files.ts";
import { renderPlan, renderRemarks, renderResult, resultAsJson } from "./render-plan.ts";
import {
  clientRows,
  grantRow,
  organisationRows,
  type Row,
  renderRows,
  serverRows,
} from "./render-records.ts";

/** What the commands need. Functions, so that `check` and `keys` ask for no Redis, no keyset and no settings. */
export interface CliDeps {
  /** To standard output. */
  readonly write: (text: string) => void;
  /** To standard error. */
  readonly complain: (text: string) => void;
  /** Makes the process end with this code once it is done. */
  readonly setExitCode: (code: number) => void;
  /** One variable of the environment, for `client_secret_env` and `secret_env`. */
  readonly environment: (name: string) => string | undefined;
  /** What `check` and `apply` accept besides https on public hosts: {@link addressRulesOf} the settings. */
  readonly addressRules: () => AddressRules;
  readonly names: () => Pick<
    Settings,
    "PUBLIC_BASE_URL" | "OTHER_PUBLIC_BASE_URLS" | "PRODUCT_NAME" | "SUPPORT_CONTACT"
  >;
  /** What a PEM text of certificates holds. A fault continues `ca_file` to a sentence. */
  readonly readCertificates: CertificateReader;
  /** The text of a new root keyset. */
  readonly createRootKeyset: () => Secret;
  /** A new secret for a downstream client. Needs no keyset: its HMAC is made when a file that names it is applied. */
  readonly createClientSecret: () => Secret;
  /** Connects, lets `use` work, and closes whatever becomes of it. */
  readonly withBroker: <T>(use: (broker: CliBroker) => Promise<T>) => Promise<T>;
  /** A sentence for errors of rooms this one does not know (settings, keyset, store); undefined: unforeseen. */
  readonly explain: (error: unknown) => string | undefined;
}

export interface CliBroker
  extends Omit<ApplyPorts, "secretSource">,
    Pick<RegistrationHelpPorts, "packages">,
    DiagnoseBroker {
  readonly grants: Pick<GrantStore, "listGrants">;
  /** Who is at the terminal, for the audit. */
  readonly note: AuditNote;
  readonly profiles: Pick<ServerProfiles, "findProfile"> & GateReader;
}

/** The settings' part in {@link AddressRules}. */
export const addressRulesOf = (
  settings: Pick<Settings, "NODE_ENV" | "EGRESS_LOOPBACK_ORIGINS">,
): AddressRules => ({
  loopbackOrigins: settings.EGRESS_LOOPBACK_ORIGINS,
  loopbackReturnUrls: settings.NODE_ENV !== "production",
});

/** What an operator does by hand. */
export function buildCli(deps: CliDeps): Command {
  const cli = new Command("cli")
    .description("What an operator does by hand: configure, look, make keys.")
    .configureOutput({ writeOut: deps.write, writeErr: deps.complain })
    .showHelpAfterError("(add --help for the commands and their options)");
  const run = guarded(deps);

  cli
    .command("check")
    .description("read a configuration file and tell every fault; touches nothing else")
    .argument("<file>", "YAML file, as config/example.*.yaml")
    .action(run((file: string) => check(deps, file)));

  cli
    .command("apply")
    .description("make the broker what a configuration file says; twice does no harm")
    .argument("<file>", "YAML file, as config/example.*.yaml")
    .option("--dry-run", "show the difference and change nothing")
    .option("--json", "print the result for programs")
    .action(run((file: string, options: ApplyOptions) => apply(deps, file, options)));

  const keys = cli.command("keys").description("make keys and secrets");
  keys
    .command("create")
    .description("write a new root keyset; keep a copy off this machine")
    .argument("<file>", "file to create (mode 0600)")
    .action(run((file: string) => createKeyset(deps, file)));
  keys
    .command("client-secret")
    .description("write a new secret for a client, to be named as secret_file")
    .argument("<file>", "file to create (mode 0600)")
    .action(run((file: string) => createClientSecretFile(deps, file)));

  cli
    .command("show")
    .description("show organisations, servers or clients")
    .argument("<what>", "organisations, servers or clients")
    .option("--json", "print for programs")
    .action(run((what: string, options: JsonOption) => show(deps, what, options)));

  cli
    .command("grants")
    .description("look at authorizations")
    .command("list")
    .description("list the authorizations of an organisation, oldest first")
    .requiredOption("--organisation <name>", "name of the organisation")
    .option("--json", "print one JSON object per line")
    .action(run((options: GrantsOptions) => listGrants(deps, options)));

  cli
    .command("clients")
    .description("change clients")
    .command("new-secret")
    .description("make a client's next secret; the one before stays valid beside it")
    .argument("<name>", "name of the client")
    .action(run((name: string) => newSecret(deps, name)));

  cli
    .command("registration-sheet")
    .description("the values for every field of Control Center › Applications")
    .argument("<server>", "organisation/server")
    .option("--format <format>", "text, markdown or json", "text")
    .action(run((server: string, options: { format: string }) => sheet(deps, server, options.format)));

  cli
    .command("registration-package")
    .description("an upload package for Control Center: its extension, or the one for Work")
    .argument("<server>", "organisation/server")
    .requiredOption("--kind <kind>", "control-center or work")
    .requiredOption("--out <file>", "zip to write; one that is there is replaced")
    .action(run((server: string, options: PackageOptions) => writePackage(deps, server, options)));

  cli
    .command("diagnose")
    .description("look at a server step by step: what is wrong, and who changes what where")
    .argument("<server>", "organisation/server")
    .option("--json", "print one JSON object per line: findings, then the whole")
    .action(run((server: string, options: JsonOption) => diagnose(deps, server, options)));

  return cli;
}

interface JsonOption {
  readonly json?: boolean;
}
interface ApplyOptions extends JsonOption {
  readonly dryRun?: boolean;
}
interface PackageOptions {
  readonly kind: string;
  readonly out: string;
}
interface GrantsOptions extends JsonOption {
  readonly organisation: string;
}

/** Errors an operator can mend become one block on standard error; unforeseen ones keep their stack. */
function guarded(deps: CliDeps) {
  return <A extends unknown[]>(command: (...args: A) => Promise<void>) =>
    async (...args: A): Promise<void> => {
      try {
        await command(...args);
      } catch (error) {
        const text = explain(error) ?? deps.explain(error);
        if (text === undefined) throw error;
        deps.complain(`${text.trimEnd()}\n`);
        deps.setExitCode(1);
      }
    };
}

function explain(error: unknown): string | undefined {
  if (error instanceof ExpectedFault) return error.message;
  return error instanceof Problem ? `${error.message}\n${PROBLEMS[error.code].action}` : undefined;
}

async function readDesired(deps: CliDeps, file: string) {
  const reading = readConfigurationFile(
    await readNamedFile(file),
    deps.addressRules(),
    certificateReaders(file, deps.readCertificates),
  );
  if (reading.ok) return reading;
  const { faults, warnings } = reading;
  const count = faults.length === 1 ? "one fault" : `${faults.length} faults`;
  throw new ExpectedFault(
    `${renderRemarks(file, faults)}${renderRemarks(file, warnings, "warning: ")}${file} has ${count}; nothing was changed.`,
  );
}

async function check(deps: CliDeps, file: string): Promise<void> {
  const { desired, warnings } = await readDesired(deps, file);
  deps.complain(renderRemarks(file, warnings, "warning: "));
  const servers = desired.organisations.flatMap((organisation) => organisation.servers).length;
  deps.write(
    `${file} is right: ${desired.organisations.length} organisations, ${servers} servers, ${desired.sharedRegistrations.length} shared registrations, ${desired.clients.length} clients.\n`,
  );
}

async function apply(
  deps: CliDeps,
  file: string,
  { dryRun = false, json = false }: ApplyOptions,
): Promise<void> {
  const { desired, warnings } = await readDesired(deps, file);
  const { PUBLIC_BASE_URL } = deps.names();
  const result = await deps.withBroker((broker) =>
    applyConfiguration({ ...broker, secretSource: secretSource(file, deps.environment) }, desired, {
      dryRun,
      note: broker.note,
    }),
  );
  const refusals = result.plan.refusals.map(({ name, message }) => `${file}: ${name} ${message}.\n`).join("");

  if (json) deps.write(resultAsJson(result, warnings, PUBLIC_BASE_URL));
  else {
    deps.complain(renderRemarks(file, warnings, "warning: "));
    deps.write(renderPlan(result.plan));
    if (refusals === "") deps.write(renderResult(result, PUBLIC_BASE_URL));
  }
  if (refusals !== "") throw new ExpectedFault(`${refusals}Refused; nothing was changed.`);
}

async function createKeyset(deps: CliDeps, file: string): Promise<void> {
  await createSecretFile(file, deps.createRootKeyset());
  deps.write(
    `${file} holds a new root keyset. Name it in ROOT_KEYSET_FILE and keep a copy off this machine: without it nothing opens again.\n`,
  );
}

async function createClientSecretFile(deps: CliDeps, file: string): Promise<void> {
  await createSecretFile(file, deps.createClientSecret());
  deps.write(`${file} holds a new client secret. Name it as the client's secret_file and apply.\n`);
}

async function show(deps: CliDeps, what: string, { json = false }: JsonOption): Promise<void> {
  if (!["organisations", "servers", "clients"].includes(what)) {
    throw new ExpectedFault(`There are no ${what} to show: organisations, servers or clients.`);
  }
  const { PUBLIC_BASE_URL } = deps.names();
  const rows = await deps.withBroker((broker): Promise<Row[]> => {
    if (what === "organisations") return organisationRows(broker.store);
    return what === "servers" ? serverRows(broker, PUBLIC_BASE_URL) : clientRows(broker.store);
  });
  if (json) deps.write(`${JSON.stringify(rows, undefined, 2)}\n`);
  else deps.write(rows.length === 0 ? `There are no ${what} yet.\n` : renderRows(rows));
}

const GRANTS_PER_PAGE = 500;

async function listGrants(deps: CliDeps, { organisation: name, json = false }: GrantsOptions): Promise<void> {
  await deps.withBroker(async ({ store, grants }) => {
    const organisation = await store.findOrganisationByName(name);
    if (organisation === undefined) throw new ExpectedFault(`There is no organisation named ${name}.`);
    let after: GrantPosition | undefined;
    let count = 0;
    for (;;) {
      const page = await grants.listGrants(organisation.id, after, GRANTS_PER_PAGE);
      count += page.length;
      if (json) for (const grant of page) deps.write(`${JSON.stringify(grantRow(grant))}\n`);
      else if (page.length > 0) deps.write(`${renderRows(page.map(grantRow))}\n`);
      const last = page.at(-1);
      if (last === undefined || page.length < GRANTS_PER_PAGE) break;
      after = { createdAt: last.createdAt, id: last.id };
    }
    if (!json) deps.write(`${count} authorizations.\n`);
  });
}

async function newSecret(deps: CliDeps, name: string): Promise<void> {
  const { id, secret } = await deps.withBroker((broker) => renewClientSecret(broker, name, broker.note));
  deps.write(
    `Secret of client ${name} (${id}), shown this once; the one before stays valid beside it:\n${secret.reveal()}\n`,
  );
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

async function findServer(store: ApplyPorts["store"], path: string): Promise<Server> {
  const [organisationName = "", serverName = ""] = path.split("/");
  const organisation = await store.findOrganisationByName(organisationName);
  const server = organisation && (await store.findServerByName(organisation.id, serverName));
  if (server !== undefined) return server;
  throw new ExpectedFault(
    `There is no server ${path}. It is written organisation/server, as \`cli show servers\` lists them.`,
  );
}

const isOneOf = <T extends SheetFormat | PackageKind>(known: readonly T[], word: string): word is T =>
  (known as readonly string[]).includes(word);

async function diagnose(deps: CliDeps, path: string, { json = false }: JsonOption): Promise<void> {
  const well = await deps.withBroker(async (broker) =>
    diagnoseServer(broker, (await findServer(broker.store, path)).id, { json, write: deps.write }),
  );
  if (!well) deps.setExitCode(1);
}
