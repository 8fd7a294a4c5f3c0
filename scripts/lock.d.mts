export declare function holdingLock<T>(
  path: string,
  work: () => T | Promise<T>,
  options?: { onWait?: (owner: { pid: number }) => void },
): Promise<T>;
