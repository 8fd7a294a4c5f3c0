import { z } from "zod";
import { ROUTES, type Route } from "./calls.ts";

const when = z.strictObject({
  route: z.enum([...ROUTES, "any"]),
  grant_type: z.enum(["authorization_code", "refresh_token"]).optional(),
  /** Whoever the presented code, refresh token or access token belongs to: `amelia.hart` or `5948/amelia.hart`. */
  user: z.string().optional(),
  /** The same, for refreshes only. */
  refresh_token_of_user: z.string().optional(),
  client_id: z.string().optional(),
  library: z.string().optional(),
  path_starts_with: z.string().optional(),
  method: z.string().optional(),
  /** Spares the first n-1 calls that match. */
  nth: z.int().positive().optional(),
});

/** What goes wrong, in the order in which it happens. Several may be combined. */
const whatToDo = z.strictObject({
  // Before the server acts.
  delay_before_ms: z.number().nonnegative().optional(),
  hold_before: z.literal(true).optional(),
  drop_before: z.enum(["reset", "close"]).optional(),

  // Acting, or not, and what is answered.
  answer: z
    .strictObject({
      status: z.int().min(200).max(599).default(200),
      headers: z.record(z.string(), z.string()).default({}),
      /** An object is sent as JSON. {{access_token}} and {{refresh_token}} become tokens really issued. */
      body: z.union([z.string(), z.record(z.string(), z.unknown())]).default(""),
      /** Whether the server acts before it answers so. Without it: only if the body holds a placeholder. */
      acts: z.boolean().optional(),
    })
    .optional(),

  // After it acted: the tokens are rotated, the code is spent.
  delay_after_ms: z.number().nonnegative().optional(),
  hold_after: z.literal(true).optional(),
  drop_after: z.enum(["reset", "close"]).optional(),

  // The answer on its way. `set` and `omit` touch only JSON objects.
  set: z.record(z.string(), z.unknown()).optional(),
  omit: z.array(z.string()).optional(),
  set_headers: z.record(z.string(), z.string()).optional(),
  /** Appends this many spaces, which leave JSON valid. */
  pad_body_bytes: z.int().positive().max(1_000_000_000).optional(),
  /** Sends this many bytes of the body its Content-Length promises, then closes. */
  cut_body_after_bytes: z.int().nonnegative().optional(),
  drip: z.strictObject({ bytes: z.int().positive(), every_ms: z.number().nonnegative() }).optional(),
});

export const faultSchema = z.strictObject({
  id: z.string().min(1).optional(),
  on: when,
  /** How many calls it befalls. Once, unless said otherwise. */
  times: z.union([z.int().positive(), z.literal("always")]).default(1),
  do: whatToDo,
});

export type Fault = z.input<typeof faultSchema>;
export type FaultActions = z.output<typeof whatToDo>;

export type LoadedFault = z.output<typeof faultSchema> & { id: string; matched: number; fired: number };

/** What a fault may look at. */
export interface FaultSubject {
  route: Route;
  method: string;
  path: string;
  grant_type?: string;
  client_id?: string;
  library?: string;
  user?: { customer_id: number; user_id: string };
}

export class Faults {
  readonly #faults: LoadedFault[];

  constructor(faults: LoadedFault[]) {
    this.#faults = faults;
  }

  add(fault: Fault): string {
    const parsed = faultSchema.parse(fault);
    const id = parsed.id ?? this.#freeId();
    if (this.#faults.some((known) => known.id === id)) throw new RangeError(`there is a fault ${id} already`);
    this.#faults.push({ ...parsed, id, matched: 0, fired: 0 });
    return id;
  }

  list(): readonly LoadedFault[] {
    return this.#faults;
  }

  clear(id?: string): void {
    if (id === undefined) this.#faults.length = 0;
    else {
      const index = this.#faults.findIndex((fault) => fault.id === id);
      if (index >= 0) this.#faults.splice(index, 1);
    }
  }

  /** The first fault whose turn it is. Counts as firing it. */
  take(subject: FaultSubject): LoadedFault | undefined {
    for (const fault of this.#faults) {
      if (!matches(fault.on, subject)) continue;
      fault.matched += 1;
      if (fault.matched < (fault.on.nth ?? 1)) continue;
      if (fault.times !== "always" && fault.fired >= fault.times) continue;
      fault.fired += 1;
      return fault;
    }
    return undefined;
  }

  #freeId(): string {
    let number = this.#faults.length + 1;
    while (this.#faults.some((fault) => fault.id === `fault_${number}`)) number += 1;
    return `fault_${number}`;
  }
}

function matches(on: LoadedFault["on"], subject: FaultSubject): boolean {
  return (
    (on.route === "any" || on.route === subject.route) &&
    (on.grant_type === undefined || on.grant_type === subject.grant_type) &&
    (on.user === undefined || isUser(on.user, subject.user)) &&
    (on.refresh_token_of_user === undefined ||
      (subject.grant_type === "refresh_token" && isUser(on.refresh_token_of_user, subject.user))) &&
    (on.client_id === undefined || on.client_id === subject.client_id) &&
    (on.library === undefined || on.library === subject.library) &&
    (on.path_starts_with === undefined || subject.path.startsWith(on.path_starts_with)) &&
    (on.method === undefined || on.method.toUpperCase() === subject.method)
  );
}

const isUser = (named: string, user: FaultSubject["user"]): boolean =>
  user !== undefined && (named === user.user_id || named === `${user.customer_id}/${user.user_id}`);
