import { z } from "zod";

export const everyoneOr = z.union([z.literal("everyone"), z.array(z.string())]);

/** The fields of the facts page (C), and two that no answer shows: `visible_to` and `folder_id`. */
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
  folder_id: z.string().default(""),
  /** An NRTADMIN of the library sees it anyway. */
  visible_to: everyoneOr.default("everyone"),
});

export type Document = z.output<typeof documentSchema>;

/** As an answer shows it. */
export function shownDocument({ visible_to: _, folder_id: __, ...fields }: Document) {
  return fields;
}
