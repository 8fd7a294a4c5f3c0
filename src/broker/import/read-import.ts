import type { ImportFile, ImportFormat, ImportRow, RowFault } from "../../domain/import.ts";
import type { Instant } from "../../domain/instant.ts";
import { Secret } from "../../domain/secret.ts";
import { CLIENT_ISSUER } from "../../domain/subject.ts";
import { readCsv } from "./read-csv.ts";
import { isRecord, readJsonRecords } from "./read-json.ts";

/** A file that cannot be read at all, or a server that nothing can be imported for. */
export class ImportFault extends Error {
  constructor(sentence: string) {
    super(sentence);
    this.name = "ImportFault";
  }
}

/** Who somebody is whom another system knows by a name of its own. */
export interface NamedPerson {
  readonly name: string;
  readonly subject: string;
  readonly issuer: string;
  readonly imanageUser: string;
}

export interface ReadTerms {
  readonly format: ImportFormat;
  /** Client ID to which the tokens were issued, where the file does not say. */
  readonly issuedTo: string | undefined;
  readonly people: readonly NamedPerson[];
  /** Only what this integration of Nango, or this server of the plugin, has. */
  readonly only: string | undefined;
  /** Under what the plugin stores a credential: `creds/` and the SHA-1 of its name in three parts. */
  readonly credentialPath: (name: string) => string;
}

/** One record of any format, before it is looked at. */
interface RawRow {
  readonly line: number;
  readonly fields: Readonly<Record<string, unknown>>;
}

type Read = ImportRow | RowFault | "skipped";

/** Reads a file of refresh tokens. Never says what a line holds, but what is wrong with it. @throws ImportFault */
export function readImport(text: string, terms: ReadTerms): ImportFile {
  const read = rowsOf(text, terms);
  const rows = read.filter((one): one is ImportRow => one !== "skipped" && "refreshToken" in one);
  const faults = read.filter((one): one is RowFault => one !== "skipped" && "code" in one);
  return { rows, faults, skipped: read.length - rows.length - faults.length };
}

/** `name,subject,imanage_user` and, where an identity provider vouches for them, `issuer`. @throws ImportFault */
export function readPeople(text: string): readonly NamedPerson[] {
  const [head, ...rest] = readCsv(text);
  const place = (name: string) => head?.fields.indexOf(name) ?? -1;
  const [name, subject, user, issuer] = ["name", "subject", "imanage_user", "issuer"].map(place);
  if (name === -1 || subject === -1 || user === -1)
    throw new ImportFault("The file of people begins with the line: name,subject,imanage_user");
  return rest.map(({ line, fields }) => {
    const of = (at: number | undefined) => (at === undefined ? "" : (fields[at] ?? "").trim());
    if (of(name) === "" || of(subject) === "" || of(user) === "")
      throw new ImportFault(`The file of people lacks a name, subject or imanage_user in line ${line}.`);
    return {
      ...{ name: of(name), subject: of(subject), imanageUser: of(user) },
      issuer: of(issuer) === "" ? CLIENT_ISSUER : of(issuer),
    };
  });
}

function rowsOf(text: string, terms: ReadTerms): readonly Read[] {
  if (terms.format === "csv") return csvRows(text).map((row) => ownRow(row, terms, {}));
  const key = { json: "tokens", nango: "connections", vault: "credentials" }[terms.format];
  const found = readJsonRecords(text, key);
  if (found === undefined)
    throw new ImportFault(`The file is neither a JSON list, nor an object with "${key}", nor JSON lines.`);
  const people = new Map(
    terms.people.map((one) => [terms.format === "vault" ? terms.credentialPath(one.name) : one.name, one]),
  );
  return found.records.map(({ line, value }): Read => {
    if (!isRecord(value)) return { line, code: "unreadable" };
    const row = { line, fields: value };
    switch (terms.format) {
      case "nango":
        return nangoRow(row, terms, people);
      case "vault":
        return vaultRow(row, terms, people);
      default:
        return ownRow(row, terms, found.beside);
    }
  });
}

function csvRows(text: string): readonly RawRow[] {
  const [head, ...rest] = readCsv(text);
  const names = head?.fields.map((name) => name.trim()) ?? [];
  for (const needed of ["subject", "imanage_user", "refresh_token"])
    if (!names.includes(needed))
      throw new ImportFault(
        `The first line names the columns, and has no ${needed}. It is: subject,imanage_user,refresh_token and, as needed, client_id,issuer,issued_at,expires_at`,
      );
  return rest.map(({ line, fields }) => ({
    line,
    fields: Object.fromEntries(names.map((name, i) => [name, fields[i]?.trim()])),
  }));
}

/** Our own: as CSV's columns are called. What stands beside the list holds for every record that does not say otherwise. */
function ownRow({ line, fields }: RawRow, terms: ReadTerms, beside: Readonly<Record<string, unknown>>): Read {
  const of = (name: string) => textOf(fields[name]) ?? textOf(beside[name]);
  return row(line, terms, {
    subject: of("subject"),
    issuer: of("issuer"),
    imanageUser: of("imanage_user"),
    issuedTo: of("client_id"),
    refreshToken: of("refresh_token"),
    issuedAt: fields.issued_at,
    expiresAt: fields.expires_at,
  });
}

/**
 * Nango's `GET /connections/{connectionId}` (`ApiPublicConnectionFull` with `OAuth2Credentials`): the list alone has no credentials.
 */
function nangoRow(
  { line, fields }: RawRow,
  terms: ReadTerms,
  people: ReadonlyMap<string, NamedPerson>,
): Read {
  const { credentials, connection_config, end_user } = fields;
  const name = textOf(fields.connection_id);
  if (name === undefined || !isRecord(credentials)) return { line, code: "unreadable" };
  if (terms.only !== undefined && fields.provider_config_key !== terms.only) return "skipped";
  if (credentials.type !== undefined && credentials.type !== "OAUTH2")
    return { line, code: "unreadable", detail: `credentials.type ${textOf(credentials.type) ?? ""}` };
  const override = isRecord(credentials.config_override) ? credentials.config_override : {};
  const config = isRecord(connection_config) ? connection_config : {};
  const endUser = isRecord(end_user) ? end_user : {};
  const person = people.get(name);
  return row(line, terms, {
    subject: person?.subject ?? textOf(endUser.id) ?? name,
    issuer: person?.issuer,
    imanageUser: person?.imanageUser ?? textOf(endUser.email),
    issuedTo: textOf(override.client_id) ?? textOf(config.oauth_client_id_override),
    refreshToken: textOf(credentials.refresh_token),
    issuedAt: fields.created_at,
    expiresAt: undefined,
  });
}

/**
 * What the plugin has stored (`AuthCodeEntry`, JSON of a Go `oauth2.Token` with `auth_server_name`), as `sys/raw` reads it. The
 * plugin itself gives no refresh token away.
 */
function vaultRow(
  { line, fields }: RawRow,
  terms: ReadTerms,
  people: ReadonlyMap<string, NamedPerson>,
): Read {
  const path = /(creds\/[0-9a-f]{4}\/[0-9a-f]{4}\/[0-9a-f]{32})$/.exec(textOf(fields.path) ?? "")?.[1];
  const data = isRecord(fields.data) ? fields.data : fields;
  const entry = typeof data.value === "string" ? parsed(data.value) : data.value;
  if (path === undefined || !isRecord(entry)) return { line, code: "unreadable" };
  if (terms.only !== undefined && (textOf(entry.auth_server_name) ?? "legacy") !== terms.only)
    return "skipped";
  if (textOf(entry.user_error) !== undefined) return { line, code: "broken_at_source" };
  const person = people.get(path);
  return row(line, terms, {
    subject: person?.subject,
    issuer: person?.issuer,
    imanageUser: person?.imanageUser,
    issuedTo: undefined,
    refreshToken: textOf(entry.refresh_token),
    issuedAt: undefined,
    expiresAt: undefined,
  });
}

interface FoundFields {
  readonly subject: string | undefined;
  readonly issuer: string | undefined;
  readonly imanageUser: string | undefined;
  readonly issuedTo: string | undefined;
  readonly refreshToken: string | undefined;
  readonly issuedAt: unknown;
  readonly expiresAt: unknown;
}

function row(line: number, terms: ReadTerms, found: FoundFields): ImportRow | RowFault {
  if (found.refreshToken === undefined) return { line, code: "no_refresh_token" };
  const named = terms.format === "json" || terms.format === "csv";
  if (found.subject === undefined)
    return named ? { line, code: "field_missing", detail: "subject" } : { line, code: "person_unknown" };
  if (found.imanageUser === undefined)
    return named ? { line, code: "field_missing", detail: "imanage_user" } : { line, code: "person_unknown" };
  const issuedTo = found.issuedTo ?? terms.issuedTo;
  if (issuedTo === undefined)
    return { line, code: "field_missing", detail: "client_id (or --issued-to for all of them)" };
  const [issuedAt, expiresAt] = [instantOf(found.issuedAt), instantOf(found.expiresAt)];
  if (issuedAt === "bad" || expiresAt === "bad")
    return { line, code: "bad_time", detail: issuedAt === "bad" ? "issued_at" : "expires_at" };
  return {
    line,
    subject: { type: "user", issuer: found.issuer ?? CLIENT_ISSUER, id: found.subject },
    imanageUser: found.imanageUser,
    issuedTo,
    refreshToken: new Secret(found.refreshToken),
    issuedAt,
    expiresAt,
  };
}

const textOf = (value: unknown): string | undefined => {
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value.trim() !== "" ? value.trim() : undefined;
};

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

function instantOf(value: unknown): Instant | undefined | "bad" {
  const text = textOf(value);
  if (text === undefined) return undefined;
  if (/^\d{9,11}$/.test(text)) return Number(text) * 1_000;
  const at = /^\d{4}-\d\d-\d\d[T ]/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? "bad" : at;
}
