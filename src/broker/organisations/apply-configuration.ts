import {
  type ClientId,
  makeId,
  makeRoute,
  type OrganisationId,
  organisationId,
  type RegistrationId,
  type Route,
  routeOf,
  type ServerId,
} from "../../domain/id.ts";
import type { Organisation } from "../../domain/organisation.ts";
import type { Registration, RegistrationSecret } from "../../domain/registration.ts";
import type { Secret } from "../../domain/secret.ts";
import type { Server } from "../../domain/server.ts";
import type { AuditNote, Random } from "../ports.ts";
import { clientSecretContext, registrationOwner } from "../seal-contexts.ts";
import { settingsOf } from "./compare-settings.ts";
import type { DesiredConfiguration, DesiredServer } from "./desired.ts";
import {
  type OrganisationStep,
  type Plan,
  placeName,
  type RegistrationStep,
  type ServerStep,
  type StoredConfiguration,
} from "./plan.ts";
import { toldOr } from "./plan-clients.ts";
import { ownRegistrationsOf, planConfiguration } from "./plan-configuration.ts";
import type { ConfigurationStore } from "./ports.ts";
import { type ReadSecrets, readSecrets, type SecretPorts } from "./read-secrets.ts";
import { ClientWriter } from "./write-clients.ts";
import { follows, known, type WrittenIds } from "./written-ids.ts";

export interface ApplyPorts extends SecretPorts {
  readonly store: ConfigurationStore;
  readonly random: Random;
}

export interface ChangeOptions {
  /** Tells what would change, and changes nothing. */
  readonly dryRun: boolean;
  /** Who wants it so, for the audit. */
  readonly note: AuditNote;
}

export interface ApplyResult {
  readonly plan: Plan;
  /** False: a dry run, or refused. */
  readonly applied: boolean;
  readonly records: AppliedRecords;
  /** Of new clients. Shown once: afterwards the store has their HMAC only. */
  readonly newClientSecrets: readonly {
    readonly client: string;
    readonly id: ClientId;
    readonly secret: Secret;
  }[];
}

/** Ids by the names a file uses. */
export interface AppliedRecords {
  readonly organisations: Readonly<Record<string, OrganisationId>>;
  /** By `organisation/server`. */
  readonly servers: Readonly<
    Record<string, { readonly id: ServerId; readonly registration: RegistrationId }>
  >;
  /** By `shared name` or `organisation/server`. */
  readonly registrations: Readonly<Record<string, RegistrationId>>;
  readonly clients: Readonly<Record<string, ClientId>>;
}

/**
 * Makes the store what the file wants it to be. Applied twice it changes nothing the second time; killed half way it is
 * completed by applying again, since records are found by their names. What the file does not mention is left alone.
 * @throws Problem configuration_conflict where somebody else changes one of these records at the same time: what is written
 * up to there stays, and applying again completes it
 */
export async function applyConfiguration(
  ports: ApplyPorts,
  desired: DesiredConfiguration,
  options: ChangeOptions,
): Promise<ApplyResult> {
  const stored = await readStored(ports.store, desired);
  const secrets = await readSecrets(ports, desired, stored);
  const planned = planConfiguration(desired, stored, {
    registration: (place) => secrets.registrations.get(placeName(place))?.standing ?? "not given",
    client: (name) => secrets.clients.get(name)?.standing ?? "not given",
  });
  const plan = { ...planned, refusals: [...planned.refusals, ...secrets.refusals] };

  const writer = new ConfigurationWriter(ports, plan, secrets, stored, options.note);
  const applied = !options.dryRun && plan.refusals.length === 0;
  if (applied) await writer.write();
  return { plan, applied, records: writer.records(), newClientSecrets: writer.newClientSecrets };
}

async function readStored(
  store: ConfigurationStore,
  desired: DesiredConfiguration,
): Promise<StoredConfiguration> {
  const shared = await Promise.all(
    desired.sharedRegistrations.map(({ name }) => store.findRegistrationByName(undefined, name)),
  );
  const records = await store.listOrganisations();
  await refuseAltered(store, desired, records);
  const organisations = await Promise.all(
    records.map(async (record) => {
      const wanted = desired.organisations.find(({ name }) => name === record.name);
      const registrations = await Promise.all(
        (wanted === undefined ? [] : ownRegistrationsOf(wanted)).map(({ name }) =>
          store.findRegistrationByName(record.id, name),
        ),
      );
      return {
        record,
        servers: await store.listServers(record.id),
        registrations: registrations.filter((found) => found !== undefined),
      };
    }),
  );
  const clients = await Promise.all(
    (await store.listClients()).map(async (record) => {
      const mentioned = desired.clients.some(({ name }) => name === record.name);
      const policies = await Promise.all(
        (mentioned ? records : []).map(async ({ id }) => (await store.findPolicy(record.id, id)).policy),
      );
      return { record, policies: policies.filter((policy) => policy !== undefined) };
    }),
  );
  return { sharedRegistrations: shared.filter((found) => found !== undefined), organisations, clients };
}

/**
 * Lists leave out what was altered in the store (T25). What a file names and no list has is asked for by its name, so that an
 * altered record is told and not planned anew.
 */
async function refuseAltered(
  store: ConfigurationStore,
  desired: DesiredConfiguration,
  organisations: readonly Organisation[],
): Promise<void> {
  for (const { name, servers } of desired.organisations) {
    const listed = organisations.find((one) => one.name === name);
    if (listed === undefined) await store.findOrganisationByName(name);
    else for (const server of servers) await store.findServerByName(listed.id, server.name);
  }
  for (const { name } of desired.clients) await store.findClientByName(name);
}

/** Carries a plan out, and knows the ids by their names while it does. */
class ConfigurationWriter {
  readonly #ports: ApplyPorts;
  readonly #plan: Plan;
  readonly #secrets: ReadSecrets;
  readonly #note: AuditNote;
  readonly #clients: ClientWriter;
  readonly #ids: WrittenIds = {
    organisations: new Map(),
    servers: new Map(),
    registrations: new Map(),
    clients: new Map(),
  };

  constructor(
    ports: ApplyPorts,
    plan: Plan,
    secrets: ReadSecrets,
    stored: StoredConfiguration,
    note: AuditNote,
  ) {
    this.#ports = ports;
    this.#note = note;
    this.#plan = plan;
    this.#secrets = secrets;
    this.#clients = new ClientWriter(ports, secrets.clients, this.#ids, note);
    for (const step of plan.steps) {
      if (step.kind === "registration" && step.stored) this.#ids.registrations.set(step.name, step.stored.id);
      if (step.kind === "client" && step.stored) this.#ids.clients.set(step.name, step.stored.id);
    }
    for (const { record, servers } of stored.organisations) {
      this.#ids.organisations.set(record.name, record.id);
      for (const { name, id, registration } of servers) {
        this.#ids.servers.set(`${record.name}/${name}`, { id, registration });
      }
    }
  }

  /**
   * In this order: what others refer to comes first. A registration that changes is written after its servers got their
   * new generation: killed in between, applying again raises it once more, which harms nobody; the other way round it
   * would never be raised, and answers to the old secret would go on counting.
   */
  async write(): Promise<void> {
    const steps = this.#plan.steps.filter(({ act }) => act !== "keep");
    for (const step of steps) if (step.kind === "organisation") await this.#putOrganisation(step);
    for (const step of steps) {
      if (step.kind === "registration" && step.act === "create") await this.#putRegistration(step);
    }
    for (const step of steps) if (step.kind === "server") await this.#putServer(step);
    for (const step of steps) {
      if (step.kind === "registration" && step.act === "change") await this.#putRegistration(step);
    }
    for (const step of steps) if (step.kind === "client") await this.#clients.putClient(step);
    for (const step of steps) if (step.kind === "policy") await this.#clients.putPolicy(step);
  }

  get newClientSecrets(): ApplyResult["newClientSecrets"] {
    return this.#clients.newSecrets;
  }

  records(): AppliedRecords {
    return {
      organisations: Object.fromEntries(this.#ids.organisations),
      servers: Object.fromEntries(this.#ids.servers),
      registrations: Object.fromEntries(this.#ids.registrations),
      clients: Object.fromEntries(this.#ids.clients),
    };
  }

  async #putOrganisation(step: OrganisationStep): Promise<void> {
    const { desired, stored } = step;
    const { store, sealer, random, clock } = this.#ports;
    const route = stored === undefined ? makeRoute(random.bytes(7)) : routeOf(stored.id);
    const identityProvider = toldOr(desired.identityProvider, stored?.identityProvider);
    const organisation: Organisation = {
      v: 1,
      id: organisationId(route),
      name: desired.name,
      displayName: told(desired.displayName, stored?.displayName),
      enabled: told(desired.enabled, stored?.enabled),
      members: told(desired.members, stored?.members),
      ...(identityProvider && { identityProvider }),
      createdAt: stored?.createdAt ?? clock.now(),
    };
    await sealer.prepare(`o:${route}`);
    await store.putOrganisation(organisation, follows(step, this.#note));
    this.#ids.organisations.set(organisation.name, organisation.id);
  }

  async #putRegistration(step: RegistrationStep): Promise<void> {
    const { store, sealer, clock } = this.#ports;
    const { place, desired, stored } = step;
    const organisation =
      place.organisation === undefined ? undefined : this.#organisation(place.organisation);
    const route = organisation === undefined ? undefined : routeOf(organisation);
    const id = stored?.id ?? this.#makeId("reg", route);
    const base: Registration = {
      v: 1,
      id,
      organisation,
      name: desired.name,
      clientId: told(desired.clientId, stored?.clientId),
      tokenOrigin: desired.tokenOrigin,
      secrets: [],
      generation: (stored?.generation ?? 0) + (step.raises || stored === undefined ? 1 : 0),
      createdAt: stored?.createdAt ?? clock.now(),
    };
    await sealer.prepare(registrationOwner(id));
    await store.putRegistration(
      { ...base, secrets: await this.#registrationSecrets(step, base) },
      follows(step, this.#note),
    );
    this.#ids.registrations.set(step.name, id);
  }

  /** Up to two live ones, newest first. Secrets of another client id are of no use and go. */
  async #registrationSecrets(
    step: RegistrationStep,
    next: Registration,
  ): Promise<readonly RegistrationSecret[]> {
    const { sealer, clock } = this.#ports;
    const given = this.#secrets.registrations.get(step.name);
    const kept = step.stored?.secrets ?? [];
    const expiresAt = step.desired.secretExpiresAt;
    const sameApplication = step.stored?.clientId === next.clientId;
    if (given === undefined) return sameApplication ? kept : [];

    const known = given.standing === "new" ? -1 : given.standing === "newest" ? 0 : 1;
    const newest: RegistrationSecret = {
      sealed: kept[known]?.sealed ?? (await sealer.seal(given.secret, clientSecretContext(next))),
      addedAt: kept[known]?.addedAt ?? clock.now(),
      expiresAt,
    };
    const others = sameApplication ? kept.filter((_, at) => at !== known) : [];
    return [newest, ...others].slice(0, 2);
  }

  async #putServer(step: ServerStep): Promise<void> {
    const { store, clock } = this.#ports;
    const { desired, stored } = step;
    const raised = (stored?.configurationGeneration ?? 0) + (step.raises || stored === undefined ? 1 : 0);
    if (desired === undefined) {
      if (stored !== undefined)
        await store.putServer({ ...stored, configurationGeneration: raised }, follows(step, this.#note));
      return;
    }
    const organisation = this.#organisation(step.organisation);
    const server: Server = {
      v: 1,
      id: stored?.id ?? this.#makeId("srv", routeOf(organisation)),
      organisation,
      name: desired.name,
      displayName: desired.displayName,
      kind: desired.kind,
      endpoints: desired.endpoints,
      registration: this.#registrationOf(step.organisation, desired),
      customerId: desired.customerId ?? stored?.customerId,
      settings: settingsOf(desired, stored),
      trustedCertificates:
        desired.trustedCertificates === "as stored"
          ? stored?.trustedCertificates
          : desired.trustedCertificates,
      configurationGeneration: raised,
      createdAt: stored?.createdAt ?? clock.now(),
    };
    await store.putServer(server, follows(step, this.#note));
    this.#ids.servers.set(step.name, { id: server.id, registration: server.registration });
  }

  #registrationOf(organisation: string, { registration }: DesiredServer): RegistrationId {
    const place =
      "own" in registration
        ? { organisation, name: registration.own.name }
        : { organisation: undefined, name: registration.shared };
    return known(this.#ids.registrations, placeName(place));
  }

  #makeId<T extends "srv" | "reg">(type: T, route: Route | undefined) {
    const { clock, random } = this.#ports;
    return makeId(type, route, clock.now(), random.bytes(16));
  }

  #organisation(name: string): OrganisationId {
    return known(this.#ids.organisations, name);
  }
}

/** What is not told is stored: who tells a new record tells all of it. */
function told<T>(wanted: T | undefined, stored: T | undefined): T {
  const value = wanted ?? stored;
  if (value === undefined) throw new Error("invariant: what stays as it is stored is stored");
  return value;
}
