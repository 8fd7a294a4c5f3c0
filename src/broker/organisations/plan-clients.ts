import type { Client } from "../../domain/client.ts";
import type { Policy } from "../../domain/policy.ts";
import { comparedRules, limit, sameRules } from "./compare-policies.ts";
import type { DesiredClient, DesiredConfiguration, DesiredPolicy } from "./desired.ts";
import { certificateText } from "./desired-certificate.ts";
import { encryptionText, keysText } from "./desired-client-keys.ts";
import {
  acted,
  type Change,
  type ClientStep,
  change,
  compare,
  type Plan,
  type PolicyStep,
  type Refusal,
  type SecretStanding,
  type SecretStandings,
  type Step,
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

export function planClient(
  desired: DesiredClient,
  stored: Client | undefined,
  secret: SecretStanding,
): ClientStep {
  const certificate = toldOr(desired.certificate, stored?.certificate);
  const keys = toldOr(desired.keys, stored?.keys);
  const encryption = toldOr(desired.tokenEncryption, stored?.tokenEncryption);
  const proofs = [
    ...secretChange(desired, stored, secret),
    ...unlike("certificate", stored?.certificate, certificate, certificateText),
    ...unlike("keys", stored?.keys, keys, keysText),
    ...unlike("token_encryption", stored?.tokenEncryption, encryption, encryptionText),
  ];
  const changes = [
    ...compare([
      ["display_name", stored?.displayName, desired.displayName],
      ["state", stored?.state, desired.state],
      ["role", stored?.role ?? "app", desired.role],
      ["return_urls", stored?.returnUrls.join(" "), desired.returnUrls.join(" ")],
    ]),
    ...proofs,
    ...expiryChange(desired, stored, secret),
  ];
  return {
    kind: "client",
    name: desired.name,
    ...acted(stored, changes),
    desired,
    stored,
    secret,
    raises: proofs.length > 0 || stored?.state !== desired.state,
  };
}

/** `none` takes away; silence leaves. */
export const toldOr = <T>(told: T | "none" | undefined, stored: T | undefined): T | undefined =>
  told === undefined ? stored : told === "none" ? undefined : told;

function secretChange(
  desired: DesiredClient,
  stored: Client | undefined,
  secret: SecretStanding,
): readonly Change[] {
  const told = (to: string) => [change("secret", undefined, to)];
  if (secret === "earlier") return told("the earlier one is the newest again");
  if (stored === undefined && secret === "not given") {
    return told(
      makesSecret(desired)
        ? "made now and shown once"
        : toldOr(desired.keys, undefined)
          ? "none: it has keys"
          : "none: it has a certificate",
    );
  }
  if (secret !== "new") return [];
  return told(
    stored === undefined
      ? "taken from where the file points"
      : stored.secrets.length > 1
        ? "a new one; the one before stays valid beside it, the oldest for 24 hours more"
        : "a new one; the one before stays valid beside it",
  );
}

/** A new client of which no secret is told gets one, unless it proves itself otherwise. */
export const makesSecret = (desired: Pick<DesiredClient, "keys" | "certificate">): boolean =>
  toldOr(desired.keys, undefined) === undefined && toldOr(desired.certificate, undefined) === undefined;

/** Two values that are no texts: told in words, compared as they are. */
export function unlike<T>(
  field: string,
  stored: T | undefined,
  wanted: T | undefined,
  tell: (value: T | undefined) => string,
): readonly Change[] {
  return JSON.stringify(stored) === JSON.stringify(wanted)
    ? []
    : [change(field, stored && tell(stored), tell(wanted))];
}

function expiryChange(
  { secretExpires }: DesiredClient,
  stored: Client | undefined,
  secret: SecretStanding,
): readonly Change[] {
  const newest = stored?.secrets[secret === "earlier" ? 1 : 0];
  if (secretExpires === undefined) return [];
  const wanted = secretExpires === "never" ? undefined : secretExpires;
  const now = secret === "new" ? undefined : newest?.expiresAt;
  return now === wanted
    ? []
    : [change("secret_expires", secret === "new" ? undefined : day(now), day(wanted))];
}

const day = (at: number | undefined): string =>
  at === undefined ? "never" : new Date(at).toISOString().slice(0, 10);

/** What follows for people from what becomes of the clients. */
export const clientWarnings = (steps: readonly Step[]): readonly Refusal[] =>
  steps.flatMap((step): readonly Refusal[] => {
    if (step.kind !== "client") return [];
    const { desired, stored, secret, name } = step;
    const keyless =
      toldOr(desired.keys, stored?.keys) === undefined &&
      toldOr(desired.certificate, stored?.certificate) === undefined;
    return [
      ...(secret === "new" && (stored?.secrets.length ?? 0) > 1
        ? [
            {
              name: `client ${name}`,
              message:
                "has two secrets already: the oldest of the three ends in 24 hours. Find who still uses it",
            },
          ]
        : []),
      ...(keyless && stored?.secrets.length === 0 && secret === "not given"
        ? [
            {
              name: `client ${name}`,
              message:
                "has nothing to prove itself by: no keys, no certificate and no secret. `cli clients new-secret` makes one",
            },
          ]
        : []),
    ];
  });

export function planPolicy(
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
  if (before !== undefined && changes.length === 0 && !sameRules(before, desired.rules))
    changes.push(change("rules", "others that read alike", "as they are told now"));
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
