import type { ClientStore } from "../../src/broker/clients/ports.ts";
import type { ConfigurationStore } from "../../src/broker/organisations/ports.ts";
import type { RecordWrite } from "../../src/broker/ports.ts";
import type { Client } from "../../src/domain/client.ts";
import { type ClientId, findRoute, type OrganisationId, parseId, routeOf } from "../../src/domain/id.ts";
import type { Organisation } from "../../src/domain/organisation.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { Problem } from "../../src/domain/problem.ts";
import type { Registration } from "../../src/domain/registration.ts";
import type { Server } from "../../src/domain/server.ts";

type Named = { readonly id: string; readonly name: string };

/**
 * The configuration store in memory, no kinder than Redis: records are kept as JSON, so neither identity nor undefined
 * members survive, and what would be a broken reference in Redis is refused here.
 */
export class MemoryConfigurationStore implements ConfigurationStore, ClientStore {
  /** Every write, in order: what a killed process had done is a beginning of this. */
  readonly writes: string[] = [];
  /** Set to make the next writes fail, as a process killed after so many would have them. */
  writesLeft = Number.POSITIVE_INFINITY;
  readonly #records = new Map<string, string>();
  readonly #names = new Map<string, string>();
  readonly #policyGenerations = new Map<OrganisationId, number>();

  async findOrganisation(id: OrganisationId) {
    return this.#read<Organisation>(id);
  }
  async findOrganisationByName(name: string) {
    return this.#byName<Organisation>("organisation", name);
  }
  async listOrganisations() {
    return this.#list<Organisation>("organisation");
  }
  async putOrganisation(organisation: Organisation, write: RecordWrite<Organisation>) {
    if (parseId("org", organisation.id) === undefined)
      throw new Error(`not an organisation: ${organisation.id}`);
    this.#put("organisation", organisation, write);
  }

  async findServer(id: Server["id"]) {
    return this.#read<Server>(id);
  }
  async findServerByName(organisation: OrganisationId, name: string) {
    return this.#byName<Server>(`server ${organisation}`, name);
  }
  async listServers(organisation: OrganisationId) {
    return this.#list<Server>(`server ${organisation}`);
  }
  async putServer(server: Server, write: RecordWrite<Server>) {
    if (parseId("srv", server.id) === undefined) throw new Error(`not a server: ${server.id}`);
    if (routeOf(server.id) !== routeOf(server.organisation))
      throw new Error("the server lies in another shard");
    this.#mustExist(server.organisation, server.registration);
    this.#put(`server ${server.organisation}`, server, write);
  }

  async findRegistration(id: Registration["id"]) {
    return this.#read<Registration>(id);
  }
  async findRegistrationByName(organisation: OrganisationId | undefined, name: string) {
    return this.#byName<Registration>(`registration ${organisation ?? "shared"}`, name);
  }
  async listSharedRegistrations() {
    return this.#list<Registration>("registration shared");
  }
  async putRegistration(registration: Registration, write: RecordWrite<Registration>) {
    const { id, organisation } = registration;
    if (parseId("reg", id) === undefined) throw new Error(`not a registration: ${id}`);
    if (findRoute(id) !== (organisation && routeOf(organisation))) {
      throw new Error("the registration lies in another shard than its organisation");
    }
    if (organisation !== undefined) this.#mustExist(organisation);
    if (registration.secrets.length > 2) throw new Error("more than two secrets");
    this.#put(`registration ${organisation ?? "shared"}`, registration, write);
  }

  async findClient(id: ClientId) {
    return this.#read<Client>(id);
  }
  async findClientByName(name: string) {
    return this.#byName<Client>("client", name);
  }
  async listClients() {
    return this.#list<Client>("client");
  }
  async putClient(client: Client, write: RecordWrite<Client>) {
    if (parseId("cli", client.id) === undefined) throw new Error(`not a client: ${client.id}`);
    this.#put("client", client, write);
  }
  async findStanding(id: ClientId) {
    const client = this.#read<Client>(id);
    return client === undefined ? undefined : { state: client.state, generation: client.generation };
  }

  async findPolicy(client: ClientId, organisation: OrganisationId) {
    return {
      policy: this.#read<Policy>(`policy ${client} ${organisation}`),
      generation: this.#policyGenerations.get(organisation) ?? 0,
      mark: this.#records.get(`policy ${client} ${organisation}`) ?? "",
    };
  }
  async putPolicy(policy: Policy, write: RecordWrite<Policy>) {
    this.#mustExist(
      policy.client,
      policy.organisation,
      ...policy.rules.flatMap(({ servers }) => servers ?? []),
    );
    this.#write(`policy ${policy.client} ${policy.organisation}`, policy, write);
    const { organisation } = policy;
    this.#policyGenerations.set(organisation, (this.#policyGenerations.get(organisation) ?? 0) + 1);
  }
  async deletePolicy({ client, organisation }: Policy, { before }: RecordWrite<Policy>) {
    const key = `policy ${client} ${organisation}`;
    if (this.#records.get(key) !== JSON.stringify(before)) throw new Problem("configuration_conflict");
    this.#records.delete(key);
    this.#policyGenerations.set(organisation, (this.#policyGenerations.get(organisation) ?? 0) + 1);
  }
  async organisationsOf(client: ClientId) {
    return [...this.#records.keys()]
      .filter((key) => key.startsWith(`policy ${client} `))
      .map((key) => key.split(" ")[2] as OrganisationId)
      .sort();
  }

  /** Everything that is stored, for comparing and for looking for what must not be there. */
  dump(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#records].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #read<T>(key: string): T | undefined {
    const text = this.#records.get(key);
    return text === undefined ? undefined : (JSON.parse(text) as T);
  }

  #byName<T>(kind: string, name: string): T | undefined {
    const id = this.#names.get(`${kind} ${name}`);
    return id === undefined ? undefined : this.#read<T>(id);
  }

  #list<T>(kind: string): readonly T[] {
    const ids = [...this.#names]
      .filter(([key]) => key.slice(0, key.lastIndexOf(" ")) === kind)
      .map(([, id]) => id);
    return ids.sort().map((id) => this.#read<T>(id) as T);
  }

  #put<T extends Named>(kind: string, record: T, write: RecordWrite<T>): void {
    const holder = this.#names.get(`${kind} ${record.name}`);
    if (holder !== undefined && holder !== record.id) throw new Problem("configuration_conflict");
    const before = this.#read<Named>(record.id);
    if (before !== undefined && before.name !== record.name)
      throw new Error(`${kind} ${before.name} cannot be renamed`);
    this.#write(record.id, record, write);
    this.#names.set(`${kind} ${record.name}`, record.id);
  }

  #write<T extends object>(key: string, record: T, { before, note }: RecordWrite<T>): void {
    if (this.#records.get(key) !== (before && JSON.stringify(before)))
      throw new Problem("configuration_conflict");
    if (note.actor === "") throw new Error("nobody did it");
    if (this.writesLeft-- <= 0) throw new Error("killed");
    this.#records.set(key, JSON.stringify(record));
    this.writes.push(key);
  }

  #mustExist(...ids: readonly string[]): void {
    for (const id of ids) if (!this.#records.has(id)) throw new Error(`nothing is stored under ${id}`);
  }
}
