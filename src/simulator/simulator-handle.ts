import { type ContentHandle, contentHandle } from "./content-handle.ts";
import type { Context } from "./context.ts";
import { findLibrary, findRegistration, findUser } from "./context.ts";
import { type Counts, noCounts } from "./counts.ts";
import type { SimulatorEvent } from "./events.ts";
import type { Fault, LoadedFault } from "./faults.ts";
import { type Library, type LibraryInput, librarySchema } from "./libraries.ts";
import { isNamed, must } from "./named.ts";
import type { Hold } from "./pauses.ts";
import { type Registration, type RegistrationInput, registrationSchema } from "./registrations.ts";
import type { LoggedRequest } from "./request-log.ts";
import { defaultSwitches, type Switches, withSwitches } from "./switches.ts";
import type { TokenFamilies } from "./token-families.ts";
import { fingerprint } from "./tokens.ts";
import { type User, type UserInput, userSchema } from "./users.ts";
import type { World } from "./world.ts";

export type FamilyTruth = ReturnType<TokenFamilies["truth"]>[number];

export interface Truth {
  now: string;
  families: FamilyTruth[];
  codes: {
    fingerprint: string;
    user_id: string;
    client_id: string;
    issued_at: string;
    used_at: string | null;
  }[];
}

/** What drives a simulator from the process it runs in. The control endpoint offers the same over HTTP. */
export interface Simulator extends ContentHandle {
  /** How clients reach it. */
  readonly origin: string;
  /** Where it listens: the same, unless a public origin was given. */
  readonly localOrigin: string;
  readonly controlUrl: string;
  readonly world: World;
  /** Virtual time. */
  now(): number;

  readonly registrations: {
    list(): Registration[];
    find(clientId: string): Registration | undefined;
    put(registration: RegistrationInput): Registration;
    patch(clientId: string, change: Partial<RegistrationInput>): Registration;
    remove(clientId: string): void;
  };
  readonly users: {
    list(): User[];
    find(customerId: number, id: string): User | undefined;
    put(user: UserInput): User;
    patch(customerId: number, id: string, change: Partial<UserInput>): User;
    remove(customerId: number, id: string): void;
  };
  readonly libraries: {
    list(): Library[];
    find(customerId: number, id: string): Library | undefined;
    put(library: LibraryInput): Library;
    patch(customerId: number, id: string, change: Partial<LibraryInput>): Library;
    remove(customerId: number, id: string): void;
  };
  switches(): Switches;
  setSwitches(change: Partial<Switches>): Switches;
  resetSwitches(): Switches;

  addFault(fault: Fault): string;
  faults(): readonly LoadedFault[];
  /** Also releases what the faults hold. */
  clearFaults(id?: string): void;
  held(): Hold[];
  /** One hold, all holds of one fault, or all. Returns how many. */
  release(id?: string): number;

  /** Moves virtual time, and ends the delays that would have been over by then. */
  advance(ms: number): void;

  /** Tokens without the browser: what a sign-in and redemption would have given. */
  issueTokens(to: { client_id: string; user: string; scope?: string }): {
    family: string;
    access_token: string;
    refresh_token: string | null;
  };
  /** Ends families as an administrator might. Returns how many ended. */
  endFamilies(which?: { family?: string; user?: string; client_id?: string }): number;
  /** Restores tokens and consents from a backup of so long ago. */
  restoreBackup(of: { agoMs: number }): void;
  truth(): Truth;
  isRefreshTokenLive(value: string): boolean;
  isAccessTokenLive(value: string): boolean;
  counts(): Counts;
  resetCounts(): void;
  requests(after?: number): LoggedRequest[];
  events(after?: number): SimulatorEvent[];
  /** Asks now and after every event; resolves with the event that made it true, rejects after timeoutMs. */
  waitFor(
    predicate: (event: SimulatorEvent | undefined) => unknown,
    timeoutMs?: number,
    signal?: AbortSignal,
  ): Promise<SimulatorEvent | undefined>;
  /** Resolves when the state file holds everything up to now. */
  saved(): Promise<void>;
  close(): Promise<void>;
}

export function simulatorHandle(
  in_: Context,
  of: { origin: string; localOrigin: string; close: () => Promise<void> },
): Simulator {
  const { world } = in_.state;
  let closing: Promise<void> | undefined;

  const simulator: Simulator = {
    origin: of.origin,
    localOrigin: of.localOrigin,
    controlUrl: `${of.localOrigin}/_simulator/`,
    world,
    now: in_.now,

    registrations: {
      list: () => world.registrations,
      find: (clientId) => findRegistration(in_, clientId),
      put: (input) =>
        put(world.registrations, registrationSchema.parse(input), (a, b) => a.client_id === b.client_id),
      patch: (clientId, change) => {
        const known = must(findRegistration(in_, clientId), `registration ${clientId}`);
        return Object.assign(known, registrationSchema.parse({ ...known, ...change, client_id: clientId }));
      },
      remove: (clientId) => remove(world.registrations, (known) => known.client_id === clientId),
    },
    users: {
      list: () => world.users,
      find: (customerId, id) => findUser(in_, customerId, id),
      put: (input) => put(world.users, userSchema.parse(input), samePerson),
      patch: (customerId, id, change) => {
        const known = must(findUser(in_, customerId, id), `user ${customerId}/${id}`);
        return Object.assign(known, userSchema.parse({ ...known, ...change, customer_id: customerId, id }));
      },
      remove: (customer_id, id) => remove(world.users, (known) => samePerson(known, { customer_id, id })),
    },
    libraries: {
      list: () => world.libraries,
      find: (customerId, id) => findLibrary(in_, customerId, id),
      put: (input) => put(world.libraries, librarySchema.parse(input), samePerson),
      patch: (customerId, id, change) => {
        const known = must(findLibrary(in_, customerId, id), `library ${customerId}/${id}`);
        return Object.assign(
          known,
          librarySchema.parse({ ...known, ...change, customer_id: customerId, id }),
        );
      },
      remove: (customer_id, id) => remove(world.libraries, (known) => samePerson(known, { customer_id, id })),
    },
    ...contentHandle(in_),

    switches: () => ({ ...in_.state.switches }),
    // Assigned in place: the parts of the simulator hold this object.
    setSwitches: (change) => ({
      ...Object.assign(in_.state.switches, withSwitches(in_.state.switches, change)),
    }),
    resetSwitches: () => ({ ...Object.assign(in_.state.switches, defaultSwitches()) }),

    addFault: (fault) => in_.faults.add(fault),
    faults: () => in_.faults.list(),
    clearFaults: (id) => {
      in_.faults.clear(id);
      in_.pauses.release(id);
    },
    held: () => in_.pauses.held(),
    release: (id) => in_.pauses.release(id),

    advance: (ms) => {
      in_.state.offset_ms += ms;
      in_.pauses.advance(ms);
      in_.events.emit({ type: "advanced" });
    },

    issueTokens: ({ client_id, user, scope = "user" }) => {
      const registration = must(findRegistration(in_, client_id), `registration ${client_id}`);
      const to = must(
        world.users.find((known) => isNamed(known, user)),
        `user ${user}`,
      );
      const owner = { customer_id: to.customer_id, user_id: to.id, client_id, scope };
      const { family, access_token, refresh_token } = in_.families.open(owner, registration);
      in_.families.endEarlier(owner, family);
      return { family: family.id, access_token, refresh_token: refresh_token ?? null };
    },
    endFamilies: (which = {}) => {
      const chosen = in_.families
        .list()
        .filter(
          (family) =>
            family.ended_at === null &&
            (which.family === undefined || which.family === family.id) &&
            (which.client_id === undefined || which.client_id === family.client_id) &&
            (which.user === undefined ||
              isNamed({ customer_id: family.customer_id, id: family.user_id }, which.user)),
        );
      for (const family of chosen) {
        in_.families.end(family, "ended_by_administrator", "with_access_tokens");
        in_.events.emit({
          type: "family_ended",
          family: family.id,
          user: family.user_id,
          error: "ended_by_administrator",
        });
      }
      return chosen.length;
    },
    restoreBackup: ({ agoMs }) => {
      in_.families.rollBack(in_.now() - agoMs);
      in_.events.emit({ type: "rolled_back" });
    },
    truth: () => ({
      now: new Date(in_.now()).toISOString(),
      families: in_.families.truth(),
      codes: in_.codes.list().map((code) => ({
        fingerprint: fingerprint(code.value),
        user_id: code.user_id,
        client_id: code.client_id,
        issued_at: new Date(code.issued_at).toISOString(),
        used_at: code.used_at === null ? null : new Date(code.used_at).toISOString(),
      })),
    }),
    isRefreshTokenLive: (value) => in_.families.isRefreshTokenLive(value),
    isAccessTokenLive: (value) => in_.families.isAccessTokenLive(value),
    counts: () => structuredClone(in_.state.counts),
    resetCounts: () => {
      Object.assign(in_.state.counts, noCounts());
    },
    requests: (after) => in_.requests.list(after),
    events: (after = 0) => in_.events.after(after),
    waitFor: (predicate, timeoutMs = 10_000, signal) => in_.events.waitFor(predicate, timeoutMs, signal),
    saved: () => in_.save(),
    close: () => {
      closing ??= of.close();
      return closing;
    },
  };
  return simulator;
}

const samePerson = (
  a: { customer_id: number; id: string },
  b: { customer_id: number; id: string },
): boolean => a.customer_id === b.customer_id && a.id === b.id;

function put<T>(all: T[], one: T, same: (a: T, b: T) => boolean): T {
  const index = all.findIndex((known) => same(known, one));
  if (index >= 0) all[index] = one;
  else all.push(one);
  return one;
}

function remove<T>(all: T[], which: (known: T) => boolean): void {
  const index = all.findIndex(which);
  if (index >= 0) all.splice(index, 1);
}
