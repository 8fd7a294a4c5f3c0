import type { Document } from "./documents.ts";
import type { GeneratedLibrary } from "./generated-library.ts";
import { comparePlaces, firstIndex, type Place } from "./places.ts";
import type { Selection } from "./slots.ts";

export type ListOrder = "by_number" | "by_edit_date";

export interface Row {
  place: Place;
  document: Document;
}

/** The made documents of a list: those of `selection` between two indexes, without the `gone`. */
export interface MadeRows {
  made: GeneratedLibrary;
  selection: Selection;
  /** Sorted, and all of the selection. */
  gone: readonly number[];
  low: number;
  high: number;
  order: ListOrder;
}

const BEFORE_ALL = Number.NEGATIVE_INFINITY;

/**
 * One list as one asker sees it: kept rows and made ones, merged where a page needs them. What a page costs does not
 * depend on where in the list it is.
 */
export class ListView {
  readonly total: number;
  readonly #rows: readonly Row[];
  readonly #made: MadeRows | undefined;

  constructor(rows: readonly Row[], made: MadeRows | undefined) {
    this.#rows = rows;
    this.#made = made;
    this.total = rows.length + (made === undefined ? 0 : this.#countMade(made, made.high));
  }

  /** A page by offset, or after a place that an earlier page told. `next` is missing on the last one. */
  page({ after, offset = 0, limit }: { after?: Place | undefined; offset?: number; limit: number }): {
    documents: Document[];
    next: Place | undefined;
  } {
    if (offset >= this.total) return { documents: [], next: undefined };
    const start: Place = after ?? this.#startOf(offset);
    let left = after === undefined ? offset - this.#countBefore(start[0]) : 0;
    const documents: Document[] = [];
    let last: Place | undefined;
    for (const { place, document } of this.#from(start)) {
      if (left > 0) {
        left -= 1;
        continue;
      }
      if (documents.length === limit) return { documents, next: last };
      documents.push(document());
      last = place;
    }
    return { documents, next: undefined };
  }

  /** Rows whose place comes after this one. */
  *#from(after: Place): Generator<{ place: Place; document: () => Document }> {
    const rows = this.#rows;
    let at = firstIndex(rows, ({ place }) => comparePlaces(place, after) > 0);
    const made = this.#made;
    let index = made === undefined ? undefined : this.#nextMade(made, this.#indexAt(made, after[0]));
    while (made !== undefined && index !== undefined && comparePlaces(placeOf(made, index), after) <= 0)
      index = this.#nextMade(made, index + 1);

    for (;;) {
      const row = rows[at];
      const place = made === undefined || index === undefined ? undefined : placeOf(made, index);
      if (row !== undefined && (place === undefined || comparePlaces(row.place, place) < 0)) {
        yield { place: row.place, document: () => row.document };
        at += 1;
      } else if (place !== undefined) {
        const current = index!;
        yield { place, document: () => made!.made.documentAt(current) };
        index = this.#nextMade(made!, current + 1);
      } else return;
    }
  }

  /** The last key before which there are no more rows than `offset`. */
  #startOf(offset: number): Place {
    if (offset === 0) return [BEFORE_ALL, 0, 0];
    const made = this.#made;
    const ends = [this.#rows[0]?.place[0], this.#rows.at(-1)?.place[0]];
    if (made !== undefined && made.high > made.low)
      ends.push(placeOf(made, made.low)[0], placeOf(made, made.high - 1)[0]);
    const keys = ends.filter((key) => key !== undefined);
    let low = Math.min(...keys);
    let high = Math.max(...keys);
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#countBefore(middle) <= offset) low = middle;
      else high = middle - 1;
    }
    return [low, BEFORE_ALL, 0];
  }

  #countBefore(key: number): number {
    const rows = firstIndex(this.#rows, ({ place }) => place[0] >= key);
    return this.#made === undefined
      ? rows
      : rows + this.#countMade(this.#made, this.#indexAt(this.#made, key));
  }

  /** How many of them are below this index. */
  #countMade({ selection, gone, low, high }: MadeRows, index: number): number {
    const end = Math.min(Math.max(index, low), high);
    const goneBelow = (at: number) => firstIndex(gone, (one) => one >= at);
    return selection.countBelow(end) - selection.countBelow(low) - (goneBelow(end) - goneBelow(low));
  }

  #nextMade({ selection, gone, low, high }: MadeRows, from: number): number | undefined {
    let index = selection.next(Math.max(from, low));
    let next = firstIndex(gone, (one) => one >= index);
    while (index < high && gone[next] === index) {
      index = selection.next(index + 1);
      next += 1;
    }
    return index < high ? index : undefined;
  }

  #indexAt({ made, order, low, high }: MadeRows, key: number): number {
    if (key === BEFORE_ALL) return low;
    const index = order === "by_number" ? key - made.recipe.first_number : made.firstEditedFrom(key);
    return Math.min(Math.max(index, low), high);
  }
}

function placeOf({ made, order }: MadeRows, index: number): Place {
  const number = made.numberOf(index);
  return [order === "by_number" ? number : made.editedAt(index), number, 1];
}
