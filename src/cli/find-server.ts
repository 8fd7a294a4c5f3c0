import type { ApplyPorts } from "../broker/organisations/apply-configuration.ts";
import type { Server } from "../domain/server.ts";
import { ExpectedFault } from "./expected-fault.ts";

/** The server that an operator wrote as organisation/server. */
export async function findServer(store: ApplyPorts["store"], path: string): Promise<Server> {
  const [organisationName = "", serverName = ""] = path.split("/");
  const organisation = await store.findOrganisationByName(organisationName);
  const server = organisation && (await store.findServerByName(organisation.id, serverName));
  if (server !== undefined) return server;
  throw new ExpectedFault(
    `There is no server ${path}. It is written organisation/server, as \`cli show servers\` lists them.`,
  );
}
