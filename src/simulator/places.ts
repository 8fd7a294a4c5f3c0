/** Where a row stands in a list: the key it is sorted by, then number and version, so that no two stand at one place. */
export type Place = readonly [key: number, number: number, version: number];

export const comparePlaces = (a: Place, b: Place): number => a[0] - b[0] || a[1] - b[1] || a[2] - b[2];

/** Index of the first element for which `reached` holds; they must be sorted so that it holds from there on. */
export function firstIndex<T>(sorted: readonly T[], reached: (element: T) => boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (reached(sorted[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}

export function insertSorted<T>(sorted: T[], element: T, compare: (a: T, b: T) => number): void {
  sorted.splice(
    firstIndex(sorted, (other) => compare(other, element) >= 0),
    0,
    element,
  );
}
