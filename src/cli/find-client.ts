import type { ApplyPorts } from "../broker/organisations/apply-configuration.ts";
import type { Client } from "../domain/client.ts";
import type { Organisation } from "../domain/organisation.ts";
import { ExpectedFault } from "./expected-fault.ts";

export async function findClientNamed(store: ApplyPorts["store"], name: string): Promise<Client> {
  const client = await store.findClientByName(name);
  if (client === undefined)
    throw new ExpectedFault(`There is no client ${name}. \`cli clients list\` names them.`);
  return client;
}

export async function findOrganisationNamed(store: ApplyPorts["store"], name: string): Promise<Organisation> {
  const organisation = await store.findOrganisationByName(name);
  if (organisation === undefined)
    throw new ExpectedFault(`There is no organisation ${name}. \`cli show organisations\` names them.`);
  return organisation;
}
