import type { Log } from "../broker/ports.ts";

type GuardedEvent = "uncaughtException" | "unhandledRejection" | "SIGUSR1";

/** The part of `process` that is used here; tests bring their own. */
export interface GuardedProcess {
  on(event: GuardedEvent, listener: (reason: unknown) => void): unknown;
  off(event: GuardedEvent, listener: (reason: unknown) => void): unknown;
  exit(code: number): void;
  readonly report?: { excludeEnv?: boolean; excludeNetwork?: boolean; reportOnUncaughtException?: boolean };
}

/**
 * An error that nobody caught ends the process: its state is no longer known, others take its leases over. What is
 * logged is the error's class, its code and the place in our own code, never its message: foreign ones hold bodies and
 * addresses (T36). Diagnostic reports carry no environment (T24), and none is written for such an error, because it
 * would carry the message. SIGUSR1, by which Node would open a debugger to all of this memory, does nothing; the image
 * says so to Node itself too (`--disable-sigusr1`), for the moments before this line.
 * @returns takes the guards away.
 */
export function installCrashGuards(parts: {
  readonly log: Log;
  readonly process?: GuardedProcess;
}): () => void {
  const { log } = parts;
  const target: GuardedProcess = parts.process ?? process;
  const { report } = target;
  if (report !== undefined) {
    report.excludeEnv = true;
    report.excludeNetwork = true;
    report.reportOnUncaughtException = false;
  }

  const guard =
    (event: string) =>
    (reason: unknown): void => {
      try {
        log.error(describeError(reason), `${event}: the process ends`);
      } finally {
        target.exit(1);
      }
    };
  const onException = guard("uncaught exception");
  const onRejection = guard("unhandled rejection");
  target.on("uncaughtException", onException);
  target.on("unhandledRejection", onRejection);
  const ignore = (): void => {};
  target.on("SIGUSR1", ignore);
  return () => {
    target.off("uncaughtException", onException);
    target.off("unhandledRejection", onRejection);
    target.off("SIGUSR1", ignore);
  };
}

/** An error as far as it can be logged: `{ code, detail: "TypeError at src/broker/refresh/refresh-grant.ts:12:3" }`. */
export function describeError(error: unknown): { readonly code?: string; readonly detail: string } {
  const code = word(read(error, "code"));
  const name = word(read(error, "name")) ?? (error instanceof Error ? "Error" : typeof error);
  const place = firstOwnFrame(error);
  return {
    ...(code !== undefined && { code }),
    detail: place === undefined ? name : `${name} at ${place}`,
  };
}

/** The first frame in our own code. Frames lie behind the message, which may itself look like frames. */
function firstOwnFrame(error: unknown): string | undefined {
  const stack = read(error, "stack");
  const message = read(error, "message");
  if (typeof stack !== "string") return undefined;
  const said = typeof message === "string" && message !== "" ? stack.indexOf(message) : -1;
  const lines = (said < 0 ? stack : stack.slice(said + (message as string).length)).split("\n");
  const firstFrame = lines.findLastIndex((line) => !FRAME.test(line)) + 1;
  for (const line of lines.slice(firstFrame)) {
    const place = OWN_PLACE.exec(line)?.[1];
    if (place !== undefined && !line.includes("/node_modules/")) return place;
  }
  return undefined;
}

const FRAME = /^ {4}at /;
const OWN_PLACE = /\/((?:src|scripts|test)\/[a-z0-9/-]{1,100}(?:\.test)?\.ts:\d{1,6}:\d{1,6})\)?$/;

/** A class or a code as programmers name them, and no sentence. */
const word = (value: unknown): string | undefined =>
  typeof value === "string" && /^[A-Za-z][A-Za-z0-9_]{0,40}$/.test(value) ? value : undefined;

/** Whatever was thrown, also what throws when it is looked at. */
function read(value: unknown, property: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  try {
    return (value as Record<string, unknown>)[property];
  } catch {
    return undefined;
  }
}
