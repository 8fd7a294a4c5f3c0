import { Activities, type Activity, type ActivityOptions, activitySchema } from "./activities.ts";
import type { Context } from "./context.ts";
import type { Document } from "./documents.ts";
import type { DocumentChange } from "./edit-documents.ts";
import { type Edit, type EditMade, Edits } from "./edits.ts";
import type { ChangeEvent, Library } from "./libraries.ts";
import { isNamed, must } from "./named.ts";

/** What happens in libraries. A library is named by its id, which must be unique across customers then, or `customer/library`. */
export interface ContentHandle {
  editDocument(library: string, id: string, change: DocumentChange): ChangeEvent;
  /** One edit, of whatever kind, or many at once in their order. */
  edit(library: string, ...edits: readonly Edit[]): ChangeEvent[];
  /** Every edit since this simulator started: `seq` is the number of each, and `after` one of those. */
  edits(after?: number): EditMade[];
  /** Edits at a steady rate of real time, or all at once; the same seed in the same library makes the same edits. */
  startActivity(options: ActivityOptions): Activity;
  stopActivity(id?: string): Activity[];
  activities(): Activity[];
  /** Documents as a user sees them now, by number; without a user as an NRTADMIN does. What nobody is shown is in it. */
  documents(
    library: string,
    which?: {
      user?: string | undefined;
      container?: string | undefined;
      offset?: number | undefined;
      limit?: number | undefined;
    },
  ): { total: number; documents: Document[] };
}

export function contentHandle(in_: Context): ContentHandle {
  const edits = new Edits(in_);
  const activities = new Activities(in_, edits);
  const libraryOf = (name: string): Library =>
    must(
      in_.state.world.libraries.find((known) => isNamed(known, name)),
      `library ${name}`,
    );
  in_.onClose(() => void activities.stop());

  return {
    editDocument: (library, id, change) =>
      edits.make(libraryOf(library), { kind: "document", id, change })[0]!,
    edit: (library, ...all) => {
      const of = libraryOf(library);
      return all.flatMap((edit) => edits.make(of, edit));
    },
    edits: (after = 0) => edits.after(after),
    startActivity: (options) => {
      const parsed = activitySchema.parse(options);
      return activities.start(libraryOf(parsed.library), parsed);
    },
    stopActivity: (id) => activities.stop(id),
    activities: () => activities.list(),
    documents: (library, { user, container, offset = 0, limit = Number.POSITIVE_INFINITY } = {}) => {
      const view = in_.shelves.of(libraryOf(library)).list({
        userId: user ?? "",
        order: "by_number",
        editedFrom: undefined,
        editedTo: undefined,
        container,
      });
      return { total: view.total, documents: view.page({ offset, limit }).documents };
    },
  };
}
