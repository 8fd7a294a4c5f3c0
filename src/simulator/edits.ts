import { z } from "zod";
import type { Context } from "./context.ts";
import { everyoneOr } from "./documents.ts";
import {
  addVersion,
  documentChangeSchema,
  type Edited,
  editDocument,
  moveDocument,
  purgeDocument,
  restoreDocument,
  secureDocument,
} from "./edit-documents.ts";
import {
  containerChangeSchema,
  editContainer,
  editGroup,
  editUser,
  groupChangeSchema,
  userChangeSchema,
} from "./edit-others.ts";
import type { ChangeEvent, Library } from "./libraries.ts";

/** One thing that somebody at the firm does. */
export const editSchema = z.discriminatedUnion("kind", [
  /** Changes fields, deletes, or adds a document of a new id. */
  z.strictObject({ kind: z.literal("document"), id: z.string(), change: documentChangeSchema }),
  z.strictObject({ kind: z.literal("restore"), id: z.string() }),
  z.strictObject({ kind: z.literal("purge"), id: z.string() }),
  z.strictObject({
    kind: z.literal("move"),
    id: z.string(),
    workspace_id: z.string().optional(),
    folder_id: z.string().optional(),
  }),
  z.strictObject({ kind: z.literal("version"), id: z.string(), change: documentChangeSchema.optional() }),
  z.strictObject({
    kind: z.literal("security"),
    id: z.string(),
    visible_to: everyoneOr,
    default_security: z.string().optional(),
  }),
  /** A workspace or a folder, its security too. */
  z.strictObject({ kind: z.literal("container"), id: z.string(), change: containerChangeSchema }),
  z.strictObject({ kind: z.literal("group"), id: z.string(), change: groupChangeSchema }),
  z.strictObject({ kind: z.literal("user"), id: z.string(), change: userChangeSchema }),
]);

export type Edit = z.input<typeof editSchema>;

/** What an edit did to one library, as its change feed tells it. */
export interface EditMade {
  seq: number;
  /** `customer/library` */
  library: string;
  kind: Edit["kind"];
  event: ChangeEvent;
}

/** Everything that was edited since this simulator started, in order: what a test compares with what it was told. */
export class Edits {
  readonly #in: Context;
  readonly #made: EditMade[] = [];

  constructor(in_: Context) {
    this.#in = in_;
  }

  after(seq: number): EditMade[] {
    return this.#made.slice(seq);
  }

  /** @throws RangeError for what is not there, before anything is changed. */
  make(library: Library, edit: Edit): ChangeEvent[] {
    const parsed = editSchema.parse(edit);
    const { state, shelves, now, events } = this.#in;
    const in_: Edited = { library, shelf: shelves.of(library), switches: state.switches, now: now() };
    const made =
      parsed.kind === "user"
        ? editUser(in_, state.world, parsed.id, parsed.change)
        : [this.#one(in_, parsed)].flat().map((event) => ({ library, event }));
    for (const { library: of, event } of made) {
      const seq = this.#made.length + 1;
      this.#made.push({ seq, library: `${of.customer_id}/${of.id}`, kind: parsed.kind, event: { ...event } });
      const { item_type, action_type, object_id } = event;
      const about = { library: of.id, action: action_type, item_type };
      if (item_type === "document") events.emit({ type: "document_edited", ...about, document: object_id });
      else events.emit({ type: "object_edited", ...about, object: object_id });
    }
    return made.map(({ event }) => event);
  }

  #one(
    in_: Edited,
    edit: Exclude<z.output<typeof editSchema>, { kind: "user" }>,
  ): ChangeEvent | ChangeEvent[] {
    switch (edit.kind) {
      case "document":
        return editDocument(in_, edit.id, edit.change);
      case "restore":
        return restoreDocument(in_, edit.id);
      case "purge":
        return purgeDocument(in_, edit.id);
      case "move":
        return moveDocument(in_, edit.id, edit);
      case "version":
        return addVersion(in_, edit.id, edit.change);
      case "security":
        return secureDocument(in_, edit.id, edit);
      case "container":
        return editContainer(in_, edit.id, edit.change);
      case "group":
        return editGroup(in_, edit.id, edit.change);
    }
  }
}
