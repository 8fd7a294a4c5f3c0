import { ContainerShelf } from "./container-shelf.ts";
import type { Document } from "./documents.ts";
import { GeneratedLibrary } from "./generated-library.ts";
import { isAdmin, type Library, maySee } from "./libraries.ts";
import { type ListOrder, ListView, type Row } from "./list-view.ts";
import { comparePlaces, firstIndex, insertSorted, type Place } from "./places.ts";

export interface DocumentQuestion {
  userId: string;
  order: ListOrder;
  editedFrom: number | undefined;
  editedTo: number | undefined;
  /** A workspace or a folder. */
  container: string | undefined;
}

interface Kept {
  document: Document;
  byNumber: Row;
  byDate: Row;
}

const VIEWS_KEPT = 16;

/**
 * The documents of one library, found and listed without looking at all of them. Those that are kept (`documents`) lie
 * over those that the recipe makes; `taken` are the numbers of made ones that were edited or deleted.
 */
export class Shelf {
  readonly made: GeneratedLibrary | undefined;
  readonly #library: Library;
  readonly #source: Document[];
  readonly #kept = new Map<string, Kept>();
  readonly #byNumber: Row[] = [];
  readonly #byDate: Row[] = [];
  /** Indexes of made documents that are no longer where they were made. */
  readonly #gone: number[] = [];
  /** The highest number there ever was: numbers do not come back. */
  #highest: number;
  /** Views of lists, by question; none outlives a change. */
  readonly #views = new Map<string, ListView>();

  constructor(library: Library) {
    this.#library = library;
    this.#source = library.documents;
    this.made = library.generated === null ? undefined : new GeneratedLibrary(library.id, library.generated);
    const taken = new Set(library.taken);
    if (this.made !== undefined)
      for (const number of taken) this.#gone.push(number - this.made.recipe.first_number);
    for (const document of library.documents) {
      const kept = keptOf(document);
      this.#kept.set(document.id, kept);
      this.#byNumber.push(kept.byNumber);
      this.#byDate.push(kept.byDate);
      const index = this.made?.indexOf(document.id);
      if (index !== undefined && !taken.has(this.made!.numberOf(index))) {
        library.taken.push(this.made!.numberOf(index));
        this.#gone.push(index);
      }
    }
    this.#gone.sort((a, b) => a - b);
    this.#highest = this.made === undefined ? 0 : this.made.numberOf(this.made.documents - 1);
    for (const { document_number } of [...library.documents, ...library.trash])
      this.#highest = Math.max(this.#highest, document_number);
    this.#byNumber.sort(compareRows);
    this.#byDate.sort(compareRows);
  }

  /** Whether somebody replaced what this was made of. */
  isOf(library: Library): boolean {
    return (
      library === this.#library &&
      library.documents === this.#source &&
      library.documents.length === this.#kept.size &&
      library.generated === (this.made?.recipe ?? null)
    );
  }

  get highestNumber(): number {
    return this.#highest;
  }

  get count(): number {
    return (this.made?.documents ?? 0) - this.#gone.length + this.#kept.size;
  }

  find(id: string): Document | undefined {
    const kept = this.#kept.get(id);
    if (kept !== undefined) return kept.document;
    const index = this.#madeIndex(id);
    return index === undefined
      ? this.#library.older_versions.find((older) => older.id === id)
      : this.made!.documentAt(index);
  }

  get containers(): ContainerShelf {
    return new ContainerShelf(this.#library, this.made);
  }

  /** Every listed version of a document. */
  findNumber(number: number): Document[] {
    const rows = this.#byNumber;
    const found: Document[] = [];
    for (let i = firstIndex(rows, ({ place }) => place[0] >= number); rows[i]?.place[0] === number; i++)
      found.push(rows[i]!.document);
    const made = this.#madeIndex(`${this.#library.id}!${number}.1`);
    if (made !== undefined) found.unshift(this.made!.documentAt(made));
    return found;
  }

  put(document: Document): void {
    const before = this.#kept.get(document.id);
    if (before !== undefined) {
      this.#unlist(before);
      // In place, so that nothing has to be found in a long array.
      Object.assign(before.document, document);
      this.#list(before.document);
    } else {
      this.#take(document.id);
      this.#source.push(document);
      this.#list(document);
    }
    this.#views.clear();
  }

  remove(id: string): void {
    const before = this.#kept.get(id);
    if (before !== undefined) {
      this.#unlist(before);
      this.#kept.delete(id);
      this.#source.splice(this.#source.indexOf(before.document), 1);
    } else this.#take(id);
    this.#views.clear();
  }

  list(question: DocumentQuestion): ListView {
    const key = JSON.stringify(question);
    let view = this.#views.get(key);
    if (view === undefined) {
      view = this.#view(question);
      if (this.#views.size >= VIEWS_KEPT) this.#views.clear();
      this.#views.set(key, view);
    }
    return view;
  }

  /** The one at this part of the list by number: 0 is the first, 0.5 the middle. */
  at(part: number): Document | undefined {
    const view = this.list({
      userId: "",
      order: "by_number",
      editedFrom: undefined,
      editedTo: undefined,
      container: undefined,
    });
    return view.page({ offset: Math.floor(part * view.total), limit: 1 }).documents[0];
  }

  #view({ userId, order, editedFrom, editedTo, container }: DocumentQuestion): ListView {
    const library = this.#library;
    const seesAll = userId === "" || isAdmin(library, userId);
    const wanted = ({ document }: Row) =>
      (container === undefined || document.workspace_id === container || document.folder_id === container) &&
      (seesAll || maySee(library, document, userId));

    const windowed = editedFrom !== undefined || editedTo !== undefined;
    const dated = this.#byDate;
    const start = editedFrom === undefined ? 0 : firstIndex(dated, ({ place }) => place[0] >= editedFrom);
    const end = editedTo === undefined ? dated.length : firstIndex(dated, ({ place }) => place[0] > editedTo);
    const filtered = container !== undefined || !seesAll;
    let rows = order === "by_edit_date" || windowed ? dated : this.#byNumber;
    if (windowed) rows = rows.slice(start, end);
    if (filtered) rows = rows.filter(wanted);
    if (windowed && order === "by_number")
      rows = rows.map((row) => this.#kept.get(row.document.id)!.byNumber).sort(compareRows);

    const { made } = this;
    if (made === undefined) return new ListView(rows, undefined);
    const low = editedFrom === undefined ? 0 : made.firstEditedFrom(editedFrom);
    const high = editedTo === undefined ? made.documents : made.firstEditedFrom(editedTo + 1);
    const selection = made.select(seesAll ? undefined : userId, container);
    const gone = filtered ? this.#gone.filter((index) => selection.has(made.slotOf(index))) : this.#gone;
    return new ListView(rows, { made, selection, gone, low, high: Math.max(low, high), order });
  }

  #madeIndex(id: string): number | undefined {
    const index = this.made?.indexOf(id);
    if (index === undefined) return undefined;
    return this.#gone[firstIndex(this.#gone, (gone) => gone >= index)] === index ? undefined : index;
  }

  #take(id: string): void {
    const index = this.#madeIndex(id);
    if (index === undefined) return;
    insertSorted(this.#gone, index, (a, b) => a - b);
    this.#library.taken.push(this.made!.numberOf(index));
  }

  #list(document: Document): void {
    const kept = keptOf(document);
    this.#kept.set(document.id, kept);
    this.#highest = Math.max(this.#highest, document.document_number);
    insertSorted(this.#byNumber, kept.byNumber, compareRows);
    insertSorted(this.#byDate, kept.byDate, compareRows);
  }

  #unlist({ byNumber, byDate }: Kept): void {
    for (const [rows, row] of [
      [this.#byNumber, byNumber],
      [this.#byDate, byDate],
    ] as const)
      rows.splice(
        firstIndex(rows, (other) => compareRows(other, row) >= 0),
        1,
      );
  }
}

const compareRows = (a: Row, b: Row): number => comparePlaces(a.place, b.place);

function keptOf(document: Document): Kept {
  const { document_number: number, version } = document;
  const at = (key: number): Place => [key, number, version];
  return {
    document,
    byNumber: { place: at(number), document },
    byDate: { place: at(Date.parse(document.edit_date)), document },
  };
}

/** One shelf for each library, made when it is first asked for and again when somebody has replaced its documents. */
export class Shelves {
  readonly #of = new WeakMap<Library, Shelf>();

  of(library: Library): Shelf {
    let shelf = this.#of.get(library);
    if (shelf === undefined || !shelf.isOf(library)) {
      shelf = new Shelf(library);
      this.#of.set(library, shelf);
    }
    return shelf;
  }
}
