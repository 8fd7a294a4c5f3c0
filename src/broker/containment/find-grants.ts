import { type ContainmentTarget, concerns } from "../../domain/containment.ts";
import type { Grant } from "../../domain/grant.ts";
import type { ClientId, OrganisationId } from "../../domain/id.ts";
import type { GrantBinding, GrantPosition, GrantStore } from "../grants/ports.ts";
import type { ContainmentStore, HandedOut, MarkedPage, StoppedGrant } from "./ports.ts";

export interface FindGrantsPorts {
  readonly grants: Pick<GrantStore, "findGrant" | "listGrants" | "listBindings">;
  readonly containments: Pick<ContainmentStore, "libraryClients"> & HandedOut;
}

export interface FoundGrant {
  readonly grant: Grant;
  readonly bindings: readonly GrantBinding[];
  readonly clients: readonly ClientId[];
}

export interface FoundPage {
  readonly found: readonly FoundGrant[];
  /** Undefined: this was the last page. */
  readonly next: GrantPosition | undefined;
}

/** Grants looked at before the next place is stored. */
const PAGE = 200;

type Looked = Exclude<ContainmentTarget, { kind: "tokens" }>;

/** Grants of an organisation that a target means, a page of all its grants at a time. */
export async function findGrants(
  ports: FindGrantsPorts,
  organisation: OrganisationId,
  target: Looked,
  after: GrantPosition | undefined,
  limit: number = PAGE,
): Promise<FoundPage> {
  const libraryClients = await ports.containments.libraryClients(organisation);
  const one = target.kind === "grant" ? await ports.grants.findGrant(target.grant) : undefined;
  const page =
    target.kind === "grant"
      ? one === undefined
        ? []
        : [one]
      : await ports.grants.listGrants(organisation, after, limit);
  const all = await Promise.all(page.map((grant) => withUses(ports, grant, libraryClients)));
  const last = page.length === limit ? page.at(-1) : undefined;
  return {
    found: all.filter(({ grant, bindings, libraries }) =>
      concerns(target, grant, { bindings, libraryClients: libraries }),
    ),
    next: last && { createdAt: last.createdAt, id: last.id },
  };
}

/** Those of a list that are still under the consent it names. */
export async function foundAmong(
  ports: FindGrantsPorts,
  organisation: OrganisationId,
  listed: readonly StoppedGrant[],
): Promise<readonly FoundGrant[]> {
  const libraryClients = await ports.containments.libraryClients(organisation);
  const all = await Promise.all(
    listed.map(async ({ grant: id, generation }) => {
      const grant = await ports.grants.findGrant(id);
      return grant?.consentGeneration === generation ? withUses(ports, grant, libraryClients) : undefined;
    }),
  );
  return all.filter((one) => one !== undefined);
}

async function withUses(
  ports: FindGrantsPorts,
  grant: Grant,
  libraryClients: Awaited<ReturnType<ContainmentStore["libraryClients"]>>,
): Promise<FoundGrant & { readonly libraries: readonly ClientId[] }> {
  const bindings = await ports.grants.listBindings(grant.id);
  const libraries = bindings.flatMap((one) =>
    one.type === "library" ? libraryClients(grant.server, one.library) : [],
  );
  const users = bindings.flatMap((one) => (one.type === "user" ? [one.client] : []));
  return { grant, bindings, libraries, clients: [...new Set([...users, ...libraries])] };
}

/**
 * Of what tokens were handed out in a window, as the audit tells. Who has authorised again since the window was handed nothing
 * of what he has now.
 */
export async function handedOutIn(
  ports: FindGrantsPorts,
  target: Extract<ContainmentTarget, { kind: "tokens" }>,
): Promise<readonly StoppedGrant[]> {
  const { entries } = await ports.containments.tokens(target.organisation, target.from, target.to);
  const ids = new Set(
    entries
      .filter(({ client }) => target.client === undefined || client === target.client)
      .filter(({ server }) => target.server === undefined || server === target.server)
      .map(({ grant }) => grant),
  );
  const grants = await Promise.all([...ids].map((id) => ports.grants.findGrant(id)));
  return grants
    .filter((grant) => grant !== undefined && grant.consentedAt <= target.to)
    .map((grant) => ({ grant: grant!.id, generation: grant!.consentGeneration }));
}

export const librariesOf = (bindings: readonly GrantBinding[]): readonly string[] =>
  bindings.flatMap((one) => (one.type === "library" ? [one.library] : []));

export const markOf = ({ grant, bindings, clients }: FoundGrant): MarkedPage["grants"][number] => ({
  grant: grant.id,
  generation: grant.consentGeneration,
  server: grant.server,
  owner: grant.owner,
  clients,
  libraries: librariesOf(bindings),
});
