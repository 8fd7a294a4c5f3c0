import type { WorkerStories } from "./start-workers.ts";

/** Takes audit entries out of Redis' capped buffer to where they are kept. */
export const auditExportJob =
  ({ exportAudit }: Pick<WorkerStories, "exportAudit">) =>
  async (): Promise<void> => {
    await exportAudit();
  };
