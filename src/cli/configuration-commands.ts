import type { Command } from "commander";
import { applyConfiguration } from "../broker/organisations/apply-configuration.ts";
import type { CliDeps, JsonOption } from "./build-cli.ts";
import { readConfigurationFile } from "./configuration-file.ts";
import { ExpectedFault } from "./expected-fault.ts";
import { fileReaders, readNamedFile, secretSource } from "./files.ts";
import { guarded } from "./guarded.ts";
import { renderPlan, renderRemarks, renderResult, resultAsJson } from "./render-plan.ts";

export function addConfigurationCommands(program: Command, deps: CliDeps): void {
  const run = guarded(deps);

  program
    .command("check")
    .description("read a configuration file and tell every fault; touches nothing else")
    .argument("<file>", "YAML file, as config/example.*.yaml")
    .option("--json", "print what it names, for programs")
    .action(run((file: string, options: JsonOption) => check(deps, file, options)));

  program
    .command("apply")
    .description("make the broker what a configuration file says; twice does no harm")
    .argument("<file>", "YAML file, as config/example.*.yaml")
    .option("--dry-run", "show the difference and change nothing")
    .option("--json", "print the result for programs")
    .action(run((file: string, options: ApplyOptions) => apply(deps, file, options)));
}

interface ApplyOptions extends JsonOption {
  readonly dryRun?: boolean;
}

export async function readDesired(deps: CliDeps, file: string) {
  const reading = readConfigurationFile(
    await readNamedFile(file),
    deps.addressRules(),
    fileReaders(file, deps.readCertificates),
  );
  if (reading.ok) return reading;
  const { faults, warnings } = reading;
  const count = faults.length === 1 ? "one fault" : `${faults.length} faults`;
  throw new ExpectedFault(
    `${renderRemarks(file, faults)}${renderRemarks(file, warnings, "warning: ")}${file} has ${count}; nothing was changed.`,
  );
}

async function check(deps: CliDeps, file: string, { json = false }: JsonOption): Promise<void> {
  const { desired, warnings } = await readDesired(deps, file);
  deps.complain(renderRemarks(file, warnings, "warning: "));
  const servers = desired.organisations.flatMap((organisation) => organisation.servers).length;
  if (json) {
    const { organisations, sharedRegistrations, clients } = desired;
    const names = (all: readonly { readonly name: string }[]) => all.map(({ name }) => name);
    const told = { organisations: names(organisations), clients: names(clients) };
    return deps.write(
      `${JSON.stringify({ file, ...told, servers, shared_registrations: names(sharedRegistrations) })}\n`,
    );
  }
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
