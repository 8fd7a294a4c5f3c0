import type { Client } from "../../domain/client.ts";
import type { ClientId } from "../../domain/id.ts";
import type { Milliseconds } from "../../domain/instant.ts";
import type { Clock } from "../ports.ts";
import type { ClientStore } from "./ports.ts";

/**
 * How old may be what a proof is judged by. Whoever is stopped, or whose secrets are changed, is out everywhere within a second,
 * the way to the store included; what is contained in an organisation is stopped in the step that would hand out (T33).
 */
export const CLIENT_AGE_MAX_MS: Milliseconds = 900;
const REMEMBERED_MAX = 10_000;

type Standing = Awaited<ReturnType<ClientStore["findStanding"]>>;

/**
 * Clients as they were read a moment ago, so that a token request needs no look-up of its own. Absence is not remembered,
 * and one read at a time is under way for each, however many ask.
 */
export class RecentClients {
  readonly #clients: Pick<ClientStore, "findClient" | "findStanding">;
  readonly #records: Moment<Client | undefined>;
  readonly #standings: Moment<Standing>;

  constructor(clients: Pick<ClientStore, "findClient" | "findStanding">, clock: Pick<Clock, "monotonicMs">) {
    this.#clients = clients;
    this.#records = new Moment(clock, (id) => this.#clients.findClient(id));
    this.#standings = new Moment(clock, (id) => this.#clients.findStanding(id));
  }

  /** State and generation. */
  findStanding(id: ClientId): Standing | Promise<Standing> {
    return this.#standings.find(id);
  }

  findClient(id: ClientId): Client | undefined | Promise<Client | undefined> {
    return this.#records.find(id);
  }

  /** What is asked next is read anew: somebody knows of a change, or was refused by what was remembered. */
  forget(id: ClientId): void {
    this.#records.forget(id);
    this.#standings.forget(id);
  }

  forgetAll(): void {
    this.#records.forgetAll();
    this.#standings.forgetAll();
  }
}

/** Reads what is asked for, and answers the same for `CLIENT_AGE_MAX_MS` from when the read began. */
class Moment<T> {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #read: (id: ClientId) => Promise<T>;
  readonly #known = new Map<ClientId, { readonly found: T | Promise<T>; readonly askedAtMs: Milliseconds }>();

  constructor(clock: Pick<Clock, "monotonicMs">, read: (id: ClientId) => Promise<T>) {
    this.#clock = clock;
    this.#read = read;
  }

  find(id: ClientId): T | Promise<T> {
    const askedAtMs = this.#clock.monotonicMs();
    const known = this.#known.get(id);
    if (known !== undefined && askedAtMs - known.askedAtMs < CLIENT_AGE_MAX_MS) return known.found;
    const reading = this.#read(id);
    const entry = { found: reading, askedAtMs };
    if (this.#known.size >= REMEMBERED_MAX) this.#known.clear();
    this.#known.set(id, entry);
    reading.then(
      (found) => {
        if (this.#known.get(id) !== entry) return;
        if (found === undefined) this.#known.delete(id);
        else this.#known.set(id, { found, askedAtMs });
      },
      () => {
        if (this.#known.get(id) === entry) this.#known.delete(id);
      },
    );
    return reading;
  }

  forget(id: ClientId): void {
    this.#known.delete(id);
  }

  forgetAll(): void {
    this.#known.clear();
  }
}
