import type { ContainmentTarget } from "../domain/containment.ts";
import { type ClientId, type OrganisationId, parseId, type ServerId } from "../domain/id.ts";
import { CLIENT_ISSUER } from "../domain/subject.ts";
import type { CliBroker } from "./build-cli.ts";
import { ExpectedFault } from "./expected-fault.ts";
import { findServer } from "./find-server.ts";

export interface TargetOptions {
  readonly organisation?: string;
  readonly server?: string;
  readonly client?: string;
  readonly customer?: string;
  readonly issuer?: string;
  readonly from?: string;
  readonly to?: string;
}

export const TARGET_KINDS =
  "client, organisation, server, user, subject, library, grant, consents or tokens (the last two: a window of time)";

type Store = CliBroker["store"];

/** What somebody names by the names of configuration files. */
export async function readTarget(
  store: Store,
  kind: string,
  what: string | undefined,
  options: TargetOptions,
  now: number,
): Promise<ContainmentTarget> {
  const { organisation, server, client } = options;
  const name = (): string => {
    if (what === undefined) throw new ExpectedFault(`Say which ${kind}: contain ${kind} NAME.`);
    return what;
  };
  const at = async (): Promise<ServerId> => {
    if (server === undefined) throw new ExpectedFault(`Say at which server: --server ORGANISATION/SERVER.`);
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
      return {
        kind,
        server: id,
        user: { customerId: options.customer ?? customerId ?? "1", userId: name() },
      };
    }
    case "subject": {
      if (client === undefined) throw new ExpectedFault("Say of which application: --client NAME.");
      const subject = { type: "user", issuer: options.issuer ?? CLIENT_ISSUER, id: name() } as const;
      return { kind, server: await at(), client: await clientNamed(store, client), subject };
    }
    case "library":
      return { kind, server: await at(), library: name() };
    case "grant": {
      const grant = parseId("grt", name());
      if (grant === undefined) throw new ExpectedFault(`${name()} is not the id of an authorization: grt_….`);
      return { kind, grant };
    }
    case "consents":
    case "tokens": {
      const { organisation: within, server: limited } = await limits(store, { organisation, server });
      if (within === undefined) throw new ExpectedFault("Say in which organisation: --organisation NAME.");
      if (options.from === undefined) throw new ExpectedFault("Say from when: --from 2026-11-22T14:00:00Z.");
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
      throw new ExpectedFault(`Nothing of kind ${kind} can be contained: ${TARGET_KINDS}.`);
  }
}

/** A server names its organisation. */
async function limits(
  store: Store,
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

export async function organisationNamed(store: Store, name: string): Promise<OrganisationId> {
  const found = await store.findOrganisationByName(name);
  if (found === undefined) throw new ExpectedFault(`There is no organisation named ${name}.`);
  return found.id;
}

async function clientNamed(store: Store, name: string): Promise<ClientId> {
  const id = parseId("cli", name) ?? (await store.findClientByName(name))?.id;
  if (id === undefined) throw new ExpectedFault(`There is no client named ${name}.`);
  return id;
}

function momentOf(text: string): number {
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw new ExpectedFault(`${text} is no moment: write 2026-11-22T14:00:00Z.`);
  return at;
}
