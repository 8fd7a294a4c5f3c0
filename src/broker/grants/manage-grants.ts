import type { Grant } from "../../domain/grant.ts";
import { type GrantStory, type TimelineEntry, tellGrantStory } from "../../domain/grant-timeline.ts";
import { type GrantId, type OrganisationId, organisationOf, type ServerId } from "../../domain/id.ts";
import type { Instant } from "../../domain/instant.ts";
import { type ClientAction, evaluatePolicy, type Policy, type PolicyRequest } from "../../domain/policy.ts";
import { mustAllow } from "../../domain/policy-refusal.ts";
import { Problem } from "../../domain/problem.ts";
import type { Subject, UserSubject } from "../../domain/subject.ts";
import { allow, type PolicyPorts } from "../clients/policies.ts";
import type { Caller, ClientStore } from "../clients/ports.ts";
import type { AuditNote } from "../ports.ts";
import type { GrantBinding, GrantPosition, GrantStore } from "./ports.ts";
import type { Revoker } from "./revoke-pending.ts";

export interface GrantPorts extends PolicyPorts {
  readonly grants: GrantStore;
  readonly clients: Pick<ClientStore, "findPolicy" | "organisationsOf">;
  readonly revoker: Pick<Revoker, "revokeSoon">;
}

export interface GrantView {
  readonly grant: Grant;
  readonly bindings: readonly GrantBinding[];
}

/** Grants of one organisation that the caller's policy lets it see, oldest first, each with the uses that it may know of. */
export async function listGrants(
  ports: GrantPorts,
  caller: Caller,
  organisation: OrganisationId,
  after: GrantPosition | undefined,
  limit: number,
): Promise<{ readonly items: readonly GrantView[]; readonly next: GrantPosition | undefined }> {
  const policy = await allow(ports, caller, organisation, { action: "status" });
  const sight = new Sight(policy, caller, "status", ports.clock.now());
  const grants = await ports.grants.listGrants(organisation, after, limit);
  const views = await Promise.all(
    grants
      .filter(({ server }) => sight.sees(server, undefined))
      .map(async (grant) => sight.view(grant, await ports.grants.listBindings(grant.id))),
  );
  const last = grants.length === limit ? grants.at(-1) : undefined;
  return {
    items: views.filter((view) => view !== undefined),
    next: last && { createdAt: last.createdAt, id: last.id },
  };
}

export async function getGrant(ports: GrantPorts, caller: Caller, id: GrantId): Promise<GrantView> {
  return (await findVisible(ports, caller, id, "status")).view;
}

/**
 * What happened to a grant and why it broke, also of one that is gone: that is shown to whoever may see the libraries it was
 * lent to, or every user. Who did it is named as far as it is the caller's own.
 */
export async function readTimeline(ports: GrantPorts, caller: Caller, id: GrantId): Promise<GrantStory> {
  const [visible, entries] = await Promise.all([
    findVisible(ports, caller, id, "status").catch((error: unknown) => goneAfter(error)),
    ports.grants.timeline(id),
  ]);
  if (visible === undefined) await mustHaveSeen(ports, caller, id, entries);
  const story = tellGrantStory(entries, visible?.view.grant);
  return { ...story, lines: story.lines.map((line) => ({ ...line, actor: seenActor(line.actor, caller) })) };
}

function goneAfter(error: unknown): undefined {
  if (!(error instanceof Problem) || error.code !== "not_found") throw error;
}

/** @throws Problem not_found | not_allowed */
async function mustHaveSeen(
  ports: GrantPorts,
  caller: Caller,
  id: GrantId,
  entries: readonly TimelineEntry[],
): Promise<void> {
  const ended = entries.findLast(({ kind }) => kind === "grant.gone")?.more;
  // A grant that is there, and whose uses the policy does not name, has no end.
  if (ended?.server === undefined) throw new Problem("not_found");
  const policy = await allow(ports, caller, organisationOf(id), { action: "status" });
  const sight = new Sight(policy, caller, "status", ports.clock.now());
  const libraries = JSON.parse(ended.libraries ?? "[]") as readonly string[];
  const subjects: readonly Subject[] = [
    ANYBODY,
    ...libraries.map((library) => ({ type: "library", id: library }) as const),
  ];
  if (!subjects.some((subject) => sight.sees(ended.server as ServerId, subject)))
    throw new Problem("not_found");
}

/** `client:<id>` and `person:<client>/<id>` are told to that client; of others, of operators and of users only what they are. */
function seenActor(actor: string | undefined, { client }: Caller): string | undefined {
  if (actor === undefined || actor === `client:${client}` || actor.startsWith(`person:${client}/`))
    return actor;
  return actor.split(":", 1)[0];
}

/**
 * Ends a grant: from the moment this returns no replica hands its token out. iManage is told at once, and again by the
 * worker until it has answered. It ends for everyone who uses it, so whoever is not allowed each of them may not.
 */
export async function deleteGrant(
  ports: GrantPorts,
  caller: Caller,
  id: GrantId,
  note: AuditNote,
): Promise<void> {
  const { sight, view, bindings } = await findVisible(ports, caller, id, "revoke");
  for (const binding of bindings) sight.mustSee(view.grant.server, binding);
  await ports.grants.deleteGrant(id, note);
  ports.revoker.revokeSoon(organisationOf(id));
}

async function findVisible(ports: GrantPorts, caller: Caller, id: GrantId, action: ClientAction) {
  const policy = await allow(ports, caller, organisationOf(id), { action });
  const sight = new Sight(policy, caller, action, ports.clock.now());
  const grant = await ports.grants.findGrant(id);
  if (grant === undefined) throw new Problem("not_found");
  sight.mustSee(grant.server, undefined);
  const bindings = await ports.grants.listBindings(id);
  const view = sight.view(grant, bindings);
  if (view === undefined) throw new Problem("not_found");
  return { sight, view, bindings };
}

/** What a policy lets one caller see of grants, for one action. */
class Sight {
  readonly #policy: Policy;
  readonly #caller: Caller;
  readonly #action: ClientAction;
  readonly #now: Instant;

  constructor(policy: Policy, caller: Caller, action: ClientAction, now: Instant) {
    this.#policy = policy;
    this.#caller = caller;
    this.#action = action;
    this.#now = now;
  }

  /** A grant with those of its uses that the policy names; undefined where it names none of them. */
  view(grant: Grant, all: readonly GrantBinding[]): GrantView | undefined {
    const bindings = all.filter((binding) => this.sees(grant.server, this.#subjectOf(binding)));
    // One that nobody uses yet may become anybody's.
    const shown = bindings.length > 0 || (all.length === 0 && this.sees(grant.server, ANYBODY));
    return shown ? { grant, bindings: bindings.map((binding) => this.#seen(binding)) } : undefined;
  }

  sees(server: ServerId, subject: Subject | undefined): boolean {
    return evaluatePolicy(this.#policy, this.#asked(server, subject), this.#now).allowed;
  }

  /** @throws Problem not_found | not_allowed */
  mustSee(server: ServerId, binding: GrantBinding | undefined): void {
    mustAllow(this.#policy, this.#asked(server, binding && this.#subjectOf(binding)), this.#now);
  }

  #asked(server: ServerId, subject: Subject | undefined): PolicyRequest {
    return { action: this.#action, server, subject, address: this.#caller.address };
  }

  #subjectOf(binding: GrantBinding): Subject {
    if (binding.type === "library") return { type: "library", id: binding.library };
    return binding.client === this.#caller.client ? binding.subject : ANYBODY;
  }

  /** Of other clients' users a client learns that they are there, not who they are. */
  #seen(binding: GrantBinding): GrantBinding {
    return binding.type === "library" || binding.client === this.#caller.client
      ? binding
      : { ...binding, subject: ANYBODY };
  }
}

/** Somebody whom no list names: another client's user. A rule for all users names him too. */
const ANYBODY: UserSubject = { type: "user", issuer: "", id: "" };
