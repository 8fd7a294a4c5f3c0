import type { LibraryContainer, LibraryGroup, LibraryObject, LibraryUser } from "./object-source.ts";

/** What a change may tell of a container, a user or a group beside its id, and a container's type, which it always tells. */
export const OBJECT_FIELDS = {
  container: [
    "name",
    "description",
    "owner",
    "createdAt",
    "editedAt",
    "defaultSecurity",
    "workspaceId",
    "parentId",
    "folderType",
    "custom1",
    "custom2",
  ],
  user: ["name", "email", "allowLogon", "preferredLibrary"],
  group: ["name", "enabled", "external"],
} as const satisfies {
  readonly [K in LibraryObject["item"]]: readonly Exclude<
    keyof Extract<LibraryObject, { item: K }>,
    "id" | "item" | "type"
  >[];
};

export interface ObjectPayloads {
  readonly container?: Pick<LibraryContainer, "id" | "type"> & Partial<LibraryContainer>;
  readonly user?: Pick<LibraryUser, "id"> & Partial<LibraryUser>;
  readonly group?: Pick<LibraryGroup, "id"> & Partial<LibraryGroup>;
}

/** What a change tells of `of`. What iManage does not say is left out. */
export function objectPayload(of: LibraryObject, fields: readonly string[]): ObjectPayloads {
  const { item, id } = of;
  const payload: Record<string, unknown> = { id, ...(item === "container" && { type: of.type }) };
  for (const field of fields) {
    const value = (of as unknown as Record<string, unknown>)[field];
    if (value !== undefined) payload[field] = value;
  }
  return { [item]: payload };
}
