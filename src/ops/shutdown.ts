import type { Log } from "../broker/ports.ts";
import { type Milliseconds, seconds } from "../domain/instant.ts";

/** Everything that was started, in that order. Shutdown walks it backwards. */
export interface Shutdown {
  /**
   * Notes how to end what has just been started.
   * What is pushed while the shutdown is under way is ended at once: nothing may outlive it by being late.
   */
  push(name: string, close: () => unknown, maxMs?: Milliseconds): void;
  /** Ends everything, the newest first, one after the other. Idempotent. Never rejects. */
  close(): Promise<ShutdownReport>;
}

export interface ShutdownReport {
  /** What did not end in time, or failed to. Empty: all is well. */
  readonly unclean: readonly string[];
}

/** A provider call may take 60 s and is not broken off (design §3.6): its holder brings its own, longer bound. */
const EACH_MAX_MS = seconds(5);

export function makeShutdown(log: Log): Shutdown {
  const started: { name: string; close: () => unknown; maxMs: Milliseconds }[] = [];
  const unclean: string[] = [];
  let closing: Promise<ShutdownReport> | undefined;

  const walkBackwards = async (): Promise<ShutdownReport> => {
    for (let next = started.pop(); next !== undefined; next = started.pop()) {
      const outcome = await endWithin(next.maxMs, next.close);
      if (outcome === "closed") continue;
      unclean.push(next.name);
      log.warn(
        { detail: next.name, outcome, ...(outcome === "hung" && { elapsedMs: next.maxMs }) },
        outcome === "hung" ? "shutdown: did not end in time" : "shutdown: failed to end",
      );
    }
    return { unclean };
  };

  return {
    push(name, close, maxMs = EACH_MAX_MS) {
      started.push({ name, close, maxMs });
      if (closing !== undefined) closing = closing.then(walkBackwards);
    },
    close() {
      closing ??= walkBackwards();
      return closing;
    },
  };
}

async function endWithin(ms: Milliseconds, close: () => unknown): Promise<"closed" | "hung" | "failed"> {
  // This timer does keep the process alive: without it, one that waits for something dead would just end.
  let timer: NodeJS.Timeout | undefined;
  const hung = new Promise<"hung">((resolve) => {
    timer = setTimeout(resolve, ms, "hung");
  });
  const closed = (async () => await close())().then(
    () => "closed" as const,
    () => "failed" as const,
  );
  const outcome = await Promise.race([closed, hung]);
  clearTimeout(timer);
  return outcome;
}

/** The part of `process` that is used here; tests bring their own. */
export interface SignalledProcess {
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  off(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  exit(code: number): void;
}

/**
 * SIGTERM and SIGINT end what was started, then the process: with 0 if all of it ended, with 1 if not. A second signal
 * ends the process at once with 1: whoever sends it does not want to wait.
 * @returns stops listening.
 */
export function onSignals(parts: {
  readonly shutdown: Shutdown;
  readonly log: Log;
  readonly process?: SignalledProcess;
}): () => void {
  const { shutdown, log, process: target = process } = parts;
  let signalled = false;
  const listener = (signal: NodeJS.Signals): void => {
    if (signalled) {
      log.warn({ code: signal }, "shutdown: a second signal, ending at once");
      target.exit(1);
      return;
    }
    signalled = true;
    log.info({ code: signal }, "shutdown: begins");
    void shutdown.close().then(({ unclean }) => {
      log.info({ outcome: unclean.length === 0 ? "clean" : "unclean" }, "shutdown: done");
      target.exit(unclean.length === 0 ? 0 : 1);
    });
  };
  for (const signal of SIGNALS) target.on(signal, listener);
  return () => {
    for (const signal of SIGNALS) target.off(signal, listener);
  };
}

const SIGNALS = ["SIGTERM", "SIGINT"] as const;
