import type { ApiOutcome } from "../broker/authorization/ports.ts";
import type { Secret } from "../domain/secret.ts";
import type { Server } from "../domain/server.ts";
import type { LibraryPath } from "../sync/library-source.ts";
import type { LibraryContainer, LibraryObject, ObjectName, ObjectSource } from "../sync/object-source.ts";
import { oneContainerSchema, oneGroupSchema, oneUserSchema } from "./api-envelopes.ts";
import type { ImanageApi } from "./imanage-api.ts";
import { instantOf } from "./read-document.ts";

/** Workspaces, folders, users and groups, each by its id. */
export class ImanageObjects implements ObjectSource {
  readonly #api: Pick<ImanageApi, "readOf">;

  constructor(api: Pick<ImanageApi, "readOf">) {
    this.#api = api;
  }

  async readObject(
    server: Server,
    accessToken: Secret,
    of: LibraryPath & ObjectName,
  ): Promise<ApiOutcome<LibraryObject | undefined>> {
    switch (of.item) {
      case "container":
        return this.#container(server, accessToken, of);
      case "user":
        return shown(await this.#user(server, accessToken, of));
      case "group":
        return shown(await this.#group(server, accessToken, of));
    }
  }

  /**
   * `…/workspaces/{id}`, `…/folders/{id}` (C). Their ids look alike, and an event says of neither that it is one: that a workspace
   * is its own root is inferred (I), so what is not found as the one is looked for as the other.
   */
  async #container(server: Server, accessToken: Secret, of: LibraryPath & ObjectName) {
    const first = of.root === of.id ? "workspace" : "folder";
    for (const type of [first, first === "folder" ? "workspace" : "folder"] as const) {
      const answer = shown(await this.#containerOf(type, server, accessToken, of));
      if (answer.kind !== "ok" || answer.value !== undefined) return answer;
    }
    return { kind: "ok", value: undefined } as const;
  }

  async #containerOf(
    type: LibraryContainer["type"],
    server: Server,
    accessToken: Secret,
    of: LibraryPath & ObjectName,
  ): Promise<ApiOutcome<LibraryContainer>> {
    const segments = [`${type}s`, of.id];
    const answer = await this.#api.readOf(server, accessToken, of, segments, {}, oneContainerSchema);
    if (answer.kind !== "ok") return answer;
    const row = answer.value.data;
    const value = {
      item: "container",
      id: of.id,
      type,
      name: row.name,
      description: row.description,
      owner: row.owner,
      createdAt: instantOf(row.create_date),
      editedAt: instantOf(row.edit_date),
      defaultSecurity: row.default_security,
      workspaceId: row.workspace_id,
      parentId: row.parent_id,
      folderType: row.folder_type,
      custom1: row.custom1,
      custom2: row.custom2,
    } as const;
    return { kind: "ok", value };
  }

  /** `…/users/{id}` (I: that there is one; its fields as lists of users have them). */
  async #user(
    server: Server,
    accessToken: Secret,
    of: LibraryPath & ObjectName,
  ): Promise<ApiOutcome<LibraryObject>> {
    const answer = await this.#api.readOf(server, accessToken, of, ["users", of.id], {}, oneUserSchema);
    if (answer.kind !== "ok") return answer;
    const { full_name, email, allow_logon, preferred_library } = answer.value.data;
    const value = {
      ...({ item: "user", id: of.id, name: full_name, email } as const),
      ...{ allowLogon: allow_logon, preferredLibrary: preferred_library },
    };
    return { kind: "ok", value };
  }

  /** `…/groups/{id}` (I). */
  async #group(
    server: Server,
    accessToken: Secret,
    of: LibraryPath & ObjectName,
  ): Promise<ApiOutcome<LibraryObject>> {
    const answer = await this.#api.readOf(server, accessToken, of, ["groups", of.id], {}, oneGroupSchema);
    if (answer.kind !== "ok") return answer;
    const { full_name, enabled, is_external } = answer.value.data;
    const value = { item: "group", id: of.id, name: full_name, enabled, external: is_external } as const;
    return { kind: "ok", value };
  }
}

/** These say that it is not to be had here, now or later: most of these calls are inferred, and a server may lack them. */
const NOT_TO_BE_HAD = new Set([
  "status_400",
  "status_404",
  "status_405",
  "status_410",
  "status_501",
  "not_imanage",
]);

function shown<T>(answer: ApiOutcome<T>): ApiOutcome<T | undefined> {
  const isNot =
    answer.kind === "forbidden" || (answer.kind === "unavailable" && NOT_TO_BE_HAD.has(answer.reason));
  return isNot ? { kind: "ok", value: undefined } : answer;
}
