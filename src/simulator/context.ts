import type { AuthorizationCodes } from "./authorization-codes.ts";
import type { BrowserSessions } from "./browser-sessions.ts";
import type { Concurrency } from "./concurrency.ts";
import type { Events } from "./events.ts";
import type { Faults } from "./faults.ts";
import type { Library } from "./libraries.ts";
import type { Pauses } from "./pauses.ts";
import type { RateLimit } from "./rate-limit.ts";
import type { Registration } from "./registrations.ts";
import type { RequestLog } from "./request-log.ts";
import type { Shelves } from "./shelf.ts";
import type { State } from "./state.ts";
import type { TokenFamilies } from "./token-families.ts";
import type { User } from "./users.ts";

/** One simulator's parts. Handed to every endpoint; nothing in this room is global. */
export interface Context {
  state: State;
  now: () => number;
  families: TokenFamilies;
  codes: AuthorizationCodes;
  sessions: BrowserSessions;
  faults: Faults;
  pauses: Pauses;
  events: Events;
  requests: RequestLog;
  concurrency: Concurrency;
  rateLimit: RateLimit;
  shelves: Shelves;
  /** Resolves when everything up to now is in the state file; at once without one. */
  save: () => Promise<void>;
  /** What is to end before the state is saved for the last time. */
  onClose: (end: () => void) => void;
}

export const findRegistration = (in_: Context, clientId: string | null): Registration | undefined =>
  in_.state.world.registrations.find((candidate) => candidate.client_id === clientId);

export const findUser = (in_: Context, customerId: number, userId: string): User | undefined =>
  in_.state.world.users.find((candidate) => candidate.customer_id === customerId && candidate.id === userId);

export const findLibrary = (in_: Context, customerId: number, libraryId: string): Library | undefined =>
  in_.state.world.libraries.find(
    (candidate) => candidate.customer_id === customerId && candidate.id === libraryId,
  );

/** Why this user may not use this application, or undefined when he may. */
export function whyRefused(
  user: User,
  registration: Registration,
): "locked" | "not_in_access" | "not_enabled_for_customer" | undefined {
  if (user.locked) return "locked";
  if (registration.customers !== "all" && !registration.customers.includes(user.customer_id))
    return "not_enabled_for_customer";
  if (registration.access !== "all_users" && !registration.access.includes(user.id)) return "not_in_access";
  return undefined;
}
