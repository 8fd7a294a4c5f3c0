import type { ImportState } from "./grant.ts";
import type { GrantId } from "./id.ts";
import type { Instant } from "./instant.ts";
import type { Remedy } from "./problem.ts";
import type { Secret } from "./secret.ts";
import type { UserSubject } from "./subject.ts";

/** One refresh token of another system, as its file tells of it. */
export interface ImportRow {
  /** Where it stands in the file. */
  readonly line: number;
  /** Whose it is to the application that will ask for it. */
  readonly subject: UserSubject;
  /** Whose it is at iManage, by user id or e-mail: what the first refresh is held against. */
  readonly imanageUser: string;
  /** Client ID of the application that iManage gave it to. */
  readonly issuedTo: string;
  readonly refreshToken: Secret;
  readonly issuedAt: Instant | undefined;
  readonly expiresAt: Instant | undefined;
}

/** What is wrong with one line of a file. Never the token, never a line's text. */
export interface RowFault {
  readonly line: number;
  readonly code: ImportFaultCode;
  /** The field, or the other line, that it is about. */
  readonly detail?: string;
}

/** What is in a file. */
export interface ImportFile {
  readonly rows: readonly ImportRow[];
  readonly faults: readonly RowFault[];
  /** Of another integration or server of the same source. */
  readonly skipped: number;
}

/** Which way out of another system a file is. */
export const IMPORT_FORMATS = ["json", "csv", "nango", "vault"] as const;
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

/** What a token is here before anything is written: `store/lua/imports.lua`. */
export type ImportVerdict =
  | "new"
  | "renews"
  | "same"
  | "older"
  | "open"
  | "ended"
  | "authorized"
  | "bound"
  | "person_of_another"
  | "gone";

export interface LookedUp {
  readonly verdict: ImportVerdict;
  readonly grant: GrantId | undefined;
  readonly imported: ImportState | undefined;
}

interface Told {
  readonly means: string;
  /** Who must act, and how; undefined: nobody. */
  readonly remedy?: Remedy;
  readonly action?: string;
}

/** Why a line is not imported. A code is never reused. */
export const IMPORT_FAULTS = {
  unreadable: {
    means: "The line is no record of this format.",
    remedy: "operator",
    action: "Export it again, whole, in the format that --format names.",
  },
  field_missing: {
    means: "A field is missing or empty.",
    remedy: "operator",
    action: "Add the field that is named.",
  },
  bad_time: {
    means: "A time is neither RFC 3339 nor seconds since 1970.",
    remedy: "operator",
    action: "Write it as 2026-11-22T09:30:00Z, or leave it out.",
  },
  no_refresh_token: {
    means: "There is no refresh token: only an access token was stored, which ends within the hour.",
    remedy: "resource-owner",
    action: "This person authorises once in the application. *Allow Refresh Token* may be off at iManage.",
  },
  person_unknown: {
    means: "Nothing says whose it is at iManage.",
    remedy: "operator",
    action: "Name the person in the file of --people: name, subject, imanage_user.",
  },
  other_application: {
    means:
      "It was issued to another application at iManage than the one that the server is registered with here. With another application's client id iManage refuses it, and may end it.",
    remedy: "operator",
    action:
      "Register the server here with the Client ID to which the tokens were issued, or let these people authorise anew.",
  },
  expired: {
    means: "Its life is over.",
    remedy: "resource-owner",
    action: "This person authorises once in the application.",
  },
  broken_at_source: {
    means: "The system that kept it says that iManage refuses it.",
    remedy: "resource-owner",
    action: "This person authorises once in the application.",
  },
  token_twice: {
    means: "The same refresh token stands in the file twice.",
    remedy: "operator",
    action: "Keep the line of the person whose token it is.",
  },
  person_twice: {
    means:
      "Another line is of the same iManage user: at iManage he has one authorization for an application, and one refresh token may have ended the other.",
    remedy: "operator",
    action: "Keep the newest of these lines.",
  },
  subject_twice: {
    means: "Another line is for the same user of the application.",
    remedy: "operator",
    action: "Keep the line that belongs to him.",
  },
  older: {
    means: "A newer token of this person is held here already.",
    remedy: "operator",
    action: "Nothing, if this is an earlier export. Otherwise export again and import that.",
  },
  open: {
    means:
      "This person's authorization is in use here already, and the file has another token: the other system has gone on after it was opened, or he authorised there anew.",
    remedy: "operator",
    action:
      "Stop the other system for this person at once. If his authorization breaks here, he authorises once in the application.",
  },
  ended: {
    means: "It came in before and was ended here.",
    remedy: "resource-owner",
    action: "Nothing, if that was meant. Otherwise this person authorises once in the application.",
  },
  authorized: {
    means: "This person has authorised here himself: nothing is to be imported.",
    remedy: "client",
    action:
      "The application begins to ask here for him; if it is not bound to him yet, it lets him connect once.",
  },
  bound: {
    means: "This user of the application is bound to another iManage user's authorization here.",
    remedy: "operator",
    action: "Find out whose token it is; to move him, end the other authorization first.",
  },
  person_of_another: {
    means: "This iManage user's authorization came in for another user of the application.",
    remedy: "operator",
    action: "Keep one line for each iManage user; the other use of it connects once in the application.",
  },
  contained: {
    means: "Tokens are stopped here by a containment.",
    remedy: "operator",
    action: "`cli containments list` names it. Import again when it is lifted.",
  },
  gone: {
    means: "The organisation was shredded.",
    remedy: "operator",
    action: "Nothing can be imported into it.",
  },
} as const satisfies Record<string, Told>;

export type ImportFaultCode = keyof typeof IMPORT_FAULTS;

export const isImportFault = (word: string): word is ImportFaultCode => Object.hasOwn(IMPORT_FAULTS, word);

/** What becomes of lines that are in order. */
export const IMPORT_OUTCOMES = {
  new: "will be imported and held",
  renews: "will take the place of an earlier token of the same person that is held",
  same: "are here already",
  imported: "were imported and are held",
  renewed: "took the place of an earlier token that was held",
} as const;
export type ImportOutcome = keyof typeof IMPORT_OUTCOMES;
