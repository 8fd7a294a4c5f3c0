import type { WorkerStories } from "./start-workers.ts";

/** A queue of its own: it asks iManage, and one that does not answer keeps nothing else. */
export const libraryStandingJob =
  ({ checkStandings }: Pick<WorkerStories, "checkStandings">) =>
  async (): Promise<void> => {
    await checkStandings();
  };
