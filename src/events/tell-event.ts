import { EVENT_KINDS, type EventAbout } from "../domain/event-kinds.ts";
import type { ClientId, EventId, ServerId } from "../domain/id.ts";
import { type Instant, rfc3339 } from "../domain/instant.ts";
import { LIBRARY_FAULT_PROBLEMS, type LibraryFault } from "../domain/library-standing.ts";
import { evaluatePolicy, type Policy } from "../domain/policy.ts";
import { PROBLEMS, type ProblemCode } from "../domain/problem-catalogue.ts";
import { CLIENT_ISSUER, type Subject } from "../domain/subject.ts";
import type { StoredEvent } from "./ports.ts";

/** Who is to be told. */
export interface EventViewer {
  readonly client: ClientId;
  readonly policy: Policy | undefined;
  /** Where it calls from; undefined: it is called. */
  readonly address: string | undefined;
}

/** An event as one client is told it: the body of Standard Webhooks, with its id. */
export interface ToldEvent {
  readonly id: EventId;
  readonly type: string;
  readonly timestamp: string;
  readonly data: Readonly<Record<string, EventValue>>;
}

export type EventValue = string | number | boolean | readonly Readonly<Record<string, string>>[];

/**
 * What a client is told of an event; undefined: nothing. Its policy must name the action `events` for what it is about. Of an
 * authorization it is told where it is one of its own users', or of a library that its policy names, and of nobody else's part in
 * it; of a sync where it is its own.
 *
 * Hours are when a client may call, not what it may know: an event that happens at night is not lost for it.
 */
export function tellEvent(event: StoredEvent, viewer: EventViewer, now: Instant): ToldEvent | undefined {
  const sees = sightOf(viewer, now);
  const seen = WHO[EVENT_KINDS[event.kind].about](event, sees, viewer.client);
  if (seen === undefined) return undefined;
  return {
    id: event.id,
    type: event.kind,
    timestamp: rfc3339(event.position.at),
    data: dataOf(event, seen),
  };
}

/** What keeps its order: events of one lane are told one after the other, those of others do not wait for it. */
export function laneOf({ kind, fields }: StoredEvent): string {
  const { about } = EVENT_KINDS[kind];
  if (about === "library") return `library ${fields.server} ${fields.library}`;
  if (about === "subscription") return `subscription ${fields.to}`;
  return `${about} ${fields[about]}`;
}

type Sees = (server: ServerId | undefined, subject?: Subject) => boolean;

function sightOf({ policy, address }: EventViewer, now: Instant): Sees {
  const open = policy && { ...policy, rules: policy.rules.map(({ hours: _, ...rule }) => rule) };
  return (server, subject) =>
    evaluatePolicy(open, { action: "events", server, subject, address }, now).allowed;
}

/** Whom of those that an event is about the viewer may know. Undefined: it is not told of it. */
type Who = (event: StoredEvent, sees: Sees, client: ClientId) => readonly Subject[] | undefined;

const ofGrant: Who = ({ fields, bindings }, sees, client) => {
  const server = fields.server as ServerId;
  const seen = bindings.flatMap((binding): Subject[] => {
    if (binding.type === "library") {
      const library: Subject = { type: "library", id: binding.library };
      return sees(server, library) ? [library] : [];
    }
    return binding.client === client && sees(server, binding.subject) ? [binding.subject] : [];
  });
  return seen.length === 0 ? undefined : seen;
};

const WHO: Readonly<Record<EventAbout, Who>> = {
  grant: ofGrant,
  server: ({ fields }, sees) => (sees(fields.server as ServerId) ? [] : undefined),
  library: ({ fields }, sees) =>
    sees(fields.server as ServerId, { type: "library", id: fields.library! }) ? [] : undefined,
  sync: ({ fields }, sees, client) =>
    fields.client === client && sees(fields.server as ServerId, { type: "library", id: fields.library! })
      ? []
      : undefined,
  containment: (event, sees, client) => {
    const { server, client: stopped, bindings } = event.fields;
    if (bindings !== undefined) return ofGrant(event, sees, client);
    if (stopped !== undefined && stopped !== client) return undefined;
    return sees(server as ServerId | undefined) ? [] : undefined;
  },
  subscription: ({ fields }, sees, client) => (fields.client === client && sees(undefined) ? [] : undefined),
};

function dataOf(
  { kind, organisation, fields }: StoredEvent,
  subjects: readonly Subject[],
): Readonly<Record<string, EventValue>> {
  const code = (fields.code ?? codeOf(fields.fault)) as ProblemCode | undefined;
  const values: Readonly<Record<string, EventValue | undefined>> = {
    ...fields,
    organisation,
    subjects: subjects.length === 0 ? undefined : subjects.map(wireSubject),
    code,
    remedy: code === undefined ? undefined : PROBLEMS[code]?.remedy,
    ends_at: fields.ends_at === undefined ? undefined : rfc3339(Number(fields.ends_at)),
    changes: fields.changes === undefined ? undefined : Number(fields.changes),
    failures: fields.failures === undefined ? undefined : Number(fields.failures),
    scan: fields.scan === undefined ? undefined : fields.scan === "1",
    subscription: fields.to,
  };
  // What the kind does not name stays here, whatever the log has.
  return Object.fromEntries(
    ["organisation", ...EVENT_KINDS[kind].tells].flatMap((name) => {
      const value = values[name];
      return value === undefined || value === "" ? [] : [[name, value]];
    }),
  );
}

const codeOf = (fault: string | undefined): ProblemCode | undefined =>
  fault === undefined ? undefined : LIBRARY_FAULT_PROBLEMS[fault as LibraryFault];

const wireSubject = (subject: Subject): Readonly<Record<string, string>> =>
  subject.type === "user" && subject.issuer !== CLIENT_ISSUER
    ? { type: subject.type, id: subject.id, issuer: subject.issuer }
    : { type: subject.type, id: subject.id };
