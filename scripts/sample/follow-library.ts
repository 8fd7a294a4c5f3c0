import { type Broker, BrokerProblem, patience } from "./broker.ts";
import type { Doorbell } from "./doorbell.ts";
import { type Change, type Document, FIELDS, type LibraryCopy } from "./library-copy.ts";

/** A sync as the broker tells it, as far as this app looks at it. */
export interface Sync {
  readonly id: string;
  readonly state: "active" | "parked" | "paused";
  /** Who must act before it goes on. */
  readonly waits_for: WaitsFor | null;
}

export interface WaitsFor {
  readonly code: string;
  readonly title: string;
  readonly action: string;
  /** Where a library admin acts. */
  readonly link: string | null;
}

export interface Followed {
  readonly broker: Broker;
  readonly server: string;
  readonly library: string;
  /** Seconds between two looks at iManage; undefined: as the broker thinks best. */
  readonly interval: number | undefined;
  readonly copy: LibraryCopy;
  /** Rung when it is worth trying again at once. */
  readonly doorbell: Doorbell;
  readonly signal: AbortSignal;
  readonly onSync: (sync: Sync) => void;
}

/** Keeps the copy what the library is, for as long as the app runs. */
export async function followLibrary(followed: Followed): Promise<void> {
  const { broker, server, library, interval, copy, doorbell, signal, onSync } = followed;
  const wish = { server, library, wants: ["documents", "security"], fields: FIELDS, interval };
  while (!signal.aborted) {
    try {
      // The same wish is the same sync: nothing has to be remembered, and asking again does no harm.
      const sync = await broker.ask<Sync>("POST", "/v1/syncs", { body: wish, signal });
      copy.belongsTo(sync.id);
      onSync(sync);
      while (true) {
        if (copy.cursor === undefined) await takeSnapshot(broker, sync, copy, signal);
        else await readChanges(broker, sync, copy, copy.cursor, signal);
      }
    } catch (error) {
      // Too much has happened since: what was kept for us is gone, and everything is read anew.
      if (error instanceof BrokerProblem && error.code === "cursor_expired") copy.forgetCursor();
      else if (!signal.aborted) await doorbell.wait(patience(error));
    }
  }
}

async function readChanges(
  broker: Broker,
  { id }: Sync,
  copy: LibraryCopy,
  cursor: string,
  signal: AbortSignal,
) {
  const query = new URLSearchParams({ cursor, wait: "30", limit: "500" });
  const path = `/v1/syncs/${id}/changes?${query}`;
  const page = await broker.ask<{ items: Change[]; cursor: string }>("GET", path, { signal });
  copy.apply(page.items, page.cursor);
}

type SnapshotLine =
  | { readonly kind: "snapshot.begin"; readonly cursor: string }
  | { readonly kind: "document"; readonly document: Document }
  | { readonly kind: "snapshot.end" };

/** The whole library as it is now. What was shown before stays until the last line is here. */
async function takeSnapshot(broker: Broker, { id }: Sync, copy: LibraryCopy, signal: AbortSignal) {
  const documents: Document[] = [];
  let cursor = "";
  for await (const line of broker.lines<SnapshotLine>(`/v1/syncs/${id}/snapshot`, signal)) {
    if (line.kind === "snapshot.begin") cursor = line.cursor;
    else if (line.kind === "document") documents.push(line.document);
    else if (line.kind === "snapshot.end") return copy.replace(documents, cursor);
  }
  throw new Error("The snapshot has no last line: it was cut short.");
}
