import type { OrganisationId, Route, ServerId } from "../../domain/id.ts";
import type { Instant, Milliseconds } from "../../domain/instant.ts";
import type { Organisation } from "../../domain/organisation.ts";
import type { ServerDirectory } from "../authorization/ports.ts";
import type { GrantStore } from "../grants/ports.ts";
import type { LibraryStore } from "../libraries/ports.ts";
import type { AuditNote, Clock, Handles } from "../ports.ts";

/** Whose calendar: one per iManage user and server. */
export interface CalendarOwner {
  readonly server: ServerId;
  readonly customerId: string;
  readonly userId: string;
}

/** A link that stands, without the link. */
export interface CalendarLink {
  readonly createdAt: Instant;
  readonly fetchedAt: Instant | undefined;
}

/** What a calendar has been told so far. */
export interface CalendarVersion {
  /** Counts changes, across links of the same owner that took each other's place. */
  readonly sequence: number;
  readonly changedAt: Instant;
}

export type CalendarFetch =
  | { readonly kind: "unknown" }
  | { readonly kind: "too_often"; readonly owner: CalendarOwner; readonly retryAfterMs: Milliseconds }
  | {
      readonly kind: "found";
      readonly owner: CalendarOwner;
      /** Of the content that was told last; undefined: nothing has been. */
      readonly told: (CalendarVersion & { readonly content: string }) | undefined;
    };

/** Calendar links by the digests of their handles. */
export interface CalendarStore {
  findCalendar(owner: CalendarOwner): Promise<CalendarLink | undefined>;
  /**
   * MUST store the link only where the one that stands was created at `instead` (undefined: where none stands), and end
   * that one in the same step. Audited: `calendar.created`, `calendar.revoked`.
   */
  putCalendar(
    owner: CalendarOwner,
    digest: string,
    instead: Instant | undefined,
    note: AuditNote,
  ): Promise<"stored" | "another_stands">;
  /** The link is dead at once. Audited: `calendar.revoked`. */
  dropCalendar(owner: CalendarOwner, note: AuditNote): Promise<"revoked" | "none">;
  /** Somebody comes with the link: MUST count him against its rate. */
  fetchCalendar(route: Route, digest: string): Promise<CalendarFetch>;
  /** The version of `content`: a new one where it is not what was told last. Undefined: the link is gone. */
  noteContent(route: Route, digest: string, content: string): Promise<CalendarVersion | undefined>;
}

export interface CalendarPorts {
  readonly clock: Pick<Clock, "now">;
  readonly handles: Handles;
  readonly calendars: CalendarStore;
  readonly servers: Pick<ServerDirectory, "findServer">;
  readonly organisations: { findOrganisation(id: OrganisationId): Promise<Organisation | undefined> };
  readonly lent: Pick<LibraryStore, "listLibraries">;
  readonly grants: Pick<GrantStore, "findGrant">;
}
