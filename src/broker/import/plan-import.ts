import type { Client } from "../../domain/client.ts";
import type { UpstreamUser } from "../../domain/grant.ts";
import type { GrantId, OrganisationId, RegistrationId } from "../../domain/id.ts";
import {
  type ImportFaultCode,
  type ImportFile,
  type ImportRow,
  isImportFault,
  type RowFault,
} from "../../domain/import.ts";
import { days, type Instant } from "../../domain/instant.ts";
import type { Registration } from "../../domain/registration.ts";
import type { Server } from "../../domain/server.ts";
import type { Clock, Sealer } from "../ports.ts";
import { serverOwner } from "../seal-contexts.ts";
import type { ImportStore, ImportToken } from "./ports.ts";
import { ImportFault } from "./read-import.ts";

export interface PlanPorts {
  readonly clock: Clock;
  readonly sealer: Sealer;
  readonly imports: Pick<ImportStore, "look">;
  readonly servers: { findRegistration(id: RegistrationId): Promise<Registration | undefined> };
  readonly policies: {
    findPolicy(client: Client["id"], organisation: OrganisationId): Promise<{ readonly policy: unknown }>;
  };
}

/** Into what, and for which application. */
export interface ImportTarget {
  readonly server: Server;
  readonly application: Client;
}

/** A line that is in order, and what its token is here. */
export interface PlannedRow extends ImportToken {
  readonly row: ImportRow;
  readonly as: "new" | "renews" | "same";
  /** Of one that is here. */
  readonly grant: GrantId | undefined;
  readonly held: boolean;
  readonly endsAt: Instant;
}

export interface ImportPlan {
  readonly rows: readonly PlannedRow[];
  /** By line. */
  readonly faults: readonly RowFault[];
  readonly skipped: number;
}

const ROWS_AT_ONCE = 200;
/** Of a token that may have outlived what it was given: nobody knows, and its first refresh tells. */
const AT_LEAST_MS = days(1);

/** What would be done with each line of a file. Writes nothing and sends nothing. @throws ImportFault */
export async function planImport(
  ports: PlanPorts,
  target: ImportTarget,
  file: ImportFile,
  progress: (done: number, of: number) => void = () => {},
): Promise<ImportPlan> {
  const { clientId, customerId } = await checked(ports, target);
  const faults: RowFault[] = [...file.faults];
  const good: Omit<PlannedRow, "as" | "grant" | "held">[] = [];
  const twice = new Twice();
  const now = ports.clock.now();
  for (const row of file.rows) {
    const fingerprint = await ports.sealer.fingerprint(serverOwner(target.server), row.refreshToken);
    const fault = faultOf(row, clientId, now) ?? twice.of(row, fingerprint);
    if (fault === undefined)
      good.push({
        row,
        ...tokenOf(row, target, customerId, fingerprint),
        endsAt: endOf(row, target.server, now),
      });
    else faults.push({ line: row.line, ...fault });
  }
  const rows: PlannedRow[] = [];
  for (let i = 0; i < good.length; i += ROWS_AT_ONCE) {
    const page = good.slice(i, i + ROWS_AT_ONCE);
    const found = await ports.imports.look(target.server.id, page);
    for (const [j, one] of page.entries()) {
      const { verdict, grant, imported } = found[j]!;
      if (isImportFault(verdict)) faults.push({ line: one.row.line, code: verdict });
      else rows.push({ ...one, as: verdict, grant, held: imported === "held" });
    }
    progress(i + page.length, good.length);
  }
  faults.sort((a, b) => a.line - b.line);
  return { rows, faults, skipped: file.skipped };
}

/** What no line can be imported without. */
async function checked(ports: PlanPorts, { server, application }: ImportTarget) {
  if (server.customerId === undefined)
    throw new ImportFault(
      `The customer id of ${server.name} is not known yet, and nothing could tell whose a token is. Enter customer_id in the configuration file, or let one person sign in.`,
    );
  const registration = await ports.servers.findRegistration(server.registration);
  if (registration === undefined) throw new ImportFault(`${server.name} has no registration.`);
  const { policy } = await ports.policies.findPolicy(application.id, server.organisation);
  if (policy === undefined)
    throw new ImportFault(
      `${application.name} may do nothing in this organisation: give it a policy first (\`cli policies put\`).`,
    );
  return { clientId: registration.clientId, customerId: server.customerId };
}

function faultOf(
  row: ImportRow,
  clientId: string,
  now: Instant,
): { readonly code: ImportFaultCode; readonly detail?: string } | undefined {
  // The same application, letter by letter: another's refresh token is refused at best.
  if (row.issuedTo !== clientId)
    return { code: "other_application", detail: `${row.issuedTo} is not ${clientId}` };
  if (row.expiresAt !== undefined && row.expiresAt <= now) return { code: "expired" };
  return undefined;
}

/** What stands in the file twice, by its later line. */
class Twice {
  readonly #seen = new Map<string, number>();

  of(
    row: ImportRow,
    fingerprint: string,
  ): { readonly code: ImportFaultCode; readonly detail: string } | undefined {
    const keys: readonly (readonly [ImportFaultCode, string])[] = [
      ["token_twice", `token ${fingerprint}`],
      ["person_twice", `person ${row.imanageUser.toLowerCase()}`],
      ["subject_twice", `subject ${JSON.stringify([row.subject.issuer, row.subject.id])}`],
    ];
    for (const [code, key] of keys) {
      const line = this.#seen.get(key);
      if (line !== undefined) return { code, detail: `line ${line}` };
    }
    for (const [, key] of keys) this.#seen.set(key, row.line);
    return undefined;
  }
}

function tokenOf(
  row: ImportRow,
  { application }: ImportTarget,
  customerId: string,
  fingerprint: string,
): ImportToken {
  const email = row.imanageUser.includes("@") ? row.imanageUser : undefined;
  const user: UpstreamUser = { customerId, userId: row.imanageUser, name: undefined, email };
  return { fingerprint, user, binding: { type: "user", client: application.id, subject: row.subject } };
}

const endOf = (row: ImportRow, { settings }: Server, now: Instant): Instant =>
  Math.max(row.expiresAt ?? (row.issuedAt ?? now) + settings.refreshTokenLifeMs, now + AT_LEAST_MS);
