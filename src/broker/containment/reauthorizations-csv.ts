import type { ClientId } from "../../domain/id.ts";
import { rfc3339 } from "../../domain/instant.ts";
import { maskedUser } from "../../domain/masked.ts";
import type { Reauthorization } from "./managed.ts";

const HEAD = [
  "state",
  "server",
  "owner",
  "type",
  "client",
  "subject",
  "library",
  "grant",
  "last_consent",
  "start",
];

export interface CsvTerms {
  /** Where library admins begin. */
  readonly base: string;
  /** Undefined: an operator, who sees every application's users. */
  readonly seenBy: ClientId | undefined;
  /** For who knows these people by less than their names. */
  readonly masked: boolean;
}

/** RFC 4180, one row for each use of each grant. */
export function csvOfReauthorizations(items: readonly Reauthorization[], terms: CsvTerms): string {
  const rows = items.flatMap(({ grant, bindings, state }) => {
    const owner = terms.masked ? maskedUser(grant.owner) : grant.owner.userId;
    const end = [grant.id, rfc3339(grant.consentedAt)];
    if (bindings.length === 0) return [[state, grant.server, owner, "nobody", "", "", "", ...end, ""]];
    return bindings.map((one) => {
      if (one.type === "library") {
        const start = `${terms.base}/servers/${grant.server}/libraries`;
        return [state, grant.server, owner, "library", "", "", one.library, ...end, start];
      }
      const known = terms.seenBy === undefined || terms.seenBy === one.client;
      const { id } = one.subject;
      const subject = !known ? "" : terms.masked ? maskedUser({ userId: id, email: undefined }) : id;
      const start = "POST /v1/connect-sessions";
      return [state, grant.server, owner, "user", one.client, subject, "", ...end, start];
    });
  });
  return [HEAD, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** A cell that a spreadsheet would take for a formula is text (names are what people chose). */
function cell(text: string): string {
  const plain = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
