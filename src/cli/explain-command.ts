import type { Command } from "commander";
import { type Explanation, explainAccess } from "../broker/access/explain-access.ts";
import { CHECK_TEXTS } from "../domain/access-checks.ts";
import { rfc3339 } from "../domain/instant.ts";
import { CLIENT_ACTIONS, type ClientAction } from "../domain/policy.ts";
import { DENIAL_TEXTS, ruleText } from "../domain/policy-texts.en.ts";
import { PROBLEMS } from "../domain/problem-catalogue.ts";
import { CLIENT_ISSUER, type Subject } from "../domain/subject.ts";
import type { CliBroker, CliDeps, JsonOption } from "./build-cli.ts";
import { ExpectedFault } from "./expected-fault.ts";
import { guarded } from "./guarded.ts";

export function addExplainCommand(program: Command, deps: CliDeps): void {
  const run = guarded(deps);
  const policies =
    program.commands.find((command) => command.name() === "policies") ??
    program.command("policies").description("look at policies");

  policies
    .command("explain")
    .description("tell why a client's request is allowed or is not, also one that nobody has made")
    .requiredOption("--client <name>", "name of the client")
    .requiredOption("--organisation <name>", "name of the organisation")
    .requiredOption("--action <action>", CLIENT_ACTIONS.join(", "))
    .option("--server <name>", "name of the server in the organisation")
    .option("--user <id>", "the user, as the client names him")
    .option("--library <id>", "or the library")
    .option("--purpose <text>", "the purpose that the request gives")
    .option("--min-ttl <seconds>", "the life that it asks for")
    .option("--address <ip>", "where it comes from; not looked at if not given")
    .option("--at <moment>", "for the policy's hours and end, like 2027-06-30T22:00:00Z; now if not given")
    .option("--json", "print for programs")
    .action(run((options: ExplainOptions) => explain(deps, options)));
}

interface ExplainOptions extends JsonOption {
  readonly client: string;
  readonly organisation: string;
  readonly action: string;
  readonly server?: string;
  readonly user?: string;
  readonly library?: string;
  readonly purpose?: string;
  readonly minTtl?: string;
  readonly address?: string;
  readonly at?: string;
}

async function explain(deps: CliDeps, options: ExplainOptions): Promise<void> {
  const { purpose, address, json = false } = options;
  const action = CLIENT_ACTIONS.find((known) => known === options.action);
  if (action === undefined)
    throw new ExpectedFault(`There is no action ${options.action}: ${CLIENT_ACTIONS.join(", ")}.`);
  const at = options.at === undefined ? undefined : Date.parse(options.at);
  if (Number.isNaN(at)) throw new ExpectedFault(`${options.at} is no moment like 2027-06-30T22:00:00Z.`);
  const minTtlMs = options.minTtl === undefined ? undefined : Number(options.minTtl) * 1_000;
  if (Number.isNaN(minTtlMs)) throw new ExpectedFault(`--min-ttl ${options.minTtl} is no number of seconds.`);
  const subject = subjectOf(options);
  await deps.withBroker(async (broker) => {
    const { note } = broker;
    const { client, organisation, server, nameOf } = await find(broker, options);
    const told = await explainAccess(broker.explain, {
      ...{ client, organisation, server, action, subject, purpose, minTtlMs, address, at, note },
    });
    deps.write(json ? `${JSON.stringify(asJson(told), undefined, 2)}\n` : render(told, action, nameOf));
  });
}

function subjectOf({ user, library }: ExplainOptions): Subject | undefined {
  if (user !== undefined && library !== undefined) {
    throw new ExpectedFault("--user and --library do not go together: name one of the two.");
  }
  if (library !== undefined) return { type: "library", id: library };
  return user === undefined ? undefined : { type: "user", issuer: CLIENT_ISSUER, id: user };
}

async function find({ store }: CliBroker, options: ExplainOptions) {
  const client = await store.findClientByName(options.client);
  if (client === undefined) throw new ExpectedFault(`There is no client named ${options.client}.`);
  const organisation = await store.findOrganisationByName(options.organisation);
  if (organisation === undefined)
    throw new ExpectedFault(`There is no organisation named ${options.organisation}.`);
  const servers = await store.listServers(organisation.id);
  const server = servers.find(({ name }) => name === options.server);
  if (options.server !== undefined && server === undefined) {
    throw new ExpectedFault(`There is no server ${options.organisation}/${options.server}.`);
  }
  const nameOf = (id: string) => servers.find((one) => one.id === id)?.name ?? id;
  return { client: client.id, organisation: organisation.id, server: server?.id, nameOf };
}

function render(told: Explanation, action: ClientAction, nameOf: (server: string) => string): string {
  const { verdict, rule, problem, limits, refreshesFirst } = told;
  const text = rule && ruleText(rule.rule, nameOf);
  const lines = [
    `${told.allowed ? "Allowed" : "Not allowed"}: ${action}, at ${rfc3339(told.at)}.`,
    ...(rule === undefined ? [] : [`${verdict.allowed ? "By" : "Nearest is"} rule ${rule.number}: ${text}.`]),
    ...(verdict.allowed
      ? []
      : verdict.reasons.flatMap(({ because, rule: at, until }) => {
          const { sentence, action: act } = DENIAL_TEXTS[because];
          const where = at === undefined ? "" : `rule ${at + 1}: `;
          return [
            `  ${where}${sentence}${until === undefined ? "" : ` Until ${rfc3339(until)}.`}`,
            `    → ${act}`,
          ];
        })),
    ...told.checks.map(
      ({ check, outcome }) => `${outcome.replace("_", " ").padEnd(12)} ${CHECK_TEXTS[check]}`,
    ),
    ...(problem === undefined || !verdict.allowed
      ? []
      : [
          `It would be answered ${problem.code}: ${PROBLEMS[problem.code].title}`,
          `    → ${problem.details.instead?.action ?? PROBLEMS[problem.code].action}`,
        ]),
    ...(refreshesFirst ? ["The token would have to be refreshed at iManage first."] : []),
    ...(limits === undefined ? [] : [limitsLine(limits)]),
  ];
  return `${lines.join("\n")}\n`;
}

function limitsLine({
  tokensPerMinute,
  grantsPerHour,
  left,
  minTtlMaxMs,
  toldUntil,
}: NonNullable<Explanation["limits"]>): string {
  const parts = [
    `tokens ${tokensPerMinute} a minute${left === undefined ? "" : `, ${left.tokens} at this moment`}`,
    ...(grantsPerHour === undefined
      ? []
      : [
          `different grants ${grantsPerHour} an hour${left?.grants === undefined ? "" : `, ${left.grants} left`}`,
        ]),
    ...(minTtlMaxMs === undefined ? [] : [`min_ttl at most ${minTtlMaxMs / 1_000} s`]),
    ...(toldUntil === undefined ? [] : [`told to live until ${rfc3339(toldUntil)} at most`]),
  ];
  return `Limits: ${parts.join("; ")}.`;
}

const asJson = ({ problem, ...told }: Explanation) => ({
  ...told,
  at: rfc3339(told.at),
  problem: problem?.code,
});
