import type { Containment } from "../../domain/containment.ts";
import { type ContainmentId, findRoute, type OrganisationId, organisationId } from "../../domain/id.ts";
import { Problem } from "../../domain/problem.ts";
import type { ClientStore } from "../clients/ports.ts";
import type { GrantPosition } from "../grants/ports.ts";
import type { Revoker } from "../grants/revoke-pending.ts";
import type { ConfigurationStore } from "../organisations/ports.ts";
import type { AuditNote, Log } from "../ports.ts";
import { containEverywhere, partsOf } from "./contain.ts";
import {
  type FindGrantsPorts,
  type FoundGrant,
  findGrants,
  foundAmong,
  handedOutIn,
  markOf,
} from "./find-grants.ts";
import type { ContainmentStore, HandedOut } from "./ports.ts";

export interface WorkPorts extends FindGrantsPorts {
  readonly log: Log;
  readonly containments: ContainmentStore & HandedOut;
  readonly clients: Pick<ClientStore, "organisationsOf">;
  readonly organisations: Pick<ConfigurationStore, "listOrganisations">;
  readonly revoker: Pick<Revoker, "revokeSoon">;
}

const STOPPED_AT_ONCE = 200;

/**
 * What follows after tokens are stopped: which grants it concerns, and their tokens into the revocation outbox. A page at a
 * time, each in one step with the place where the next begins; so whoever comes after a process that died goes on from there,
 * and two at once do no harm.
 */
export class ContainmentWork {
  readonly #ports: WorkPorts;
  readonly #running = new Set<Promise<void>>();
  readonly #pageSize: number | undefined;

  constructor(ports: WorkPorts, options: { readonly pageSize?: number } = {}) {
    this.#ports = ports;
    this.#pageSize = options.pageSize;
  }

  /** Without waiting: who stops tokens in an incident is answered at once, and the worker comes after. */
  workSoon(organisation: OrganisationId | undefined): void {
    const work = this.workOf(organisation).catch((error: unknown) => this.#tell(organisation, error));
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }

  /** What others left unfinished. One organisation's fault does not keep the others' waiting. */
  async workAll(): Promise<void> {
    const organisations = (await this.#ports.organisations.listOrganisations()).map(({ id }) => id);
    for (const organisation of [undefined, ...organisations])
      await this.#finish(organisation).catch((error: unknown) => this.#tell(organisation, error));
  }

  /** Of a client everywhere: in each organisation that it was in. */
  async workOf(organisation: OrganisationId | undefined): Promise<void> {
    for (const part of await this.#finish(organisation)) await this.#finish(part);
  }

  async settled(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  #tell(organisation: OrganisationId | undefined, error: unknown): void {
    const code = error instanceof Problem ? error.code : "internal_error";
    this.#ports.log.warn(
      { ...(organisation && { organisation }), code },
      "a containment's work waits for the worker",
    );
  }

  async #finish(organisation: OrganisationId | undefined): Promise<readonly OrganisationId[]> {
    const { containments } = this.#ports;
    const parts: OrganisationId[] = [];
    for (const id of await containments.unfinished(organisation)) {
      const containment = await containments.findContainment(id);
      if (containment === undefined) continue;
      if (organisation === undefined) parts.push(...(await this.#spread(containment)));
      else await this.#mark(containment, organisation);
    }
    return parts;
  }

  async #spread(containment: Containment): Promise<readonly OrganisationId[]> {
    const { containments } = this.#ports;
    const note = noteOf(containment);
    if (containment.lifted === undefined) await containEverywhere(this.#ports, containment, note);
    const parts = (await partsOf(this.#ports, containment)).map(({ organisation }) => organisation);
    await containments.mark(containment.id, {
      revoke: false,
      grants: [],
      cursor: undefined,
      last: true,
      note,
    });
    return parts;
  }

  async #mark(containment: Containment, organisation: OrganisationId): Promise<void> {
    const { containments, revoker } = this.#ports;
    const { id, effect } = containment;
    const revoke = effect === "revoke";
    for await (const { found, cursor, last } of this.#pages(containment, organisation)) {
      const page = { revoke, grants: found.map(markOf), cursor, last, note: noteOf(containment) };
      if ((await containments.mark(id, page)) !== "marked") return;
      if (revoke && found.length > 0) revoker.revokeSoon(organisation);
    }
  }

  async *#pages(
    { id, target }: Containment,
    organisation: OrganisationId,
  ): AsyncGenerator<{ found: readonly FoundGrant[]; cursor: string | undefined; last: boolean }> {
    const { containments } = this.#ports;
    if (target.kind === "tokens") {
      // Whoever began it may have died in the middle of a long list; the audit may have left by now, so both count.
      const listed = await this.#stopped(id, target);
      for (let i = 0; i === 0 || i < listed.length; i += STOPPED_AT_ONCE) {
        const found = await foundAmong(this.#ports, organisation, listed.slice(i, i + STOPPED_AT_ONCE));
        yield { found, cursor: undefined, last: i + STOPPED_AT_ONCE >= listed.length };
      }
      return;
    }
    let after = positionIn(await containments.cursorOf(id));
    for (;;) {
      const { found, next } = await findGrants(this.#ports, organisation, target, after, this.#pageSize);
      yield { found, cursor: next && `${next.createdAt} ${next.id}`, last: next === undefined };
      if (next === undefined) return;
      after = next;
    }
  }

  async #stopped(id: ContainmentId, target: Extract<Containment["target"], { kind: "tokens" }>) {
    const { containments } = this.#ports;
    const containment = await containments.findContainment(id);
    if (containment !== undefined && containment.lifted === undefined) {
      const again = await handedOutIn(this.#ports, target);
      await containments.begin(containment, organisationId(findRoute(id)!), noteOf(containment), again);
    }
    return containments.stoppedGrants(id);
  }
}

function positionIn(cursor: string | undefined): GrantPosition | undefined {
  if (cursor === undefined) return undefined;
  const [createdAt, id] = cursor.split(" ");
  return { createdAt: Number(createdAt), id: id as GrantPosition["id"] };
}

/** What follows is done for who began it. */
const noteOf = ({ id, by }: Containment): AuditNote => ({ actor: by, requestId: id });
