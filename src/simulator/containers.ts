import { z } from "zod";
import { everyoneOr } from "./documents.ts";

/** Workspaces and folders have the fields of the facts page (C), and `visible_to`, which no answer shows. */
const containerFields = {
  /** `LIB!number`, for folders too (C). */
  id: z.string().min(1),
  database: z.string(),
  name: z.string(),
  owner: z.string().default(""),
  create_date: z.iso.datetime(),
  edit_date: z.iso.datetime(),
  default_security: z.string().default("public"),
  visible_to: everyoneOr.default("everyone"),
};

export const workspaceSchema = z.strictObject({
  ...containerFields,
  description: z.string().default(""),
  /** Client and matter, by habit (C). */
  custom1: z.string().default(""),
  custom2: z.string().default(""),
  wstype: z.literal("workspace").default("workspace"),
});

export const folderSchema = z.strictObject({
  ...containerFields,
  /** Of the folder it lies in, or of its workspace. */
  parent_id: z.string(),
  workspace_id: z.string(),
  folder_type: z.string().default("regular"),
  wstype: z.literal("folder").default("folder"),
});

export type Workspace = z.output<typeof workspaceSchema>;
export type Folder = z.output<typeof folderSchema>;

export function shownContainer<T extends Workspace | Folder>({ visible_to: _, ...fields }: T) {
  return fields;
}

/** A list by number is a list in which a place stays a place. */
export const containerNumber = (id: string): number => Number(/!(\d+)$/.exec(id)?.[1] ?? 0);
