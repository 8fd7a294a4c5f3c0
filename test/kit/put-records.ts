import type { ConfigurationStore } from "../../src/broker/organisations/ports.ts";
import type { Client } from "../../src/domain/client.ts";
import type { Organisation } from "../../src/domain/organisation.ts";
import type { Policy } from "../../src/domain/policy.ts";
import type { Registration } from "../../src/domain/registration.ts";
import type { Server } from "../../src/domain/server.ts";

/** Who changes what a test changes. */
export const BY_TEST = { actor: "cli:test", requestId: "req_test" };

const over = <T>(before: T | undefined) => ({ before, fields: ["test"], note: BY_TEST });

/** Records straight into the store, whatever is there: what a test needs and no story of the product does. */
export const put = {
  organisation: async (store: ConfigurationStore, record: Organisation) =>
    store.putOrganisation(record, over(await store.findOrganisation(record.id))),
  server: async (store: ConfigurationStore, record: Server) =>
    store.putServer(record, over(await store.findServer(record.id))),
  registration: async (store: ConfigurationStore, record: Registration) =>
    store.putRegistration(record, over(await store.findRegistration(record.id))),
  client: async (store: ConfigurationStore, record: Client) =>
    store.putClient(record, over(await store.findClient(record.id))),
  policy: async (store: ConfigurationStore, record: Policy) =>
    store.putPolicy(record, over((await store.findPolicy(record.client, record.organisation)).policy)),
};
