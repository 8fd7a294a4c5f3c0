import type { ClientId, OrganisationId, RegistrationId, ServerId } from "../../domain/id.ts";
import type { AuditNote, RecordWrite } from "../ports.ts";
import type { Change } from "./plan.ts";

/** Ids by the names a file uses, while a plan is carried out. */
export interface WrittenIds {
  readonly organisations: Map<string, OrganisationId>;
  readonly servers: Map<string, { readonly id: ServerId; readonly registration: RegistrationId }>;
  readonly registrations: Map<string, RegistrationId>;
  readonly clients: Map<string, ClientId>;
}

/** A reading without faults has no dangling reference, and what is referred to is written first. */
export function known<T>(ids: ReadonlyMap<string, T>, name: string): T {
  const id = ids.get(name);
  if (id === undefined) throw new Error(`invariant: ${name} is written before what refers to it`);
  return id;
}

/** A step's write: over what was read when it was planned. */
export const follows = <T>(
  { stored, changes }: { readonly stored: T | undefined; readonly changes: readonly Change[] },
  note: AuditNote,
): RecordWrite<T> => ({ before: stored, fields: changes.map(({ field }) => field), note });
