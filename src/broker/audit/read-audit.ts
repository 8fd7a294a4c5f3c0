import type { AuditAction } from "../../domain/audit-actions.ts";
import type { AuditEntry, AuditJournal } from "../../domain/audit-entry.ts";
import type { Client } from "../../domain/client.ts";
import type { ClientId, GrantId, OrganisationId, ServerId } from "../../domain/id.ts";
import type { Instant } from "../../domain/instant.ts";
import { evaluatePolicy, type Policy } from "../../domain/policy.ts";
import type { Subject } from "../../domain/subject.ts";
import type { AuditBuffer, AuditReader } from "./ports.ts";

export type AuditReadPorts = AuditReader & Pick<AuditBuffer, "read">;

/** Whether somebody may read an entry with such fields; of none of these: one about the organisation itself. */
export type AuditSight = (about: Readonly<Record<string, string>>) => boolean;

/**
 * What a policy lets a client read, from where it calls. An entry about an authorization, or a calendar, that names no
 * library is about a person, and does not say about which: a rule for some users, or for libraries alone, does not reach it.
 */
export const sightOf =
  (policy: Policy | undefined, address: string | undefined, now: Instant): AuditSight =>
  ({ server, library, grant, action }) => {
    const subject: Subject | undefined = library
      ? { type: "library", id: library }
      : grant || action?.startsWith("calendar.")
        ? UNNAMED_USER
        : undefined;
    const at = server ? (server as ServerId) : undefined;
    return evaluatePolicy(policy, { action: "audit", server: at, subject, address }, now).allowed;
  };

/** Whom no list of users can name. */
const UNNAMED_USER: Subject = { type: "user", issuer: "", id: "" };

export interface AuditFilter {
  readonly action?: AuditAction | undefined;
  readonly client?: ClientId | undefined;
  readonly grant?: GrantId | undefined;
  /** Part of how a person is named: who did it, who lent, whose place was taken. Upper and lower case are the same. */
  readonly person?: string | undefined;
  /** At or after. */
  readonly from?: Instant | undefined;
  /** Before. */
  readonly to?: Instant | undefined;
  /** What is about another server, library or person is not there. */
  readonly sees: AuditSight;
}

/** `after` reads forward from there, as a program follows; otherwise newest first, before `before` if that is said. */
export type AuditPosition = { readonly after: number } | { readonly before: number | undefined };

export interface AuditPage {
  readonly items: readonly AuditEntry[];
  /** Undefined: there is no more. A page may be shorter than asked for, or empty, and yet have a next. */
  readonly next: AuditPosition | undefined;
}

const CHUNK = 500;
/** Looked at for one page: a filter that fits nothing must not read a whole journal for one request. */
const LOOKED_AT_MAX = 10_000;

/** A page of what Redis still has of a journal. Older entries are in the export. */
export async function readAudit(
  reader: AuditReadPorts,
  journal: AuditJournal,
  filter: AuditFilter,
  position: AuditPosition,
  limit: number,
): Promise<AuditPage> {
  return "after" in position
    ? readOn(reader, journal, filter, position.after, limit)
    : readBack(reader, journal, filter, position.before, limit);
}

async function readBack(
  reader: AuditReadPorts,
  journal: AuditJournal,
  filter: AuditFilter,
  from: number | undefined,
  limit: number,
): Promise<AuditPage> {
  let before = from;
  if (filter.to !== undefined) {
    const end = await reader.firstSince(journal, filter.to);
    if (end !== undefined) before = Math.min(before ?? end, end);
  }
  const items: AuditEntry[] = [];
  for (let looked = 0; looked < LOOKED_AT_MAX; looked += CHUNK) {
    const entries = await reader.readBack(journal, before, CHUNK);
    for (const entry of entries) {
      if (Number(entry.fields.at) < (filter.from ?? 0)) return { items, next: undefined };
      if (fits(entry, filter)) items.push(entry);
      before = entry.sequence;
      if (items.length === limit) return { items, next: { before } };
    }
    if (entries.length < CHUNK) return { items, next: undefined };
  }
  return { items, next: { before } };
}

async function readOn(
  reader: AuditReadPorts,
  journal: AuditJournal,
  filter: AuditFilter,
  from: number,
  limit: number,
): Promise<AuditPage> {
  let after = from;
  if (filter.from !== undefined) {
    const first = await reader.firstSince(journal, filter.from);
    if (first === undefined) return { items: [], next: undefined };
    after = Math.max(after, first - 1);
  }
  const items: AuditEntry[] = [];
  for (let looked = 0; looked < LOOKED_AT_MAX; looked += CHUNK) {
    const entries = await reader.read(journal, after, CHUNK);
    for (const entry of entries) {
      if (Number(entry.fields.at) >= (filter.to ?? Number.POSITIVE_INFINITY))
        return { items, next: undefined };
      if (fits(entry, filter)) items.push(entry);
      after = entry.sequence;
      if (items.length === limit) return { items, next: { after } };
    }
    if (entries.length < CHUNK) return { items, next: undefined };
  }
  return { items, next: { after } };
}

const PERSONS = ["actor", "lent_by", "replaced"];

function fits({ fields }: AuditEntry, { action, client, grant, person, sees }: AuditFilter): boolean {
  if (action !== undefined && fields.action !== action) return false;
  if (client !== undefined && fields.client !== client && fields.actor !== `client:${client}`) return false;
  if (grant !== undefined && fields.grant !== grant) return false;
  if (!sees(fields)) return false;
  if (person === undefined) return true;
  const sought = person.toLowerCase();
  return PERSONS.some((name) => fields[name]?.toLowerCase().includes(sought) === true);
}

/** Applications that have a policy in an organisation, by their names: of others nobody there knows. */
export async function clientsIn(
  clients: ClientLister,
  organisation: OrganisationId,
): Promise<readonly Pick<Client, "id" | "displayName">[]> {
  const all = await clients.listClients();
  const named = await Promise.all(
    all.map(async ({ id }) => (await clients.organisationsOf(id)).includes(organisation)),
  );
  return all.filter((_, at) => named[at]).sort((a, b) => (a.displayName < b.displayName ? -1 : 1));
}

export interface ClientLister {
  listClients(): Promise<readonly Pick<Client, "id" | "displayName">[]>;
  organisationsOf(client: ClientId): Promise<readonly OrganisationId[]>;
}
