import type { WorkerStories } from "./start-workers.ts";

/** A queue of its own: a server that does not answer keeps it for a minute or two, and nothing else. */
export const lookAgainJob =
  ({ lookAgain }: Pick<WorkerStories, "lookAgain">) =>
  async (): Promise<void> => {
    await lookAgain();
  };
