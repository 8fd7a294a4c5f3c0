import type { ServerDirectory } from "../broker/authorization/ports.ts";
import type { RegistrationId, ServerId } from "../domain/id.ts";
import type { Registration } from "../domain/registration.ts";
import type { Server } from "../domain/server.ts";

/**
 * What is asked for of one thing within one turn of the loop is asked for once: whatever answers one, answers all. Nothing is
 * remembered beyond it, so nobody is told what was stored before he asked.
 */
export class SameTurn<Of, Found> {
  readonly #asked = new Map<Of, Promise<Found>>();

  once(of: Of, ask: (of: Of) => Promise<Found>): Promise<Found> {
    const asked = this.#asked.get(of);
    if (asked !== undefined) return asked;
    if (this.#asked.size === 0) setImmediate(() => this.#asked.clear());
    const found = ask(of);
    this.#asked.set(of, found);
    return found;
  }
}

/** The same servers, for whoever begins a handful of refreshes of one server at once. */
export function oncePerTurn(directory: ServerDirectory): ServerDirectory {
  const servers = new SameTurn<ServerId, Server | undefined>();
  const registrations = new SameTurn<RegistrationId, Registration | undefined>();
  return {
    findServer: (id) => servers.once(id, () => directory.findServer(id)),
    findRegistration: (id) => registrations.once(id, () => directory.findRegistration(id)),
  };
}
