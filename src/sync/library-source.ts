import type { ApiOutcome } from "../broker/authorization/ports.ts";
import type { Instant } from "../domain/instant.ts";
import type { Secret } from "../domain/secret.ts";
import type { Server } from "../domain/server.ts";

/** One library of a customer, as iManage's paths name it. */
export interface LibraryPath {
  readonly customerId: string;
  readonly library: string;
}

/** What of a library is read to know what changed. `ImanageDocuments` is one. Reads only. */
export interface DocumentSource {
  listDocuments(server: Server, accessToken: Secret, query: DocumentQuery): Promise<ApiOutcome<DocumentPage>>;
  /** One document; undefined: iManage knows of none, or does not show it to this admin. */
  readDocument(
    server: Server,
    accessToken: Secret,
    of: LibraryPath & { readonly id: string },
  ): Promise<ApiOutcome<LibraryDocument | undefined>>;
  /** Those of these documents that a search finds: perhaps not all, perhaps others too, perhaps as they were a while ago. */
  findDocuments(
    server: Server,
    accessToken: Secret,
    of: LibraryPath & { readonly ids: readonly string[] },
  ): Promise<ApiOutcome<readonly LibraryDocument[]>>;
  /** Whether iManage knows of such a workspace. */
  hasWorkspace(
    server: Server,
    accessToken: Secret,
    of: LibraryPath & { readonly id: string },
  ): Promise<ApiOutcome<boolean>>;
  readEvents(server: Server, accessToken: Secret, query: EventQuery): Promise<ApiOutcome<EventPage>>;
}

export interface DocumentQuery extends LibraryPath {
  /** Both ends belong to the window. */
  readonly editedFrom: Instant | undefined;
  readonly editedTo: Instant | undefined;
  readonly cursor: string | undefined;
  readonly limit: number;
  /** What lies in this workspace alone. */
  readonly workspace?: string | undefined;
  /** Also asks how many there are in all. */
  readonly total?: boolean;
}

export interface DocumentPage {
  readonly documents: readonly LibraryDocument[];
  /** Undefined: this was the last page. */
  readonly next: string | undefined;
  readonly unreadable: number;
  /** How many iManage says there are; undefined: it was not asked, or does not say. */
  readonly total?: number | undefined;
}

export interface EventQuery extends LibraryPath {
  /** Undefined: from the oldest event that iManage keeps. */
  readonly cursor: string | undefined;
  readonly itemTypes: readonly string[];
}

export interface EventPage {
  readonly events: readonly LibraryEvent[];
  /** To go on from, also where nothing has happened. */
  readonly cursor: string;
  /** There is more: ask again at once. */
  readonly overflow: boolean;
  /** Rows that name no object. */
  readonly unreadable: number;
}

/** One line of iManage's change feed. Words of iManage's own; what is not known is passed on. */
export interface LibraryEvent {
  readonly action: string;
  readonly item: string;
  readonly object: string;
  /** The workspace it lies in, where the feed says so. */
  readonly root: string | undefined;
  readonly at: Instant | undefined;
}

/** iManage's own noun, read: a document as its library lists it. */
export interface LibraryDocument {
  /** `LIB!number.version`. */
  readonly id: string;
  readonly number: number;
  readonly version: number;
  readonly name: string | undefined;
  readonly extension: string | undefined;
  readonly size: number | undefined;
  readonly class: string | undefined;
  readonly author: string | undefined;
  readonly lastUser: string | undefined;
  readonly createdAt: Instant | undefined;
  readonly editedAt: Instant | undefined;
  readonly profileEditedAt: Instant | undefined;
  readonly fileEditedAt: Instant | undefined;
  readonly workspaceId: string | undefined;
  readonly workspaceName: string | undefined;
  readonly defaultSecurity: string | undefined;
  readonly checkedOut: boolean | undefined;
  readonly custom1: string | undefined;
  readonly custom2: string | undefined;
}
