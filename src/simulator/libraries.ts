import { z } from "zod";

const everyoneOr = z.union([z.literal("everyone"), z.array(z.string())]);

/** The fields of the facts page (C), and `visible_to`, which no answer shows. */
export const documentSchema = z.strictObject({
  id: z.string().min(1),
  database: z.string(),
  document_number: z.int(),
  version: z.int(),
  name: z.string(),
  extension: z.string(),
  size: z.int(),
  class: z.string(),
  author: z.string(),
  operator: z.string(),
  last_user: z.string(),
  create_date: z.iso.datetime(),
  edit_date: z.iso.datetime(),
  edit_profile_date: z.iso.datetime(),
  file_edit_date: z.iso.datetime(),
  workspace_id: z.string(),
  workspace_name: z.string(),
  default_security: z.string(),
  access: z.string(),
  iwl: z.string(),
  wstype: z.literal("document"),
  is_checked_out: z.boolean(),
  custom1: z.string(),
  custom2: z.string(),
  /** An NRTADMIN of the library sees it anyway. */
  visible_to: everyoneOr.default("everyone"),
});

export const changeEventSchema = z.strictObject({
  id: z.int(),
  action_type: z.string(),
  item_type: z.string(),
  object_id: z.string(),
  related_object_id: z.string().nullable(),
  root_id: z.string().nullable(),
  event_date: z.iso.datetime(),
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
  documents: z.array(documentSchema).default([]),
  change_events: z.array(changeEventSchema).default([]),
});

export type Document = z.output<typeof documentSchema>;
export type ChangeEvent = z.output<typeof changeEventSchema>;
export type Library = z.output<typeof librarySchema>;
export type LibraryInput = z.input<typeof librarySchema>;

export const library = (input: LibraryInput): Library => librarySchema.parse(input);

export const isMember = (of: Library, userId: string): boolean =>
  of.members === "everyone" || of.members.includes(userId) || isAdmin(of, userId);

export const isAdmin = (of: Library, userId: string): boolean =>
  of.nrtadmin_group.includes(userId) || of.nrtadmin_role.includes(userId);

export const maySee = (of: Library, document: Document, userId: string): boolean =>
  document.visible_to === "everyone" || document.visible_to.includes(userId) || isAdmin(of, userId);
