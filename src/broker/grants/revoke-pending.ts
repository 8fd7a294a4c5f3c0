import type { OrganisationId, ServerId } from "../../domain/id.ts";
import { Problem } from "../../domain/problem.ts";
import { openCredentials } from "../authorization/open-credentials.ts";
import type { AuthorizationServer, ServerDirectory } from "../authorization/ports.ts";
import type { ConfigurationStore } from "../organisations/ports.ts";
import type { Clock, Log, LogFields, Sealer } from "../ports.ts";
import { accessTokenContext, refreshTokenContext } from "../seal-contexts.ts";
import type { GrantStore, PendingRevocation, RevocationOutbox, RevocationOutcome } from "./ports.ts";

export interface RevocationPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly sealer: Sealer;
  readonly outbox: RevocationOutbox;
  readonly grants: Pick<GrantStore, "findGrant">;
  readonly servers: ServerDirectory;
  readonly organisations: Pick<ConfigurationStore, "listOrganisations">;
  readonly authorizationServer: Pick<AuthorizationServer, "revoke">;
}

const BATCH = 200;
/** A server that so many times in one run did not do it is left to the next: others wait behind. */
const FAILURES = 10;
/** Calls at one server at a time: it has its users to serve, and an incident may be ten thousand tokens. */
const AT_ONCE = 4;
const ORGANISATIONS_AT_ONCE = 8;

/** Tells iManage about grants that ended. Run twice it does no harm; what iManage did not take stays for the next run. */
export class Revoker {
  readonly #ports: RevocationPorts;
  readonly #running = new Map<OrganisationId, Promise<void>>();

  constructor(ports: RevocationPorts) {
    this.#ports = ports;
  }

  /** Without waiting: a person who disconnects should not wait for iManage, and the worker comes after. */
  revokeSoon(organisation: OrganisationId): void {
    void this.#revokeOrSay(organisation);
  }

  /** One organisation's fault, such as a key that is gone or a server that hangs, does not keep the others' waiting. */
  async revokeAll(): Promise<void> {
    const organisations = [...(await this.#ports.organisations.listOrganisations())];
    const lane = async () => {
      for (let next = organisations.shift(); next !== undefined; next = organisations.shift())
        await this.#revokeOrSay(next.id);
    };
    await Promise.all(Array.from({ length: ORGANISATIONS_AT_ONCE }, lane));
  }

  async #revokeOrSay(organisation: OrganisationId): Promise<void> {
    try {
      await this.revokeOf(organisation);
    } catch (error) {
      const code = error instanceof Problem ? error.code : "internal_error";
      this.#ports.log.warn({ organisation, code }, "revocations wait for the worker");
    }
  }

  revokeOf(organisation: OrganisationId): Promise<void> {
    const running = this.#running.get(organisation) ?? this.#drain(organisation);
    this.#running.set(organisation, running);
    return running.finally(() => this.#running.delete(organisation));
  }

  async settled(): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }

  /** Each server by itself: one that hangs, or refuses, holds up nobody else's. */
  async #drain(organisation: OrganisationId): Promise<void> {
    const servers = new Set<ServerId>();
    for await (const entry of this.#waiting(organisation)) servers.add(entry.server);
    const drained = await Promise.allSettled([...servers].map((id) => this.#drainServer(organisation, id)));
    const failed = drained.find(({ status }) => status === "rejected") as PromiseRejectedResult | undefined;
    if (failed !== undefined) throw failed.reason;
  }

  async #drainServer(organisation: OrganisationId, server: ServerId): Promise<void> {
    let failures = 0;
    let unopenable: LogFields | undefined;
    const waiting = this.#waiting(organisation, server);
    const lane = async () => {
      for (let next = await waiting.next(); !next.done; next = await waiting.next()) {
        if (failures >= FAILURES) return;
        const entry = next.value;
        const outcome = await this.#revoke(entry).catch(unopened);
        if (outcome instanceof Problem) {
          unopenable ??= { grant: entry.grant, server, code: outcome.code };
          await this.#settle(organisation, entry, { kind: "refused", why: outcome.code });
        } else {
          if (outcome.kind === "refused") failures++;
          await this.#settle(organisation, entry, outcome);
        }
      }
    };
    const lanes = await Promise.allSettled(Array.from({ length: AT_ONCE }, lane));
    if (unopenable !== undefined)
      this.#ports.log.warn(
        { organisation, ...unopenable },
        "a token that waits to be revoked cannot be opened; it stays",
      );
    const failed = lanes.find(({ status }) => status === "rejected") as PromiseRejectedResult | undefined;
    if (failed !== undefined) throw failed.reason;
  }

  /** What waits, oldest first. Lanes may draw from it side by side: a generator answers them in turn. */
  async *#waiting(organisation: OrganisationId, server?: ServerId): AsyncGenerator<PendingRevocation> {
    let after: string | undefined;
    for (;;) {
      const batch = await this.#ports.outbox.pending(organisation, BATCH, after);
      yield* server === undefined ? batch : batch.filter((entry) => entry.server === server);
      after = batch.at(-1)?.entry;
      if (batch.length < BATCH) return;
    }
  }

  async #settle(
    organisation: OrganisationId,
    entry: PendingRevocation,
    outcome: RevocationOutcome,
  ): Promise<void> {
    await this.#ports.outbox.settle(organisation, entry.entry, outcome);
  }

  async #revoke(entry: PendingRevocation): Promise<RevocationOutcome> {
    const { sealer, log } = this.#ports;
    const server = await this.#ports.servers.findServer(entry.server);
    const registration = await this.#ports.servers.findRegistration(entry.registration);
    if (server === undefined || registration === undefined)
      return { kind: "given_up", why: "the server or its registration is gone" };
    // The person has consented again: what iManage ends with an old token is not known, and it might be the new grant.
    const grant = await this.#ports.grants.findGrant(entry.grant);
    const kept = grant?.state === "revoked" && grant.consentGeneration === entry.consentGeneration;
    if (grant !== undefined && !kept)
      return { kind: "given_up", why: "authorized again before it was revoked" };

    const of = {
      grant: entry.grant,
      server,
      consentGeneration: entry.consentGeneration,
      attempt: entry.attempt,
    };
    const context = entry.kind === "refresh-token" ? refreshTokenContext(of) : accessTokenContext(of);
    const answer = await this.#ports.authorizationServer.revoke({
      server,
      credentials: await openCredentials(this.#ports, registration, server),
      token: await sealer.open(entry.token, context),
    });
    const outcome = typeof answer === "string" ? answer : "failed";
    log.info({ grant: entry.grant, server: server.id, outcome, detail: entry.kind }, "revocation");
    return typeof answer === "string" ? { kind: answer } : { kind: "refused", why: answer.failed };
  }
}

/** One record's fault does not keep the others' waiting. */
function unopened(error: unknown): Problem {
  if (error instanceof Problem && error.code === "integrity_failure") return error;
  throw error;
}
