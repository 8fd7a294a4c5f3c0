import { setTimeout as pause } from "node:timers/promises";
import { type Broker, BrokerProblem } from "./broker.ts";
import { type Change, FIELDS, type LibraryCopy } from "./library-copy.ts";

/** A sync as the broker tells it, as far as this app looks at it. */
export interface Sync {
  readonly id: string;
  readonly state: "active" | "parked" | "paused";
  readonly last_complete_at: string | null;
  /** Who must act before it goes on. */
  readonly waits_for: { readonly code: string; readonly title: string; readonly action: string } | null;
}

export interface Followed {
  readonly broker: Broker;
  readonly server: string;
  readonly library: string;
  readonly copy: LibraryCopy;
  /** Seconds between two looks at iManage. */
  readonly interval: number | undefined;
  readonly signal: AbortSignal;
}

/** Keeps the copy of a library what the library is, for as long as the app runs. */
export async function followLibrary(followed: Followed, onSync: (sync: Sync) => void): Promise<void> {
  const { broker, server, library, copy, interval, signal } = followed;
  while (!signal.aborted) {
    try {
      // The same wish is the same sync: nothing has to be remembered, and asking again does no harm.
      const sync = await broker.ask<Sync>("POST", "/v1/syncs", {
        body: { server, library, fields: FIELDS, ...(interval && { interval }) },
        signal,
      });
      onSync(sync);
      while (true) await readOn(broker, `/v1/syncs/${sync.id}`, copy, signal);
    } catch (error) {
      if (error instanceof BrokerProblem && error.code === "cursor_expired") copy.forgetCursor();
      else await pause(patience(error), undefined, { signal }).catch(() => {});
    }
  }
}

/** One look: the changes since the last one, or everything. */
async function readOn(broker: Broker, sync: string, copy: LibraryCopy, signal: AbortSignal): Promise<void> {
  const query = new URLSearchParams({ wait: "30", limit: "500" });
  if (copy.cursor !== undefined) query.set("cursor", copy.cursor);
  const page = await broker.ask<{ items: Change[]; cursor: string }>("GET", `${sync}/changes?${query}`, {
    signal,
  });
  copy.apply(page.items, page.cursor);
}

/** As long as the broker says, and a while where it says nothing or is not there. */
export function patience(error: unknown): number {
  return error instanceof BrokerProblem ? (error.retryAfterMs ?? 30_000) : 2_000;
}
