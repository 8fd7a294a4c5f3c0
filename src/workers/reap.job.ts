import type { WorkerStories } from "./start-workers.ts";

/** Tidies away grants that nobody is bound to. */
export const reapJob =
  ({ reapUnbound }: Pick<WorkerStories, "reapUnbound">) =>
  async (): Promise<void> => {
    await reapUnbound();
  };
