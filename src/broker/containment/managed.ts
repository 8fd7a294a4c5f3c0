import { type Client, mayOperate } from "../../domain/client.ts";
import {
  type Containment,
  type ContainmentTarget,
  needsItsPerson,
  organisationContained,
  serverContained,
} from "../../domain/containment.ts";
import type { Grant } from "../../domain/grant.ts";
import {
  type ContainmentId,
  findRoute,
  type OrganisationId,
  organisationId,
  type ServerId,
} from "../../domain/id.ts";
import { evaluatePolicy, type PolicyRule } from "../../domain/policy.ts";
import { Problem } from "../../domain/problem.ts";
import type { Subject } from "../../domain/subject.ts";
import { type Asked, allow } from "../clients/policies.ts";
import type { GrantBinding } from "../grants/ports.ts";
import type { ContainmentPorts } from "./contain.ts";
import { partsOf } from "./contain.ts";
import type { ContainmentPosition, RevocationReceipt } from "./ports.ts";

/** Who asks: his whole record, since operators are told by their role, and where from. */
export interface Manager {
  readonly record: Client;
  readonly address: string;
}

/**
 * Whether a client may contain this: what an operator does everywhere, or its policy of action `contain` says for one
 * organisation. A rule for some servers, users or libraries is one for what is limited to them.
 * @throws Problem not_found | not_allowed
 */
export async function mustMayContain(
  ports: ContainmentPorts,
  who: Manager,
  target: ContainmentTarget,
): Promise<void> {
  if (mayOperate(who.record)) return;
  const organisation = organisationContained(target);
  if (organisation === undefined) throw new Problem("not_allowed");
  const server =
    target.kind === "grant" ? (await ports.grants.findGrant(target.grant))?.server : serverContained(target);
  await mustMay(ports, who, organisation, { action: "contain", server, subject: subjectOf(target) });
  // Another organisation's application is to this one as an application that nobody has.
  const client = "client" in target ? target.client : undefined;
  if (client !== undefined && (await ports.clients.findPolicy(client, organisation)).policy === undefined)
    throw new Problem("not_found");
}

function subjectOf(target: ContainmentTarget): Subject | undefined {
  if (target.kind === "subject") return target.subject;
  return target.kind === "library" ? { type: "library", id: target.library } : undefined;
}

async function mustMay(
  ports: Pick<ContainmentPorts, "clients" | "clock">,
  { record, address }: Manager,
  organisation: OrganisationId,
  asked: Asked,
): Promise<void> {
  const policy = await allow(ports, { client: record.id, address }, organisation, asked);
  const { action, server, subject } = asked;
  const wide = policy.rules.filter((rule) => reachesAll(rule, server, subject));
  const verdict = evaluatePolicy(
    { ...policy, rules: wide },
    { action, server, subject, address },
    ports.clock.now(),
  );
  if (!verdict.allowed) throw new Problem("not_allowed");
}

/** What is not limited to a server, or to somebody, needs a rule that is not either. */
const reachesAll = (rule: PolicyRule, server: ServerId | undefined, subject: Subject | undefined): boolean =>
  (server !== undefined || rule.servers === undefined) &&
  (subject !== undefined || (rule.users === "all" && rule.libraries === "all"));

/** A containment that this client may see and change. Unknown and foreign are the same 404. @throws Problem not_found | not_allowed */
export async function findManaged(
  ports: ContainmentPorts,
  who: Manager,
  id: ContainmentId,
): Promise<Containment> {
  if (!mayOperate(who.record)) {
    // The organisation first, which the id names: another's containment is looked for no further than one that nobody has.
    const route = findRoute(id);
    if (route === undefined) throw new Problem("not_found");
    await allow(ports, { client: who.record.id, address: who.address }, organisationId(route), {
      action: "contain",
    });
  }
  const containment = await ports.containments.findContainment(id);
  if (containment === undefined) throw new Problem("not_found");
  await mustMayContain(ports, who, containment.target);
  return containment;
}

/**
 * Whoever is stopped does not let himself go, for an application that was taken over would: what an operator began only an
 * operator lifts, and what names an application that application lifts only where it began it.
 * @throws Problem not_allowed
 */
export function mustMayLift({ record }: Manager, { by, target }: Pick<Containment, "by" | "target">): void {
  if (mayOperate(record) || by === `client:${record.id}`) return;
  const names = "client" in target && target.client === record.id;
  if (!names && by.startsWith("client:")) return;
  throw new Problem("not_allowed", {
    detail: names
      ? "An application does not lift what stops itself: another one, or an operator, does."
      : "An operator has stopped this: an operator lifts it.",
  });
}

/**
 * Newest first.
 * @param organisation undefined: those of clients everywhere, which operators alone see
 * @throws Problem not_found | not_allowed
 */
export async function listManaged(
  ports: ContainmentPorts,
  who: Manager,
  organisation: OrganisationId | undefined,
  after: ContainmentPosition | undefined,
  limit: number,
): Promise<{ readonly items: readonly Containment[]; readonly next: ContainmentPosition | undefined }> {
  if (!mayOperate(who.record)) {
    if (organisation === undefined) throw new Problem("not_allowed");
    await mustMay(ports, who, organisation, { action: "contain" });
  }
  const items = await ports.containments.listContainments(organisation, after, limit);
  const last = items.length === limit ? items.at(-1) : undefined;
  return { items, next: last && { at: last.since, id: last.id } };
}

/** Somebody, or a library's owner, who has to authorise again before tokens flow. */
export interface Reauthorization {
  readonly grant: Grant;
  readonly bindings: readonly GrantBinding[];
  readonly state: "needed" | "authorized_again";
}

export interface PartPage<T> {
  readonly items: readonly T[];
  /** `<part> <entry>`; undefined at the end. */
  readonly next: string | undefined;
}

/** Who has to authorise again, and who has. Grants that were merely stopped, and live, are not among them. */
export async function reauthorizations(
  ports: ContainmentPorts,
  containment: Containment,
  cursor: string | undefined,
  limit: number,
): Promise<PartPage<Reauthorization>> {
  return partPage(ports, containment, cursor, limit, async (id, after) => {
    const marked = await ports.containments.grantsOf(id, after, limit);
    const items = await Promise.all(
      marked.map(async ({ grant: grantId, generation, entry }) => {
        const grant = await ports.grants.findGrant(grantId);
        const again = grant !== undefined && grant.consentGeneration > generation;
        if (grant === undefined || (!again && !needsItsPerson(grant))) return { entry, item: undefined };
        const bindings = await ports.grants.listBindings(grantId);
        const state = again ? ("authorized_again" as const) : ("needed" as const);
        return { entry, item: { grant, bindings, state } };
      }),
    );
    return items;
  });
}

export async function receiptsOf(
  ports: ContainmentPorts,
  containment: Containment,
  cursor: string | undefined,
  limit: number,
): Promise<PartPage<RevocationReceipt>> {
  return partPage(ports, containment, cursor, limit, async (id, after) => {
    const receipts = await ports.containments.receipts(id, after, limit);
    return receipts.map((item) => ({ entry: item.entry, item }));
  });
}

/** A page may be shorter than `limit` and not be the last one: where there is `next`, there may be more. */
async function partPage<T>(
  ports: ContainmentPorts,
  containment: Containment,
  cursor: string | undefined,
  limit: number,
  read: (
    id: ContainmentId,
    after: string | undefined,
  ) => Promise<readonly { readonly entry: string; readonly item: T | undefined }[]>,
): Promise<PartPage<T>> {
  const parts = (await partsOf(ports, containment)).map(({ id }) => id).sort();
  // A page has it from its address: what is none of ours is as if nothing was said.
  const [, at, entry] = /^(\S+) (\d{1,19}-\d{1,19})?$/.exec(cursor ?? "") ?? [];
  const from = at === undefined ? 0 : parts.findIndex((id) => id >= at);
  if (from < 0 || parts.length === 0) return { items: [], next: undefined };
  const id = parts[from]!;
  const page = await read(id, id === at ? entry : undefined);
  const items = page.flatMap(({ item }) => (item === undefined ? [] : [item]));
  if (page.length === limit) return { items, next: `${id} ${page.at(-1)!.entry}` };
  const following = parts[from + 1];
  return { items, next: following && `${following} ` };
}
