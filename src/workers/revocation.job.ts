import type { WorkerStories } from "./start-workers.ts";

/** Revokes at iManage what waits in the revocation outbox. */
export const revocationJob =
  ({ revokePending }: Pick<WorkerStories, "revokePending">) =>
  async (): Promise<void> => {
    await revokePending();
  };
