import type { Client } from "../../domain/client.ts";
import type { Policy } from "../../domain/policy.ts";
import { comparedRules, limit } from "./compare-policies.ts";
import type { DesiredClient, DesiredConfiguration, DesiredPolicy } from "./desired.ts";
import {
  acted,
  type ClientStep,
  change,
  compare,
  type Plan,
  type PolicyStep,
  type SecretStanding,
  type SecretStandings,
  type StoredConfiguration,
  type StoredOrganisation,
} from "./plan.ts";

/** What becomes of a file's clients, each with its policies after it. */
export const planClients = (
  desired: DesiredConfiguration,
  stored: StoredConfiguration,
  standings: SecretStandings,
): readonly (ClientStep | PolicyStep)[] =>
  desired.clients.flatMap((client) => {
    const found = stored.clients.find(({ record }) => record.name === client.name);
    return [
      planClient(client, found?.record, standings.client(client.name)),
      ...client.policies.map((policy) => {
        const organisation = stored.organisations.find(({ record }) => record.name === policy.organisation);
        const kept = found?.policies.find((entry) => entry.organisation === organisation?.record.id);
        return planPolicy(client.name, policy, kept, organisation);
      }),
    ];
  });

function planClient(desired: DesiredClient, stored: Client | undefined, secret: SecretStanding): ClientStep {
  const secretChange =
    stored === undefined
      ? change(
          "secret",
          undefined,
          secret === "not given" ? "made now and shown once" : "taken from where the file points",
        )
      : secret === "new"
        ? change("secret", undefined, "a new one; the one before stays valid beside it")
        : secret === "earlier"
          ? change("secret", undefined, "the earlier one is the newest again")
          : undefined;
  const changes = [
    ...compare([
      ["display_name", stored?.displayName, desired.displayName],
      ["state", stored?.state, desired.state],
      ["return_urls", stored?.returnUrls.join(" "), desired.returnUrls.join(" ")],
    ]),
    ...(secretChange === undefined ? [] : [secretChange]),
  ];
  return {
    kind: "client",
    name: desired.name,
    ...acted(stored, changes),
    desired,
    stored,
    secret,
    raises: secretChange !== undefined || stored?.state !== desired.state,
  };
}

function planPolicy(
  client: string,
  desired: DesiredPolicy,
  stored: Policy | undefined,
  organisation: StoredOrganisation | undefined,
): PolicyStep {
  const nameOf = (id: string) => organisation?.servers.find((server) => server.id === id)?.name ?? id;
  const before = stored?.rules.map((rule) => ({ ...rule, servers: rule.servers?.map(nameOf) }));
  const changes = compare([
    ...comparedRules(before, desired.rules),
    ["tokens_per_minute", stored && String(stored.tokensPerMinute), String(desired.tokensPerMinute)],
    limit("grants_per_hour", stored, stored?.grantsPerHour, desired.grantsPerHour),
  ]);
  return {
    kind: "policy",
    name: `${client} → ${desired.organisation}`,
    ...acted(stored, changes),
    client,
    desired,
    stored,
  };
}

/** Stored clients and policies that the file does not mention. */
export function findOtherClients(
  desired: DesiredConfiguration,
  stored: StoredConfiguration,
): Plan["notInFile"] {
  const clients = new Map(desired.clients.map((entry) => [entry.name, entry]));
  const organisationNames = new Map(stored.organisations.map(({ record }) => [record.id, record.name]));
  return stored.clients.flatMap(({ record, policies }): Plan["notInFile"] => {
    const wanted = clients.get(record.name);
    if (wanted === undefined) return [{ kind: "client", name: record.name }];
    return policies
      .map(({ organisation }) => organisationNames.get(organisation) ?? organisation)
      .filter((name) => !wanted.policies.some(({ organisation }) => organisation === name))
      .map((name) => ({ kind: "policy", name: `${record.name} → ${name}` }));
  });
}
