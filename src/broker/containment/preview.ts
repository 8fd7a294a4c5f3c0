import { type ContainmentTarget, organisationContained } from "../../domain/containment.ts";
import type { ClientId, GrantId, OrganisationId } from "../../domain/id.ts";
import { type Instant, minutes } from "../../domain/instant.ts";
import type { ClientStore } from "../clients/ports.ts";
import type { Clock } from "../ports.ts";
import {
  type FindGrantsPorts,
  type FoundGrant,
  findGrants,
  foundAmong,
  handedOutIn,
  librariesOf,
} from "./find-grants.ts";

export interface PreviewPorts extends FindGrantsPorts {
  readonly clock: Pick<Clock, "now">;
  readonly clients: Pick<ClientStore, "organisationsOf">;
}

/** What a containment would concern, counted without changing anything. */
export interface ContainmentImpact {
  readonly grants: number;
  /** Those of them that other applications work with too: revoking ends their tokens as well. */
  readonly shared: number;
  readonly clients: number;
  readonly users: number;
  readonly libraries: number;
  /** Tokens handed out in the last hour that may still live at iManage, whatever we stop. */
  readonly handedOut: number;
  /** The audit here begins only then: what was handed out before, its export tells. */
  readonly handedOutKnownSince: Instant | undefined;
}

const LOOKED_BACK_MS = minutes(60);

export async function previewContainment(
  ports: PreviewPorts,
  target: ContainmentTarget,
): Promise<ContainmentImpact> {
  const organisation = organisationContained(target);
  const organisations =
    organisation === undefined && target.kind === "client"
      ? await ports.clients.organisationsOf(target.client)
      : [organisation!];
  const tally = new Tally("client" in target ? target.client : undefined);
  for (const id of organisations) await count(ports, id, target, tally);
  return tally.result();
}

async function count(
  ports: PreviewPorts,
  organisation: OrganisationId,
  target: ContainmentTarget,
  tally: Tally,
): Promise<void> {
  const concerned = new Set<GrantId>();
  const add = (found: readonly FoundGrant[]) => {
    for (const one of found) {
      concerned.add(one.grant.id);
      tally.add(one);
    }
  };
  if (target.kind === "tokens") {
    add(await foundAmong(ports, organisation, await handedOutIn(ports, target)));
  } else {
    let page = await findGrants(ports, organisation, target, undefined);
    add(page.found);
    while (page.next !== undefined) {
      page = await findGrants(ports, organisation, target, page.next);
      add(page.found);
    }
  }
  const now = ports.clock.now();
  const handed = await ports.containments.tokens(organisation, now - LOOKED_BACK_MS, now);
  tally.hand(
    handed.entries.filter(
      ({ grant, client }) =>
        concerned.has(grant) &&
        (!("client" in target) || target.client === undefined || client === target.client),
    ),
    handed.knownSince,
  );
}

class Tally {
  readonly #target: ClientId | undefined;
  #grants = 0;
  #shared = 0;
  readonly #clients = new Set<string>();
  readonly #users = new Set<string>();
  readonly #libraries = new Set<string>();
  readonly #tokens = new Set<string>();
  #knownSince: Instant | undefined;

  /** @param target the client that is contained, where it is one */
  constructor(target: ClientId | undefined) {
    this.#target = target;
  }

  add({ grant, bindings, clients }: FoundGrant): void {
    this.#grants++;
    if (this.#target !== undefined && clients.some((client) => client !== this.#target)) this.#shared++;
    for (const client of clients) this.#clients.add(client);
    const { customerId, userId } = grant.owner;
    this.#users.add(`${grant.server} ${customerId}/${userId.toLowerCase()}`);
    for (const library of librariesOf(bindings)) this.#libraries.add(`${grant.server} ${library}`);
  }

  hand(entries: readonly { readonly token: string }[], knownSince: Instant | undefined): void {
    for (const { token } of entries) this.#tokens.add(token);
    if (knownSince !== undefined) this.#knownSince = Math.max(this.#knownSince ?? 0, knownSince);
  }

  result(): ContainmentImpact {
    return {
      grants: this.#grants,
      shared: this.#shared,
      clients: this.#clients.size,
      users: this.#users.size,
      libraries: this.#libraries.size,
      handedOut: this.#tokens.size,
      handedOutKnownSince: this.#knownSince,
    };
  }
}
