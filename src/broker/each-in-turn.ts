/** One after another. One that fails keeps no other from its turn; the first failure is thrown when all had theirs. */
export async function eachInTurn<T>(items: Iterable<T>, task: (item: T) => Promise<unknown>): Promise<void> {
  const failures: unknown[] = [];
  for (const item of items) await task(item).catch((error: unknown) => void failures.push(error));
  if (failures.length > 0) throw failures[0];
}
