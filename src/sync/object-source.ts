import type { ApiOutcome } from "../broker/authorization/ports.ts";
import type { Instant } from "../domain/instant.ts";
import type { Secret } from "../domain/secret.ts";
import type { Server } from "../domain/server.ts";
import type { LibraryPath } from "./library-source.ts";

/** What of a library is read beside its documents. `ImanageObjects` is one. Reads only. */
export interface ObjectSource {
  /** undefined: iManage knows of none, does not show it to this admin, or has no such call. */
  readObject(
    server: Server,
    accessToken: Secret,
    of: LibraryPath & ObjectName,
  ): Promise<ApiOutcome<LibraryObject | undefined>>;
}

/** As the change feed names one. */
export interface ObjectName {
  readonly item: ObjectItem;
  readonly id: string;
  /** The workspace it lies in, where the feed says so. */
  readonly root: string | undefined;
}

export type LibraryObject = LibraryContainer | LibraryUser | LibraryGroup;
export type ObjectItem = LibraryObject["item"];

export interface LibraryContainer {
  readonly item: "container";
  /** `LIB!number`. */
  readonly id: string;
  readonly type: "workspace" | "folder";
  readonly name: string | undefined;
  readonly description: string | undefined;
  readonly owner: string | undefined;
  readonly createdAt: Instant | undefined;
  readonly editedAt: Instant | undefined;
  readonly defaultSecurity: string | undefined;
  /** Of a folder. */
  readonly workspaceId: string | undefined;
  readonly parentId: string | undefined;
  readonly folderType: string | undefined;
  /** Of a workspace. */
  readonly custom1: string | undefined;
  readonly custom2: string | undefined;
}

export interface LibraryUser {
  readonly item: "user";
  readonly id: string;
  readonly name: string | undefined;
  readonly email: string | undefined;
  readonly allowLogon: boolean | undefined;
  readonly preferredLibrary: string | undefined;
}

export interface LibraryGroup {
  readonly item: "group";
  readonly id: string;
  readonly name: string | undefined;
  readonly enabled: boolean | undefined;
  readonly external: boolean | undefined;
}
