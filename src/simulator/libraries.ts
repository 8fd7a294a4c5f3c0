import { z } from "zod";
import { folderSchema, workspaceSchema } from "./containers.ts";
import { type Document, documentSchema, everyoneOr } from "./documents.ts";
import { recipeSchema } from "./generated-library.ts";

export const changeEventSchema = z.strictObject({
  id: z.int(),
  action_type: z.string(),
  item_type: z.string(),
  object_id: z.string(),
  related_object_id: z.string().nullable(),
  root_id: z.string().nullable(),
  event_date: z.iso.datetime(),
});

export const groupSchema = z.strictObject({
  id: z.string().min(1),
  full_name: z.string().default(""),
  enabled: z.boolean().default(true),
  is_external: z.boolean().default(false),
  members: z.array(z.string()).default([]),
});

export const librarySchema = z.strictObject({
  customer_id: z.int(),
  id: z.string().min(1),
  display_name: z.string().default(""),
  type: z.string().default("worksite"),
  is_hidden: z.boolean().default(false),
  status: z.string().default("ready"),
  members: everyoneOr.default("everyone"),
  /** NRTADMIN is a group and a role, each per library (C): one may be had without the other. */
  nrtadmin_group: z.array(z.string()).default([]),
  nrtadmin_role: z.array(z.string()).default([]),
  /** Groups besides NRTADMIN and EVERYONE. */
  groups: z.array(groupSchema).default([]),
  /** With a recipe the lists below hold only what differs from it. */
  generated: recipeSchema.nullable().default(null),
  documents: z.array(documentSchema).default([]),
  workspaces: z.array(workspaceSchema).default([]),
  folders: z.array(folderSchema).default([]),
  /** Numbers of generated documents that were edited or deleted. */
  taken: z.array(z.int()).default([]),
  /** Ids of generated containers that were deleted. */
  removed_containers: z.array(z.string()).default([]),
  /** Superseded ones that left the lists. */
  older_versions: z.array(documentSchema).default([]),
  /** What was deleted and may come back. */
  trash: z.array(documentSchema).default([]),
  change_events: z.array(changeEventSchema).default([]),
});

export type ChangeEvent = z.output<typeof changeEventSchema>;
export type Group = z.output<typeof groupSchema>;
export type Library = z.output<typeof librarySchema>;
export type LibraryInput = z.input<typeof librarySchema>;

export const library = (input: LibraryInput): Library => librarySchema.parse(input);

export const isMember = (of: Library, userId: string): boolean =>
  of.members === "everyone" || of.members.includes(userId) || isAdmin(of, userId);

export const isAdmin = (of: Library, userId: string): boolean =>
  of.nrtadmin_group.includes(userId) || of.nrtadmin_role.includes(userId);

/** Names of users and, among them, of groups. */
export const maySee = (
  of: Library,
  { visible_to: to }: Pick<Document, "visible_to">,
  userId: string,
): boolean =>
  to === "everyone" ||
  to.includes(userId) ||
  of.groups.some((group) => to.includes(group.id) && group.members.includes(userId)) ||
  isAdmin(of, userId);
