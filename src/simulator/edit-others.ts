import { z } from "zod";
import { recordEvent } from "./change-feed.ts";
import { containerNumber, type Folder, folderSchema, type Workspace, workspaceSchema } from "./containers.ts";
import { everyoneOr } from "./documents.ts";
import type { Edited } from "./edit-documents.ts";
import { type ChangeEvent, groupSchema, isMember, type Library } from "./libraries.ts";
import { type User, userSchema } from "./users.ts";

/** Fields to change, or `deleted`, or (for an id the library does not have) a new one: a folder if it has a parent. */
export const containerChangeSchema = z.strictObject({
  name: z.string().optional(),
  description: z.string().optional(),
  owner: z.string().optional(),
  custom1: z.string().optional(),
  custom2: z.string().optional(),
  default_security: z.string().optional(),
  visible_to: everyoneOr.optional(),
  parent_id: z.string().optional(),
  folder_type: z.string().optional(),
  deleted: z.literal(true).optional(),
});

export type ContainerChange = z.input<typeof containerChangeSchema>;

/** Nothing else follows: documents of a workspace that is deleted or renamed stay as they are (?). */
export function editContainer(in_: Edited, id: string, change: ContainerChange): ChangeEvent {
  const { deleted, ...fields } = containerChangeSchema.parse(change);
  const { containers } = in_.shelf;
  const at = new Date(in_.now).toISOString();
  const before = containers.findWorkspace(id) ?? containers.findFolder(id);
  if (deleted) {
    if (before === undefined) throw new RangeError(`no container ${id} in ${in_.library.id}`);
    containers.remove(id);
    return tellContainer(in_, before, "delete");
  }
  const blank = { id, database: in_.library.id, name: "Untitled", create_date: at };
  const isFolder = before === undefined ? fields.parent_id !== undefined : before.wstype === "folder";
  let after: Workspace | Folder;
  if (isFolder) {
    const parentId = fields.parent_id ?? (before as Folder).parent_id;
    const parent = containers.findFolder(parentId);
    const workspaceId = parent?.workspace_id ?? containers.findWorkspace(parentId)?.id;
    if (workspaceId === undefined) throw new RangeError(`no container ${parentId} in ${in_.library.id}`);
    const { custom1: _, custom2: __, description: ___, ...kept } = fields;
    after = folderSchema.parse({ ...blank, ...before, ...kept, workspace_id: workspaceId, edit_date: at });
  } else {
    const { parent_id: _, folder_type: __, ...kept } = fields;
    after = workspaceSchema.parse({ ...blank, ...before, ...kept, edit_date: at });
  }
  const moved =
    before?.wstype === "folder" && after.wstype === "folder" && before.parent_id !== after.parent_id;
  const secured = before !== undefined && Object.keys(fields).every((name) => SECURITY_FIELDS.includes(name));
  containers.put(after);
  return tellContainer(
    in_,
    after,
    before === undefined
      ? "insert"
      : moved
        ? "container_move"
        : secured
          ? "security_update"
          : "profile_update",
  );
}

const SECURITY_FIELDS: readonly string[] = ["visible_to", "default_security"];

function tellContainer({ library, now }: Edited, of: Workspace | Folder, action_type: string): ChangeEvent {
  const [root_id, related_object_id] =
    of.wstype === "folder" ? [of.workspace_id, of.parent_id] : [of.id, null];
  return recordEvent(
    library,
    { action_type, item_type: "container", object_id: of.id, root_id, related_object_id },
    now,
  );
}

export const nextContainerId = ({ library, shelf }: Pick<Edited, "library" | "shelf">): string => {
  let highest = 0;
  for (const { id } of [...library.workspaces, ...library.folders])
    highest = Math.max(highest, containerNumber(id));
  return `${library.id}!${Math.max(highest, shelf.made?.highestContainer ?? 0) + 1}`;
};

export const groupChangeSchema = groupSchema
  .omit({ id: true })
  .partial()
  .extend({ members: z.array(z.string()).optional(), deleted: z.literal(true).optional() })
  .strict();

export type GroupChange = z.input<typeof groupChangeSchema>;

export function editGroup({ library, now }: Edited, id: string, change: GroupChange): ChangeEvent {
  const { deleted, ...fields } = change;
  const index = library.groups.findIndex((group) => group.id === id);
  if (deleted) {
    if (index < 0) throw new RangeError(`no group ${id} in ${library.id}`);
    library.groups.splice(index, 1);
  } else {
    const after = groupSchema.parse({ ...library.groups[index], ...fields, id });
    if (index < 0) library.groups.push(after);
    else library.groups[index] = after;
  }
  const action_type = deleted ? "delete" : index < 0 ? "insert" : "update";
  return recordEvent(library, { action_type, item_type: "group", object_id: id }, now);
}

export const userChangeSchema = z.strictObject({
  name: z.string().optional(),
  email: z.string().optional(),
  password: z.string().min(1).optional(),
  locked: z.boolean().optional(),
  preferred_library: z.string().optional(),
  deleted: z.literal(true).optional(),
});

export type UserChange = z.input<typeof userChangeSchema>;

/** A user belongs to the customer: every library that he may enter tells of him (I). */
export function editUser(
  { library: { customer_id }, now }: Edited,
  world: { users: User[]; libraries: Library[] },
  id: string,
  change: UserChange,
): { library: Library; event: ChangeEvent }[] {
  const { deleted, ...fields } = change;
  const index = world.users.findIndex((user) => user.customer_id === customer_id && user.id === id);
  const concerned = world.libraries.filter((of) => of.customer_id === customer_id && isMember(of, id));
  if (deleted) {
    if (index < 0) throw new RangeError(`no user ${id}`);
    world.users.splice(index, 1);
  } else if (index < 0) world.users.push(userSchema.parse({ password: "new", ...fields, customer_id, id }));
  else Object.assign(world.users[index]!, userSchema.parse({ ...world.users[index], ...fields }));
  const action_type = deleted ? "delete" : index < 0 ? "insert" : "update";
  return concerned.map((library) => ({
    library,
    event: recordEvent(library, { action_type, item_type: "user", object_id: id }, now),
  }));
}
