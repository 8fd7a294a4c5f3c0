import type { Command } from "commander";
import { parse } from "yaml";
import {
  deletePolicy,
  findPolicy,
  listPolicies,
  type PolicyPlace,
  type PolicyView,
  policyWords,
  putPolicy,
} from "../broker/clients/manage-policies.ts";
import { ruleText } from "../domain/policy-texts.en.ts";
import { Problem } from "../domain/problem.ts";
import { agreed, YES } from "./agreed.ts";
import type { CliBroker, CliDeps, JsonOption } from "./build-cli.ts";
import { ExpectedFault } from "./expected-fault.ts";
import { readNamedFile } from "./files.ts";
import { findClientNamed, findOrganisationNamed } from "./find-client.ts";
import { guarded } from "./guarded.ts";
import { type Row, renderRows } from "./render-records.ts";

interface ListOptions extends JsonOption {
  readonly client?: string;
  readonly organisation?: string;
}

interface ChangeOptions extends JsonOption {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

/** Policies that one page of a list takes; the command goes through all pages. */
const PAGE = 500;

/** `policies`: what each client may do in an organisation. By file as well; taken away only here and by API. */
export function addPolicyCommands(program: Command, deps: CliDeps): void {
  const run = guarded(deps);
  const policies = program.command("policies").description("show and change what clients may do");
  const of = (command: string, description: string) =>
    policies
      .command(command)
      .description(description)
      .argument("<client>", "name of the client")
      .argument("<organisation>", "name of the organisation");

  policies
    .command("list")
    .description("every policy, by client")
    .option("--client <name>", "of this client alone")
    .option("--organisation <name>", "in this organisation alone")
    .option("--json", "print for programs")
    .action(run((options: ListOptions) => list(deps, options)));
  of("show", "what one client may do in one organisation")
    .option("--json", "print for programs")
    .action(
      run((client: string, organisation: string, options: JsonOption) =>
        show(deps, client, organisation, options),
      ),
    );
  of("put", "say what a client may do in an organisation: the whole policy, as a configuration file says it")
    .argument("<file>", "YAML or JSON: actions, and what else a policy may say")
    .option("--dry-run", "show the difference, and change nothing")
    .option("--json", "print for programs")
    .action(
      run((client: string, organisation: string, file: string, options: ChangeOptions) =>
        put(deps, client, organisation, file, options),
      ),
    );
  of("delete", "take a policy away: the organisation does not exist for that client any more")
    .option("--dry-run", "show what would be taken away")
    .option(...YES)
    .option("--json", "print for programs")
    .action(
      run((client: string, organisation: string, options: ChangeOptions) =>
        remove(deps, client, organisation, options),
      ),
    );
}

async function list(deps: CliDeps, { client, organisation, json = false }: ListOptions): Promise<void> {
  const views = await deps.withBroker(async ({ store }) => {
    const place = {
      ...(client !== undefined && { client: (await findClientNamed(store, client)).id }),
      ...(organisation !== undefined && {
        organisation: (await findOrganisationNamed(store, organisation)).id,
      }),
    };
    const all: PolicyView[] = [];
    let after: PolicyPlace | undefined;
    do {
      const page = await listPolicies({ store }, "operator", place, after, PAGE);
      all.push(...page.items);
      after = page.next;
    } while (after !== undefined);
    return all;
  });
  if (json) deps.write(print(views.map(forPrograms)));
  else deps.write(views.length === 0 ? "There are no policies yet.\n" : renderRows(views.map(policyRow)));
}

async function show(
  deps: CliDeps,
  client: string,
  organisation: string,
  { json = false }: JsonOption,
): Promise<void> {
  const view = await deps.withBroker(async (broker) => {
    const place = await placeOf(broker, client, organisation);
    return there(client, organisation, findPolicy(broker, "operator", place));
  });
  deps.write(json ? print(forPrograms(view)) : renderRows([policyRow(view)]));
}

async function put(
  deps: CliDeps,
  client: string,
  organisation: string,
  file: string,
  { dryRun = false, json = false }: ChangeOptions,
): Promise<void> {
  const told = readWords(file, await readNamedFile(file));
  const { changes } = await deps.withBroker(async (broker) =>
    putPolicy(broker, "operator", await placeOf(broker, client, organisation), told, {
      dryRun,
      note: broker.note,
    }),
  );
  if (json) return deps.write(print({ applied: !dryRun, changes }));
  const lines = changes.map(
    ({ field, from, to }) => `  ${field}: ${from === undefined ? "" : `${from} → `}${to}\n`,
  );
  const title = changes.length === 0 ? "Nothing changes" : dryRun ? "Would change" : "Changed";
  deps.write(`${title}: ${client} → ${organisation}\n${lines.join("")}`);
}

async function remove(
  deps: CliDeps,
  client: string,
  organisation: string,
  { dryRun = false, yes, json = false }: ChangeOptions,
): Promise<void> {
  if (!dryRun)
    await agreed(
      deps,
      yes,
      `Take the policy of ${client} in ${organisation} away? The organisation is gone for it.`,
    );
  const view = await deps.withBroker(async (broker) => {
    const place = await placeOf(broker, client, organisation);
    const options = { dryRun, note: broker.note };
    return there(client, organisation, deletePolicy(broker, "operator", place, options));
  });
  if (json) deps.write(print({ applied: !dryRun, policy: forPrograms(view) }));
  else deps.write(`${dryRun ? "Would be taken away" : "Taken away"}:\n${renderRows([policyRow(view)])}`);
}

async function placeOf({ store }: CliBroker, client: string, organisation: string): Promise<PolicyPlace> {
  return {
    client: (await findClientNamed(store, client)).id,
    organisation: (await findOrganisationNamed(store, organisation)).id,
  };
}

async function there(client: string, organisation: string, found: Promise<PolicyView>): Promise<PolicyView> {
  return found.catch((error: unknown) => {
    if (error instanceof Problem && error.code === "not_found")
      throw new ExpectedFault(`Client ${client} has no policy in organisation ${organisation}.`);
    throw error;
  });
}

function readWords(file: string, text: string): object {
  try {
    const told: unknown = parse(text);
    if (typeof told === "object" && told !== null && !Array.isArray(told)) return told;
  } catch {
    // The parser's message quotes the file.
  }
  throw new ExpectedFault(`${file} must hold a policy, for example: actions: [token, status]`);
}

/** For programs in the words of a file, which `policies put` takes again; for people in sentences. */
const forPrograms = (view: PolicyView) => ({
  policy: titleOf(view),
  client: view.client.id,
  organisation: view.organisation.id,
  ...policyWords(view),
});

function policyRow(view: PolicyView): Row {
  const { policy, servers } = view;
  const nameOf = (id: string) => servers.find((server) => server.id === id)?.name ?? id;
  return {
    policy: titleOf(view),
    client: view.client.id,
    organisation: view.organisation.id,
    rules: policy.rules.map((rule) => ruleText({ ...rule, servers: rule.servers?.map(nameOf) })),
    tokens_per_minute: policy.tokensPerMinute,
    grants_per_hour: policy.grantsPerHour ?? null,
  };
}

const titleOf = ({ client, organisation }: PolicyView): string => `${client.name} → ${organisation.name}`;

const print = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
