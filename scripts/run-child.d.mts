export type ChildResult = { code: number | null; signal: NodeJS.Signals | null; output: string };

export declare function runChild(
  command: string,
  args: readonly string[],
  options?: { env?: NodeJS.ProcessEnv; cwd?: string; capture?: boolean },
): Promise<ChildResult>;

export declare function exitLike(result: { code: number | null; signal: NodeJS.Signals | null }): void;
