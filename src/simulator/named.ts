// Asked of everyone in turn: with tens of thousands of users a text made for each would be most of the work.
export const isNamed = (known: { customer_id: number; id: string }, name: string): boolean =>
  known.id === name || (name.endsWith(known.id) && `${known.customer_id}/${known.id}` === name);

export function must<T>(found: T | undefined, what: string): T {
  if (found === undefined) throw new RangeError(`there is no ${what}`);
  return found;
}
