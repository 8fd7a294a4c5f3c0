import type { ContainmentTarget } from "../../domain/containment.ts";
import { type ClientId, type OrganisationId, parseId, type ServerId } from "../../domain/id.ts";
import type { Server } from "../../domain/server.ts";
import { CLIENT_ISSUER } from "../../domain/subject.ts";
import type { ClientConfigurationStore } from "../clients/ports.ts";
import type { ConfigurationStore } from "../organisations/ports.ts";

/** A target in the words of people who run the broker: the names of configuration files, and times as they write them. */
export interface NamedTarget {
  readonly kind: string;
  /** Its name, or its id; of a user `<customer>/<user id>` where the server's customer is another, or not known. */
  readonly what?: string | undefined;
  readonly organisation?: string | undefined;
  readonly server?: string | undefined;
  readonly client?: string | undefined;
  readonly customer?: string | undefined;
  readonly issuer?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

export const TARGET_KINDS = [
  ...["client", "organisation", "server", "user", "subject", "library", "grant"],
  ...["consents", "tokens"],
] as const;

/** What somebody wrote that names nothing: a sentence for him. */
export class TargetFault extends Error {}

export type NamedStore = Pick<ConfigurationStore, "findOrganisationByName" | "findServerByName"> &
  Pick<ClientConfigurationStore, "findClientByName">;

/** @throws TargetFault */
export async function readNamedTarget(
  store: NamedStore,
  options: NamedTarget,
  now: number,
): Promise<ContainmentTarget> {
  const { kind, what, organisation, server, client } = options;
  const name = (): string => {
    if (what === undefined) throw new TargetFault(`Say which ${kind}: its name, or its id.`);
    return what;
  };
  const at = async (): Promise<ServerId> => {
    if (server === undefined) throw new TargetFault(`Say at which server: ORGANISATION/SERVER.`);
    return (await findServer(store, server)).id;
  };
  switch (kind) {
    case "organisation":
      return { kind, organisation: await organisationNamed(store, name()) };
    case "client":
      return {
        kind,
        client: await clientNamed(store, name()),
        ...(await limits(store, { organisation, server })),
      };
    case "server":
      return { kind, server: (await findServer(store, name())).id };
    case "user": {
      const { id, customerId } = await findServer(store, server ?? "");
      const [, told, userId] = /^([^/]+)\/(.+)$/.exec(name()) ?? [undefined, undefined, name()];
      const customer = options.customer ?? told ?? customerId;
      // A guess would stop nobody, and say that it did.
      if (customer === undefined) {
        throw new TargetFault(
          `Of this server no iManage customer is known yet: write the user as CUSTOMER/${name()}, as the audit does.`,
        );
      }
      return { kind, server: id, user: { customerId: customer, userId: userId! } };
    }
    case "subject": {
      if (client === undefined) throw new TargetFault("Say of which application.");
      const subject = { type: "user", issuer: options.issuer ?? CLIENT_ISSUER, id: name() } as const;
      return { kind, server: await at(), client: await clientNamed(store, client), subject };
    }
    case "library":
      return { kind, server: await at(), library: name() };
    case "grant": {
      const grant = parseId("grt", name());
      if (grant === undefined) throw new TargetFault(`${name()} is not the id of an authorization: grt_….`);
      return { kind, grant };
    }
    case "consents":
    case "tokens": {
      const { organisation: within, server: limited } = await limits(store, { organisation, server });
      if (within === undefined) throw new TargetFault("Say in which organisation.");
      if (options.from === undefined) throw new TargetFault("Say from when: 2026-11-22T14:00:00Z.");
      return {
        kind,
        organisation: within,
        from: momentOf(options.from),
        to: options.to === undefined ? now : momentOf(options.to),
        ...(limited !== undefined && { server: limited }),
        ...(client !== undefined && { client: await clientNamed(store, client) }),
      };
    }
    default:
      throw new TargetFault(`Nothing of kind ${kind} can be contained: ${TARGET_KINDS.join(", ")}.`);
  }
}

/** A server names its organisation. */
async function limits(
  store: NamedStore,
  {
    organisation,
    server,
  }: { readonly organisation?: string | undefined; readonly server?: string | undefined },
): Promise<{ readonly organisation?: OrganisationId; readonly server?: ServerId }> {
  if (server !== undefined) {
    const found = await findServer(store, server);
    return { organisation: found.organisation, server: found.id };
  }
  return organisation === undefined ? {} : { organisation: await organisationNamed(store, organisation) };
}

export async function organisationNamed(store: NamedStore, name: string): Promise<OrganisationId> {
  const found = await store.findOrganisationByName(name);
  if (found === undefined) throw new TargetFault(`There is no organisation named ${name}.`);
  return found.id;
}

async function clientNamed(store: NamedStore, name: string): Promise<ClientId> {
  const id = parseId("cli", name) ?? (await store.findClientByName(name))?.id;
  if (id === undefined) throw new TargetFault(`There is no client named ${name}.`);
  return id;
}

function momentOf(text: string): number {
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw new TargetFault(`${text} is no moment: write 2026-11-22T14:00:00Z.`);
  return at;
}

async function findServer(store: NamedStore, path: string): Promise<Server> {
  const [organisationName = "", serverName = ""] = path.split("/");
  const organisation = await store.findOrganisationByName(organisationName);
  const server = organisation && (await store.findServerByName(organisation.id, serverName));
  if (server !== undefined) return server;
  throw new TargetFault(`There is no server ${path}. It is written organisation/server.`);
}
