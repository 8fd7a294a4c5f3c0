import type { WorkerStories } from "./start-workers.ts";

/** Brings data keys that are being rotated on. */
export const keyRotationJob =
  ({ rotateKeys }: Pick<WorkerStories, "rotateKeys">) =>
  async (): Promise<void> => {
    await rotateKeys();
  };
