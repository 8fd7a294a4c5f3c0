import type { Client } from "../../domain/client.ts";
import type { Organisation } from "../../domain/organisation.ts";
import type { Policy } from "../../domain/policy.ts";
import type { Registration } from "../../domain/registration.ts";
import type { Server } from "../../domain/server.ts";
import type {
  DesiredClient,
  DesiredOrganisation,
  DesiredPolicy,
  DesiredRegistration,
  DesiredServer,
} from "./desired.ts";

/** What is stored, as far as a plan needs it: every organisation, server and client, and the registrations in use. */
export interface StoredConfiguration {
  /** Those the file names. */
  readonly sharedRegistrations: readonly Registration[];
  readonly organisations: readonly StoredOrganisation[];
  readonly clients: readonly StoredClient[];
}

export interface StoredOrganisation {
  readonly record: Organisation;
  readonly servers: readonly Server[];
  /** Its own registrations that have the name of a server of the file. */
  readonly registrations: readonly Registration[];
}

export interface StoredClient {
  readonly record: Client;
  readonly policies: readonly Policy[];
}

/** How a secret that the file points at compares with what is stored. It is compared before planning: a plan is pure. */
export type SecretStanding =
  /** The file points at none. */
  | "not given"
  | "new"
  /** The newest stored one. */
  | "newest"
  /** The older of the two stored ones. */
  | "earlier";

export interface SecretStandings {
  registration(place: RegistrationPlace): SecretStanding;
  client(name: string): SecretStanding;
}

/** Where a registration stands in the file: shared ones have no organisation. */
export interface RegistrationPlace {
  readonly organisation: string | undefined;
  readonly name: string;
}

export interface Plan {
  readonly steps: readonly Step[];
  /** What keeps the whole file from being applied. Nothing is done while there is one. */
  readonly refusals: readonly Refusal[];
  /** What follows from the plan for people. */
  readonly warnings: readonly Refusal[];
  /** Stored and not mentioned: left alone. */
  readonly notInFile: readonly { readonly kind: Step["kind"]; readonly name: string }[];
}

/** About one record. */
export interface Refusal {
  readonly name: string;
  readonly message: string;
}

export interface Change {
  readonly field: string;
  /** Undefined for secrets and lists whose text says all in `to`. */
  readonly from: string | undefined;
  readonly to: string;
}

interface StepOf<K extends string> {
  readonly kind: K;
  /** For people: `meridian`, `meridian/dms`, `tracker → meridian`. */
  readonly name: string;
  readonly act: "create" | "change" | "keep";
  readonly changes: readonly Change[];
}

export interface OrganisationStep extends StepOf<"organisation"> {
  readonly desired: DesiredOrganisation;
  readonly stored: Organisation | undefined;
}

export interface RegistrationStep extends StepOf<"registration"> {
  readonly place: RegistrationPlace;
  readonly desired: DesiredRegistration;
  readonly stored: Registration | undefined;
  readonly secret: SecretStanding;
  /** What iManage is shown changes, so servers that use it get a new configuration generation. */
  readonly raises: boolean;
}

export interface ServerStep extends StepOf<"server"> {
  readonly organisation: string;
  /** Undefined: not in this file, but it uses a shared registration that changes. */
  readonly desired: DesiredServer | undefined;
  readonly stored: Server | undefined;
  readonly raises: boolean;
}

export interface ClientStep extends StepOf<"client"> {
  readonly desired: DesiredClient;
  readonly stored: Client | undefined;
  readonly secret: SecretStanding;
  /** Secrets, certificate or state change: broker tokens given out before are void. */
  readonly raises: boolean;
}

export interface PolicyStep extends StepOf<"policy"> {
  readonly client: string;
  readonly desired: DesiredPolicy;
  readonly stored: Policy | undefined;
}

export type Step = OrganisationStep | RegistrationStep | ServerStep | ClientStep | PolicyStep;

export const changesNothing = (plan: Plan): boolean => plan.steps.every(({ act }) => act === "keep");

export const placeName = ({ organisation, name }: RegistrationPlace): string =>
  organisation === undefined ? `shared ${name}` : `${organisation}/${name}`;

export type Compared = readonly [field: string, from: string | undefined, to: string | undefined];

/** Fields that differ. `to` undefined: the file says nothing, so what is stored stays. */
export const compare = (fields: readonly Compared[]): Change[] =>
  fields.flatMap(([field, from, to]) => (to === undefined || from === to ? [] : [change(field, from, to)]));

export const change = (field: string, from: string | undefined, to: string): Change => ({ field, from, to });

export const acted = (stored: unknown, changes: readonly Change[]) => ({
  act:
    stored === undefined ? ("create" as const) : changes.length > 0 ? ("change" as const) : ("keep" as const),
  changes,
});
