import { EventEmitter, once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { buildApp } from "./app.ts";
import { Broker } from "./broker.ts";
import { followLibrary, type Sync } from "./follow-library.ts";
import { LibraryCopy } from "./library-copy.ts";
import type { Standing, Viewer } from "./pages.ts";
import { Visibility } from "./visibility.ts";

export interface TrackerOptions {
  readonly brokerUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** The iManage server's id at the broker. */
  readonly server: string;
  readonly library: string;
  readonly viewers: readonly [Viewer, ...Viewer[]];
  /** Where browsers reach this app. */
  readonly address: string;
  /** Seconds between two looks at iManage; unless given, the broker's own. */
  readonly interval?: number;
}

export const returnUrlOf = (address: string): string => `${address}/imanage/returned`;

/** The whole app: follows the library, and shows it. */
export async function startTracker(options: TrackerOptions): Promise<{ close(): Promise<void> }> {
  const { server, library, address, viewers, interval } = options;
  const broker = new Broker(options.brokerUrl, options.clientId, options.clientSecret);
  const copy = new LibraryCopy();
  const visibility = new Visibility(broker, server, library);
  const news = new EventEmitter<{ news: [] }>().setMaxListeners(0);
  const stopping = new AbortController();
  const { signal } = stopping;

  let standing: Standing = { sync: undefined, unreachable: undefined };
  const stands = (next: Standing) => {
    if (JSON.stringify(next) === JSON.stringify(standing)) return;
    standing = next;
    news.emit("news");
  };
  copy.on("changed", (documents) => {
    visibility.forget(documents);
    news.emit("news");
  });

  let sync: Sync | undefined;
  const following = followLibrary({ broker, server, library, copy, interval, signal }, (found) => {
    sync = found;
    stands({ sync, unreachable: undefined });
  });
  const watching = (async () => {
    while (!signal.aborted) {
      await pause(1_000, undefined, { signal }).catch(() => {});
      if (sync === undefined) continue;
      // Whoever has just authorised it waits at his screen.
      const asked =
        sync.state === "parked"
          ? broker.ask<Sync>("POST", `/v1/syncs/${sync.id}/run`, { signal })
          : broker.ask<Sync>("GET", `/v1/syncs/${sync.id}`, { signal });
      await asked.then(
        (found) => {
          sync = found;
          stands({ sync, unreachable: undefined });
        },
        (error: Error) => signal.aborted || stands({ sync, unreachable: error.message }),
      );
    }
  })();

  const app = buildApp({
    broker,
    server,
    returnUrl: returnUrlOf(address),
    viewers,
    copy,
    visibility,
    standing: () => standing,
    libraryPage: `${options.brokerUrl}/servers/${server}/libraries`,
    onNews: (tell) => {
      news.on("news", tell);
      return () => news.off("news", tell);
    },
  });
  const { hostname, port } = new URL(address);
  const listener = app.listen(Number(port), hostname);
  await once(listener, "listening");
  return {
    async close() {
      stopping.abort();
      listener.closeAllConnections();
      listener.close();
      await Promise.all([following, watching]);
    },
  };
}
