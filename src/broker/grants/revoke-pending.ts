import type { OrganisationId, ServerId } from "../../domain/id.ts";
import { Problem } from "../../domain/problem.ts";
import { openCredentials } from "../authorization/open-credentials.ts";
import type { AuthorizationServer, ServerDirectory } from "../authorization/ports.ts";
import type { ConfigurationStore } from "../organisations/ports.ts";
import type { Clock, Log, LogFields, Sealer } from "../ports.ts";
import { accessTokenContext, refreshTokenContext } from "../seal-contexts.ts";
import type { GrantStore, PendingRevocation, RevocationOutbox } from "./ports.ts";

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

const BATCH = 50;
/** A server that so many times in one run did not do it is left to the next: others wait behind. */
const FAILURES = 10;

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

  /** One organisation's fault, such as a key that is gone, does not keep the others' waiting. */
  async revokeAll(): Promise<void> {
    for (const { id } of await this.#ports.organisations.listOrganisations()) await this.#revokeOrSay(id);
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

  async #drain(organisation: OrganisationId): Promise<void> {
    const { outbox } = this.#ports;
    const failures = new Map<ServerId, number>();
    let after: string | undefined;
    let unopenable: LogFields | undefined;
    for (;;) {
      const batch = await outbox.pending(organisation, BATCH, after);
      for (const entry of batch) {
        const failed = failures.get(entry.server) ?? 0;
        if (failed >= FAILURES) continue;
        const answer = await this.#revoke(entry).catch(unopened);
        if (answer === true) await outbox.settle(organisation, entry.entry);
        else if (answer === false) failures.set(entry.server, failed + 1);
        else unopenable ??= { grant: entry.grant, server: entry.server, code: answer.code };
      }
      after = batch.at(-1)?.entry;
      if (batch.length < BATCH) break;
    }
    if (unopenable !== undefined)
      this.#ports.log.warn(
        { organisation, ...unopenable },
        "a token that waits to be revoked cannot be opened; it stays",
      );
  }

  /** True: nothing is left to do for this token. */
  async #revoke(entry: PendingRevocation): Promise<boolean> {
    const { sealer, log } = this.#ports;
    const server = await this.#ports.servers.findServer(entry.server);
    const registration = await this.#ports.servers.findRegistration(entry.registration);
    if (server === undefined || registration === undefined) return true;
    // The person has consented again: what iManage ends with an old token is not known, and it might be the new grant.
    if ((await this.#ports.grants.findGrant(entry.grant)) !== undefined) return true;

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
    log.info({ grant: entry.grant, server: server.id, outcome: answer, detail: entry.kind }, "revocation");
    return answer !== "failed";
  }
}

/** One record's fault does not keep the others' waiting. */
function unopened(error: unknown): Problem {
  if (error instanceof Problem && error.code === "integrity_failure") return error;
  throw error;
}
