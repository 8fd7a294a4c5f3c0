import {
  addProgress,
  type Containment,
  type ContainmentEffect,
  type ContainmentProgress,
  type ContainmentTarget,
  organisationContained,
} from "../../domain/containment.ts";
import {
  type ContainmentId,
  containmentIn,
  findRoute,
  makeId,
  type OrganisationId,
  organisationId,
  routeOf,
} from "../../domain/id.ts";
import { Problem } from "../../domain/problem.ts";
import type { ServerDirectory } from "../authorization/ports.ts";
import type { ClientStore } from "../clients/ports.ts";
import type { ConfigurationStore } from "../organisations/ports.ts";
import type { AuditNote, Random } from "../ports.ts";
import type { ContainmentWork } from "./carry-out.ts";
import { handedOutIn } from "./find-grants.ts";
import type { ContainmentStore, HandedOut } from "./ports.ts";
import { type ContainmentImpact, type PreviewPorts, previewContainment } from "./preview.ts";

export interface ContainmentPorts extends PreviewPorts {
  readonly random: Random;
  readonly containments: ContainmentStore & HandedOut;
  readonly clients: Pick<ClientStore, "organisationsOf" | "findPolicy" | "findClient">;
  readonly servers: Pick<ServerDirectory, "findServer">;
  readonly organisations: Pick<ConfigurationStore, "listOrganisations" | "findOrganisation">;
  readonly work: Pick<ContainmentWork, "workSoon">;
}

interface PartsPorts {
  readonly clients: Pick<ClientStore, "organisationsOf">;
}

export interface AskedContainment {
  readonly target: ContainmentTarget;
  readonly effect: ContainmentEffect;
  readonly reason: string;
}

/** @throws Problem not_found, where there is no such thing to contain */
export async function previewOf(
  ports: ContainmentPorts,
  asked: ContainmentTarget,
): Promise<ContainmentImpact> {
  const target = await withCustomer(ports, endedNow(ports, asked));
  await mustExist(ports, target);
  return previewContainment(ports, target);
}

/**
 * Stops tokens. Once this has answered no replica hands one out that it stops. Counting what it concerns, and revoking at
 * iManage, follow by themselves, also where this process dies.
 * @throws Problem not_found
 */
export async function contain(
  ports: ContainmentPorts,
  { target: asked, effect, reason }: AskedContainment,
  note: AuditNote,
): Promise<Containment> {
  const target = await withCustomer(ports, endedNow(ports, asked));
  await mustExist(ports, target);
  const organisation = organisationContained(target);
  const now = ports.clock.now();
  const route = organisation && routeOf(organisation);
  const containment: Containment = {
    v: 1,
    id: makeId("ctn", route, now, ports.random.bytes(16)),
    target,
    effect,
    reason,
    by: note.actor,
    since: now,
  };
  const grants = target.kind === "tokens" ? await handedOutIn(ports, target) : [];
  await ports.containments.begin(containment, organisation, note, grants);
  if (organisation === undefined) await containEverywhere(ports, containment, note);
  ports.work.workSoon(organisation);
  return containment;
}

/**
 * A client everywhere: it is let in nowhere any more from the moment its own record of that is stored, as it is read with its
 * standing. In each organisation it is written too, for whoever was let in a moment before, and for that organisation's audit.
 */
export async function containEverywhere(
  ports: PartsPorts & Pick<ContainmentPorts, "containments">,
  containment: Containment,
  note: AuditNote,
): Promise<void> {
  const { target } = containment;
  if (target.kind !== "client") return;
  for (const part of await partsOf(ports, containment)) {
    const inOne: Containment = {
      ...containment,
      id: part.id,
      target: { ...target, organisation: part.organisation },
    };
    await ports.containments.begin(inOne, part.organisation, note);
  }
}

/** The parts of a containment of every organisation; of another, itself. */
export async function partsOf(
  ports: PartsPorts,
  { id, target }: Pick<Containment, "id" | "target">,
): Promise<readonly { readonly id: ContainmentId; readonly organisation: OrganisationId }[]> {
  const route = findRoute(id);
  if (route !== undefined) return [{ id, organisation: organisationId(route) }];
  const organisations = target.kind === "client" ? await ports.clients.organisationsOf(target.client) : [];
  return organisations.map((organisation) => ({
    id: containmentIn(id, routeOf(organisation)),
    organisation,
  }));
}

/**
 * Tokens flow again, at once. What is on its way to be revoked at iManage stays so.
 * @throws Problem not_found
 */
export async function liftContainment(
  ports: ContainmentPorts,
  containment: Containment,
  reason: string,
  note: AuditNote,
): Promise<Containment> {
  const lifted = { at: ports.clock.now(), by: note.actor, reason };
  // In every organisation: in some the client may have lost its policy since, and may be given one again.
  const everywhere = findRoute(containment.id) === undefined;
  for (const { id } of everywhere ? await ports.organisations.listOrganisations() : [])
    await ports.containments.lift(containmentIn(containment.id, routeOf(id)), lifted, note);
  // Its own last: as long as that one stands, whoever looks sees that it is not lifted everywhere.
  if ((await ports.containments.lift(containment.id, lifted, note)) === "gone")
    throw new Problem("not_found");
  return { ...containment, lifted: containment.lifted ?? lifted };
}

export async function progressOf(
  ports: PartsPorts & Pick<ContainmentPorts, "containments">,
  containment: Containment,
): Promise<ContainmentProgress> {
  const own = await ports.containments.progress(containment.id);
  const parts = (await partsOf(ports, containment)).filter(({ id }) => id !== containment.id);
  if (parts.length === 0) return own;
  const all = addProgress(await Promise.all(parts.map(({ id }) => ports.containments.progress(id))));
  return { ...all, counted: all.counted && own.counted };
}

/** What has not happened yet cannot be contained: a window ends now at the latest. */
function endedNow(ports: Pick<ContainmentPorts, "clock">, target: ContainmentTarget): ContainmentTarget {
  if (target.kind !== "consents" && target.kind !== "tokens") return target;
  const to = Math.min(target.to, ports.clock.now());
  if (target.from > to) {
    throw new Problem("invalid_request", {
      faults: [{ field: "target.from", message: "must be before `to`, and not in the future" }],
    });
  }
  return { ...target, to };
}

/** Of a user: the customer of his server is meant. */
export const UNSAID_CUSTOMER = "";

/** A guess would stop nobody, and say that it did. */
async function withCustomer(
  ports: Pick<ContainmentPorts, "servers">,
  target: ContainmentTarget,
): Promise<ContainmentTarget> {
  if (target.kind !== "user" || target.user.customerId !== UNSAID_CUSTOMER) return target;
  const server = await ports.servers.findServer(target.server);
  if (server === undefined) throw new Problem("not_found");
  const { customerId } = server;
  if (customerId === undefined) {
    throw new Problem("invalid_request", {
      faults: [
        { field: "target.customer_id", message: "must be said: no iManage customer of this server is known" },
      ],
    });
  }
  return { ...target, user: { ...target.user, customerId } };
}

async function mustExist(ports: ContainmentPorts, target: ContainmentTarget): Promise<void> {
  const organisation = organisationContained(target);
  const server = "server" in target ? target.server : undefined;
  const client = "client" in target ? target.client : undefined;
  const [firm, at, app, grant] = await Promise.all([
    organisation && ports.organisations.findOrganisation(organisation),
    server && ports.servers.findServer(server),
    client && ports.clients.findClient(client),
    target.kind === "grant" ? ports.grants.findGrant(target.grant) : undefined,
  ]);
  const missing =
    (organisation !== undefined && firm === undefined) ||
    (server !== undefined && at?.organisation !== organisation) ||
    (client !== undefined && app === undefined) ||
    (target.kind === "grant" && grant === undefined);
  if (missing) throw new Problem("not_found");
}
