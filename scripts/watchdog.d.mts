import type { ChildProcess } from "node:child_process";

export declare function endWithThisProcess(
  child: ChildProcess,
  options: { graceSeconds: number; removeFolder?: string },
): void;
