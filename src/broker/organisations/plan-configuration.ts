import { everyone } from "../../domain/members.ts";
import type { Organisation } from "../../domain/organisation.ts";
import type { Registration } from "../../domain/registration.ts";
import type { Server } from "../../domain/server.ts";
import { tokenOriginOf } from "../seal-contexts.ts";
import { compareCertificates } from "./compare-certificates.ts";
import { changeOfMembers } from "./compare-members.ts";
import { settingsCompared } from "./compare-settings.ts";
import type {
  DesiredConfiguration,
  DesiredOrganisation,
  DesiredRegistration,
  DesiredServer,
} from "./desired.ts";
import { identityProviderText } from "./desired-identity-provider.ts";
import {
  acted,
  change,
  compare,
  type OrganisationStep,
  type Plan,
  placeName,
  type Refusal,
  type RegistrationPlace,
  type RegistrationStep,
  type SecretStanding,
  type SecretStandings,
  type ServerStep,
  type Step,
  type StoredConfiguration,
} from "./plan.ts";
import { clientWarnings, findOtherClients, planClients, toldOr, unlike } from "./plan-clients.ts";

/** The difference between what a file wants and what is stored. Pure. */
export function planConfiguration(
  desired: DesiredConfiguration,
  stored: StoredConfiguration,
  standings: SecretStandings,
): Plan {
  const organisationOf = (name: string) => stored.organisations.find(({ record }) => record.name === name);

  const registrations = registrationsOf(desired).map(({ place, wanted }) => {
    const kept =
      place.organisation === undefined
        ? stored.sharedRegistrations
        : (organisationOf(place.organisation)?.registrations ?? []);
    const found = kept.find(({ name }) => name === place.name);
    return planRegistration(place, wanted, found, standings.registration(place));
  });

  const servers = desired.organisations.flatMap((organisation) =>
    organisation.servers.map((server) => {
      const found = organisationOf(organisation.name)?.servers.find(({ name }) => name === server.name);
      return planServer(organisation.name, server, found, registrations);
    }),
  );

  const steps: Step[] = [
    ...desired.organisations.map((organisation) =>
      planOrganisation(organisation, organisationOf(organisation.name)?.record),
    ),
    ...registrations,
    ...servers,
    ...otherUsers(stored, servers, registrations),
    ...planClients(desired, stored, standings),
  ];
  return {
    steps,
    refusals: findRefusals(desired, stored, steps),
    warnings: [...findConsequences(steps), ...clientWarnings(steps)],
    notInFile: findOthers(desired, stored),
  };
}

/** Every registration of a file with its place. */
export const registrationsOf = (
  desired: DesiredConfiguration,
): readonly { readonly place: RegistrationPlace; readonly wanted: DesiredRegistration }[] => [
  ...desired.sharedRegistrations.map((wanted) => ({
    place: { organisation: undefined, name: wanted.name },
    wanted,
  })),
  ...desired.organisations.flatMap((organisation) =>
    ownRegistrationsOf(organisation).map((wanted) => ({
      place: { organisation: organisation.name, name: wanted.name },
      wanted,
    })),
  ),
];

export const ownRegistrationsOf = ({ servers, registrations = [] }: DesiredOrganisation) => [
  ...servers.flatMap(({ registration }) => ("own" in registration ? [registration.own] : [])),
  ...registrations,
];

function planOrganisation(desired: DesiredOrganisation, stored: Organisation | undefined): OrganisationStep {
  const changes = compare([
    ["display_name", stored?.displayName, desired.displayName],
    [
      "enabled",
      stored && yesNo(stored.enabled),
      desired.enabled === undefined ? undefined : yesNo(desired.enabled),
    ],
  ]);
  const provider = toldOr(desired.identityProvider, stored?.identityProvider);
  changes.push(...unlike("identity_provider", stored?.identityProvider, provider, identityProviderText));
  const members = desired.members && changeOfMembers(stored?.members ?? everyone, desired.members);
  if (members !== undefined) changes.push(members);
  return { kind: "organisation", name: desired.name, ...acted(stored, changes), desired, stored };
}

function planRegistration(
  place: RegistrationPlace,
  desired: DesiredRegistration,
  stored: Registration | undefined,
  secret: SecretStanding,
): RegistrationStep {
  const changes = [
    ...compare([["client_id", stored?.clientId, desired.clientId]]),
    ...(secret === "not given" && stored !== undefined && isAnotherApplication(stored, desired)
      ? [change("client_secret", undefined, "none: the stored one belongs to the earlier client id")]
      : []),
    ...(secret === "new" ? [change("client_secret", undefined, secretText(stored))] : []),
    ...(secret === "earlier"
      ? [change("client_secret", undefined, "the earlier one is the newest again")]
      : []),
    ...(secret === "newest" && stored?.secrets[0]?.expiresAt !== desired.secretExpiresAt
      ? [change("client_secret_expires", day(stored?.secrets[0]?.expiresAt), day(desired.secretExpiresAt))]
      : []),
  ];
  return {
    kind: "registration",
    name: placeName(place),
    ...acted(stored, changes),
    place,
    desired,
    stored,
    secret,
    raises: changes.some(({ field }) => field !== "client_secret_expires"),
  };
}

export const isAnotherApplication = (stored: Registration, { clientId }: DesiredRegistration): boolean =>
  clientId !== undefined && clientId !== stored.clientId;

/** A refresh token belongs to the application that got it (RFC 6749 §6). */
const findConsequences = (steps: readonly Step[]): Refusal[] =>
  steps.flatMap((step) => {
    const other =
      (step.kind === "registration" && step.stored !== undefined && has(step, "client_id")) ||
      (step.kind === "server" && step.stored !== undefined && has(step, "registration"));
    return other
      ? [
          {
            name: `${step.kind} ${step.name}`,
            message:
              "becomes another application to iManage: whoever authorised the earlier one must authorise again",
          },
        ]
      : [];
  });

const has = (step: Step, field: string): boolean => step.changes.some((one) => one.field === field);

const secretText = (stored: Registration | undefined): string =>
  stored === undefined || stored.secrets.length === 0
    ? "sealed"
    : "a new one, sealed; the one before stays valid beside it";

function planServer(
  organisation: string,
  desired: DesiredServer,
  stored: Server | undefined,
  registrations: readonly RegistrationStep[],
): ServerStep {
  const used = registrations.find(({ place }) => usesPlace(organisation, desired, place));
  const changes = compare([
    ["address", stored && tokenOriginOf(stored), tokenOriginOf(desired)],
    ["display_name", stored?.displayName, desired.displayName],
    ["kind", stored?.kind, desired.kind],
    ["customer_id", stored && (stored.customerId ?? "unknown"), desired.customerId],
    [
      "registration",
      stored && (stored.registration === used?.stored?.id ? used.name : "another"),
      used?.name,
    ],
    ...compareCertificates(stored?.trustedCertificates, desired.trustedCertificates, stored === undefined),
    ...settingsCompared(stored, desired),
  ]);
  const reasons = changes.filter(({ field }) => !["display_name", "kind"].includes(field));
  const registrationChanges = stored !== undefined && used?.raises === true;
  const shown = registrationChanges
    ? [...changes, change("configuration", undefined, "a new generation, since its registration changes")]
    : changes;
  return {
    kind: "server",
    name: `${organisation}/${desired.name}`,
    ...acted(stored, shown),
    organisation,
    desired,
    stored,
    raises: stored !== undefined && (reasons.length > 0 || registrationChanges),
  };
}

function usesPlace(organisation: string, server: DesiredServer, place: RegistrationPlace): boolean {
  return "own" in server.registration
    ? place.organisation === organisation && place.name === server.registration.own.name
    : place.organisation === undefined && place.name === server.registration.shared;
}

/** Servers that are not in this file but use a shared registration that changes. */
function otherUsers(
  stored: StoredConfiguration,
  planned: readonly ServerStep[],
  registrations: readonly RegistrationStep[],
): ServerStep[] {
  const changed = new Set(
    registrations.flatMap((step) => (step.raises && step.stored ? [step.stored.id] : [])),
  );
  const inFile = new Set(planned.map((step) => step.stored?.id));
  return stored.organisations.flatMap(({ record, servers }) =>
    servers
      .filter((server) => changed.has(server.registration) && !inFile.has(server.id))
      .map((server) => ({
        kind: "server",
        name: `${record.name}/${server.name}`,
        act: "change",
        changes: [change("configuration", undefined, "a new generation, since its registration changes")],
        organisation: record.name,
        desired: undefined,
        stored: server,
        raises: true,
      })),
  );
}

function findRefusals(
  desired: DesiredConfiguration,
  stored: StoredConfiguration,
  steps: readonly Step[],
): Refusal[] {
  const moved = steps.flatMap((step): Refusal[] => {
    if (step.kind === "server" && step.stored && step.desired && !sameEndpoints(step.stored, step.desired)) {
      return [
        {
          name: `server ${step.name}`,
          message: `has another address now than the stored ${tokenOriginOf(step.stored)}. A server's address never changes: its refresh tokens and secrets are sealed to it, and whoever could move it could collect them. Add a new server under a new name; people authorise there once, then the old one can go`,
        },
      ];
    }
    // A server's own registration moves with its server, which was refused already.
    const shared = step.kind === "registration" && step.place.organisation === undefined;
    if (shared && step.stored && step.stored.tokenOrigin !== step.desired.tokenOrigin) {
      return [
        {
          name: `registration ${step.name}`,
          message: `has another address now than the stored ${step.stored.tokenOrigin}, to which its client secret is sealed. Add a registration under a new name`,
        },
      ];
    }
    return [];
  });
  return [...moved, ...findStoredClaims(desired, stored)];
}

function sameEndpoints(stored: Server, desired: DesiredServer): boolean {
  const [a, b] = [stored.endpoints, desired.endpoints];
  return (
    a.authorizationEndpoint === b.authorizationEndpoint &&
    a.tokenEndpoint === b.tokenEndpoint &&
    a.revocationEndpoint === b.revocationEndpoint &&
    a.apiBaseUrl === b.apiBaseUrl
  );
}

/** Customer ids on shared registrations that an organisation outside this file has already (T10). */
function findStoredClaims(desired: DesiredConfiguration, stored: StoredConfiguration): Refusal[] {
  return desired.organisations.flatMap((organisation) =>
    organisation.servers.flatMap((server): Refusal[] => {
      const { registration, customerId } = server;
      if (!("shared" in registration) || customerId === undefined) return [];
      const id = stored.sharedRegistrations.find(({ name }) => name === registration.shared)?.id;
      const holder = stored.organisations.find(
        ({ record, servers }) =>
          record.name !== organisation.name &&
          servers.some((other) => other.registration === id && other.customerId === customerId) &&
          // Unless this same file takes the claim away from it.
          !desired.organisations.some(({ name }) => name === record.name),
      );
      return holder === undefined
        ? []
        : [
            {
              name: `server ${organisation.name}/${server.name}`,
              message: `claims customer ${customerId} on the shared registration ${registration.shared}, which belongs to organisation ${holder.record.name} already`,
            },
          ];
    }),
  );
}

function findOthers(desired: DesiredConfiguration, stored: StoredConfiguration): Plan["notInFile"] {
  const organisations = new Map(desired.organisations.map((entry) => [entry.name, entry]));
  return [
    ...stored.organisations.flatMap(({ record, servers }): Plan["notInFile"] => {
      const wanted = organisations.get(record.name);
      if (wanted === undefined) return [{ kind: "organisation", name: record.name }];
      return servers
        .filter((server) => !wanted.servers.some(({ name }) => name === server.name))
        .map((server) => ({ kind: "server", name: `${record.name}/${server.name}` }));
    }),
    ...findOtherClients(desired, stored),
  ];
}

const yesNo = (flag: boolean): string => (flag ? "yes" : "no");

const day = (at: number | undefined): string =>
  at === undefined ? "never" : new Date(at).toISOString().slice(0, 10);
