import type { OrganisationId, ServerId } from "../../domain/id.ts";
import type { Organisation } from "../../domain/organisation.ts";
import { Problem } from "../../domain/problem.ts";
import type { Secret } from "../../domain/secret.ts";
import {
  type ApplyPorts,
  type ApplyResult,
  applyConfiguration,
  type ChangeOptions,
} from "./apply-configuration.ts";
import type { DesiredConfiguration } from "./desired.ts";
import {
  type CertificateReader,
  type Remark,
  readDesiredConfiguration,
  type ToldMembers,
} from "./desired-configuration.ts";
import type { Plan } from "./plan.ts";
import type { AddressRules } from "./server-address.ts";

export interface ChangePorts extends Omit<ApplyPorts, "secretSource"> {
  readonly addressRules: AddressRules;
  readonly readCertificates: CertificateReader;
}

/** What a change did, or would do. */
export interface ChangeOutcome {
  /** False: a dry run, or refused. */
  readonly applied: boolean;
  readonly changes: readonly RecordChange[];
  /** Sentences; where there is one, nothing was changed. */
  readonly refusals: readonly string[];
  /** Worth a look, and no reason to refuse. */
  readonly warnings: readonly string[];
  /** Of the server that was changed or made. */
  readonly server: ServerId | undefined;
}

export interface RecordChange {
  readonly record: "organisation" | "server" | "registration";
  readonly name: string;
  readonly act: "create" | "change";
  readonly field: string;
  readonly from: string | undefined;
  readonly to: string;
}

/** An organisation's own fields as a file tells them (`desired-configuration.ts`). What is not told stays. */
export interface ToldOrganisation {
  readonly display_name?: string;
  readonly enabled?: boolean;
  readonly members?: ToldMembers;
}

/** A server as a file tells it (`desired-configuration.ts`), but for the client secret: that comes as what it is. */
export interface WantedServer {
  readonly told: Readonly<Record<string, unknown>>;
  readonly clientSecret: Secret | undefined;
}

/**
 * Changes what an organisation is, for everyone at once. Its servers are not touched.
 * @throws Problem not_found | invalid_request, with the faults by field
 */
export async function changeOrganisation(
  ports: ChangePorts,
  id: OrganisationId,
  told: ToldOrganisation,
  options: ChangeOptions,
): Promise<ChangeOutcome> {
  const { name } = await find(ports, id);
  const desired = read(ports, { ...told, name });
  const [firm] = desired.organisations;
  const stays = {
    ...(told.display_name === undefined && { displayName: undefined }),
    ...(told.enabled === undefined && { enabled: undefined }),
    ...(told.members === undefined && { members: undefined }),
  };
  const organisations = firm === undefined ? [] : [{ ...firm, ...stays }];
  return apply(ports, { ...desired, organisations }, undefined, options);
}

/**
 * Makes a server of an organisation, or changes the one of this name. What is not said is the default, but for the customer
 * id, the client secret and the certificate authorities, which stay. A server never moves: another address is another name and new consent (T15).
 * @throws Problem not_found | invalid_request, with the faults by field
 */
export async function changeServer(
  ports: ChangePorts,
  id: OrganisationId,
  name: string,
  { told, clientSecret }: WantedServer,
  options: ChangeOptions,
): Promise<ChangeOutcome> {
  const organisation = await find(ports, id);
  const { registration } = told as { registration?: { shared?: unknown } };
  const shared =
    typeof registration?.shared === "string" ? await sharedRegistration(ports, registration.shared) : [];
  if (shared.length > 0 && told.customer_id !== undefined) throw ofTheOperator();
  const server = { ...told, name, ...(clientSecret && { registration: withSecret(registration) }) };
  const desired = read(ports, { name: organisation.name, servers: [server] }, shared);
  // What the organisation is itself is no part of this: told again, it would undo what somebody else changes meanwhile.
  const organisations = desired.organisations.map(({ name: firm, servers }) => ({
    name: firm,
    servers:
      told.ca_certificates === undefined
        ? servers.map((one) => ({ ...one, trustedCertificates: "as stored" as const }))
        : servers,
  }));
  return apply(ports, { ...desired, organisations }, clientSecret, options);
}

/** The secret itself is handed on beside the file's words, which only point at it. */
const withSecret = (registration: object | undefined) => ({ ...registration, client_secret_env: "REQUEST" });

/** One of the operator's, as a file would name it; without its secret, so that the stored one stays. */
async function sharedRegistration(ports: ChangePorts, name: string) {
  const found = await ports.store.findRegistrationByName(undefined, name);
  return found === undefined
    ? []
    : [{ name: found.name, address: found.tokenOrigin, client_id: found.clientId }];
}

/** Whoever claims another firm's customer id on a shared registration would be told from its people by nothing (T10). */
const ofTheOperator = (): Problem =>
  new Problem("invalid_request", {
    faults: [
      {
        field: "customer_id",
        message:
          "is entered by the operator, or confirmed by him after the first sign-in, on a shared registration",
      },
    ],
  });

async function find(ports: ChangePorts, id: OrganisationId): Promise<Organisation> {
  const organisation = await ports.store.findOrganisation(id);
  if (organisation === undefined) throw new Problem("not_found");
  return organisation;
}

/** One schema judges whatever comes from people, by whichever way. */
function read(
  { addressRules, readCertificates }: ChangePorts,
  organisation: Readonly<Record<string, unknown>>,
  shared: readonly Readonly<Record<string, unknown>>[] = [],
) {
  const file = { version: 1, shared_registrations: shared, organisations: [organisation], clients: [] };
  const reading = readDesiredConfiguration(file, addressRules, { pem: readCertificates });
  if (!reading.ok) throw new Problem("invalid_request", { faults: reading.faults.map(faultOf) });
  return { ...reading.desired, warnings: reading.warnings };
}

async function apply(
  ports: ChangePorts,
  { warnings, ...desired }: DesiredConfiguration & { readonly warnings: readonly Remark[] },
  clientSecret: Secret | undefined,
  options: ChangeOptions,
): Promise<ChangeOutcome> {
  const result = await applyConfiguration(
    { ...ports, secretSource: { read: async () => clientSecret ?? { fault: "is missing" } } },
    desired,
    options,
  );
  const [organisation] = desired.organisations;
  const server = organisation?.servers[0];
  return {
    ...outcomeOf(result, server && result.records.servers[`${organisation?.name}/${server.name}`]?.id),
    warnings: warnings.map(({ path, message }) => `${path.slice(2).join(".")} ${message}`),
  };
}

/** What applying something came to, as whoever asked for one change is told it. */
export const outcomeOf = ({ plan, applied }: ApplyResult, server: ServerId | undefined): ChangeOutcome => ({
  applied,
  changes: changesOf(plan),
  refusals: plan.refusals.map(({ name, message }) => `${name} ${message}`),
  warnings: [],
  server,
});

/** `organisations.0.servers.0.address` is `address` to whoever sent one server. */
const faultOf = ({ path, message }: { path: readonly (string | number)[]; message: string }) => ({
  field: path.slice(path[2] === "servers" ? 4 : 2).join(".") || "body",
  message,
});

const changesOf = (plan: Plan): RecordChange[] =>
  plan.steps.flatMap(({ kind, name, act, changes }) =>
    act === "keep" || kind === "client" || kind === "policy"
      ? []
      : changes.map(({ field, from, to }) => ({ record: kind, name, act, field, from, to })),
  );
