import { EventEmitter, once } from "node:events";
import { buildApp } from "./app.ts";
import { Broker } from "./broker.ts";
import { Doorbell } from "./doorbell.ts";
import { type BrokerEvent, followEvents } from "./follow-events.ts";
import { followLibrary, type Sync } from "./follow-library.ts";
import { LibraryCopy } from "./library-copy.ts";
import type { Viewer } from "./pages.ts";
import { Visibility } from "./visibility.ts";

export interface TrackerOptions {
  readonly brokerUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Ids at the broker of the firm and of its iManage server. */
  readonly organisation: string;
  readonly server: string;
  readonly library: string;
  readonly viewers: readonly [Viewer, ...Viewer[]];
  /** Where browsers reach this app. */
  readonly address: string;
  /** Seconds between two looks at iManage; unless given, as the broker thinks best. */
  readonly interval?: number;
}

export const returnUrlOf = (address: string): string => `${address}/imanage/returned`;

/** The whole app: follows the library, and shows it. */
export async function startTracker(options: TrackerOptions): Promise<{ close(): Promise<void> }> {
  const { organisation, server, library, address, viewers, interval } = options;
  const broker = new Broker(options.brokerUrl, options.clientId, options.clientSecret);
  const copy = new LibraryCopy();
  const visibility = new Visibility(broker, server, library);
  const doorbell = new Doorbell();
  const stopping = new AbortController();
  const { signal } = stopping;

  /** Whoever shows a page listens: it would look different now. */
  const news = new EventEmitter<{ news: [] }>().setMaxListeners(0);
  let sync: Sync | undefined;
  let trouble: string | undefined;
  const stands = (found: Sync | undefined, wrong?: string) => {
    const before = JSON.stringify([sync, trouble]);
    sync = found;
    trouble = wrong;
    if (JSON.stringify([sync, trouble]) !== before) news.emit("news");
  };
  copy.on("changed", (documents) => {
    visibility.forget(documents);
    news.emit("news");
  });

  /** How the sync stands now. */
  const look = async () => {
    if (sync !== undefined) stands(await broker.ask<Sync>("GET", `/v1/syncs/${sync.id}`, { signal }));
  };
  const onEvents = async (events: readonly BrokerEvent[]) => {
    const people = events.flatMap(({ data: { subjects = [] } }) =>
      subjects.filter(({ type }) => type === "user"),
    );
    for (const { id } of people) visibility.forgetPerson(id);
    if (people.length > 0) news.emit("news");
    await look();
    if (sync?.state === "parked" && events.some(isAuthorized(library))) {
      // Whoever has just authorised it waits at his screen: the broker need not wait until it would look by itself.
      await broker.ask("POST", `/v1/syncs/${sync.id}/run`, { signal });
    }
    doorbell.ring();
  };

  const following = [
    followLibrary({
      broker,
      server,
      library,
      interval,
      copy,
      doorbell,
      signal,
      onSync: (found) => stands(found),
    }),
    followEvents({
      ...{ broker, organisation, doorbell, signal, onEvents },
      onReached: look,
      onTrouble: ({ message }) => stands(sync, message),
    }),
  ];

  const app = buildApp({
    broker,
    server,
    returnUrl: returnUrlOf(address),
    viewers,
    copy,
    visibility,
    standing: () => ({ sync, trouble, reading: copy.cursor === undefined }),
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
      doorbell.ring();
      listener.closeAllConnections();
      listener.close();
      await Promise.all(following);
    },
  };
}

const isAuthorized =
  (library: string) =>
  ({ type, data }: BrokerEvent): boolean =>
    (type === "library.lifted" && data.library === library) ||
    (type === "grant.authorized" &&
      data.subjects?.some((of) => of.type === "library" && of.id === library) === true);
