import type { Milliseconds } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import type { Server } from "../domain/server.ts";
import {
  afterCount,
  afterEvents,
  afterFeedMissing,
  afterFeedRefused,
  afterJudge,
  afterList,
  afterSweep,
  afterTake,
  afterWindow,
  afterWorkspaceRefused,
  type Brake,
  withFeedBack,
} from "./advance.ts";
import type { ScanCursor, SyncCursor } from "./cursor.ts";
import { itemTypesOf, touchedOthers } from "./feed-events.ts";
import type { DocumentPage, DocumentQuery, EventPage } from "./library-source.ts";
import { loadDocuments } from "./load-documents.ts";
import { PagesAhead } from "./pages-ahead.ts";
import type { Moment, Step } from "./plan.ts";
import type { Sync, SyncPage, SyncPorts, SyncToken } from "./ports.ts";
import type { Called, LibraryCalls } from "./read-library.ts";
import {
  isCursorRefusal,
  isWithoutFeed,
  isWithoutList,
  PageCursorRefused,
  problemOf,
  type Refusal,
  whyRefused,
} from "./refusals.ts";
import { replacedIn } from "./replaced-versions.ts";
import { NOTHING, seenOf, shownOn, Teller, type Telling, type Told } from "./tell.ts";
import { tellEvents } from "./tell-events.ts";

export interface StepOptions {
  readonly pageSize: number;
  /** Events that are told before what they told is stored: whatever a rate limit lets through, it gets on. */
  readonly eventsAtOnce: number;
  /** Containers and people among them, each of which is a call or two. */
  readonly objectsAtOnce: number;
  readonly overlapMs: Milliseconds;
  readonly brake: Brake;
}

type StepPage = Omit<SyncPage, "pass">;
type Answered<T> = { readonly value: T; readonly token: SyncToken };

/** Each is asked for by itself, and what was asked for is stored before the next. */
const SWEPT_AT_ONCE = 100;

/** Takes one sync's steps, each from what iManage answers to the page that is to be stored. */
export class Steps {
  readonly #ports: Pick<SyncPorts, "timers" | "documents" | "objects" | "sealer" | "syncs" | "servers">;
  readonly #calls: LibraryCalls;
  readonly #sync: Sync;
  readonly #options: StepOptions;
  readonly #teller: Teller;
  /** Objects that are remembered, by now. */
  #objects: number;
  /** The feed's last answer, while a part of it is to be told. */
  #feed: (Called<EventPage> & { readonly from: string }) | undefined;
  /** The next pages of the scan, asked for while this one is being stored. */
  readonly #ahead: PagesAhead;
  /** Which workspace they are of; undefined: of the library. */
  #aheadOf: string | undefined;

  constructor(
    ports: Pick<SyncPorts, "timers" | "documents" | "objects" | "sealer" | "syncs" | "servers">,
    calls: LibraryCalls,
    sync: Sync,
    options: StepOptions,
  ) {
    this.#ports = ports;
    this.#calls = calls;
    this.#sync = sync;
    this.#options = options;
    this.#teller = new Teller(ports);
    this.#ahead = new PagesAhead(ports.timers, (sequence, page) => {
      const answer = this.#documents(sequence, { workspace: this.#aheadOf, cursor: page });
      this.#calls.prepare(this.#sync, sequence + 1);
      return answer;
    });
    this.#objects = sync.counts.objects;
  }

  /**
   * @param step undefined: there is nothing to do, and that is the page.
   * @param mustEnd the run is about to end: nothing is asked for ahead.
   */
  async take(
    step: Exclude<Step, { kind: "held" }> | undefined,
    cursor: SyncCursor,
    moment: () => Moment,
    mustEnd: () => boolean,
  ): Promise<StepPage> {
    switch (step?.kind) {
      case undefined:
        return this.#page(cursor, cursor, NOTHING);
      case "take":
        return this.#take(cursor, step.cursor, moment);
      case "events":
        return this.#events(cursor, step.cursor, moment);
      case "window":
        return this.#window(cursor, step.page, moment);
      case "list":
        return this.#list(cursor, step.scan, mustEnd);
      case "count":
        return this.#count(cursor, step.scan);
      case "judge":
        return this.#page(
          cursor,
          afterJudge(cursor, step.scan, this.#objects, this.#options.brake, this.#at(moment)),
          NOTHING,
        );
      case "sweep":
        return this.#sweep(cursor, step.scan, moment);
    }
  }

  /** Reads the feed to its end without telling: what it would tell, a scan finds. */
  async #take(cursor: SyncCursor, from: string | undefined, moment: () => Moment): Promise<StepPage> {
    const { answer } = await this.#read(cursor, from);
    if (answer.kind === "ok") {
      return this.#page(cursor, afterTake(cursor, answer.value, moment()), NOTHING);
    }
    if (from !== undefined && isCursorRefusal(answer)) {
      return this.#page(cursor, { ...cursor, feed: { kind: "unknown" } }, NOTHING);
    }
    await this.#mustBeWithoutFeed(cursor, answer);
    return this.#page(cursor, afterTake(cursor, undefined, moment()), NOTHING);
  }

  async #events(before: SyncCursor, from: string, moment: () => Moment): Promise<StepPage> {
    this.#ahead.forget();
    const cursor = withFeedBack(before);
    const told = cursor.feed.kind === "taken" ? (cursor.feed.told ?? 0) : 0;
    const held = this.#feed;
    this.#feed = undefined;
    const feed = told > 0 && held?.from === from ? held : { from, ...(await this.#read(cursor, from)) };
    const { token, answer } = feed;
    if (answer.kind !== "ok") {
      if (!isCursorRefusal(answer)) {
        await this.#mustBeWithoutFeed(cursor, answer);
        return this.#page(cursor, afterFeedMissing(cursor, moment(), before), NOTHING);
      }
      return this.#page(cursor, afterFeedRefused(cursor), NOTHING);
    }
    const { events } = answer.value;
    // What a page names often is loaded and told once, where it is named last.
    const untold = touchedOthers(events, this.#sync.wish).filter(({ last }) => last >= told);
    const { eventsAtOnce, objectsAtOnce } = this.#options;
    const by = Math.min(told + eventsAtOnce, untold[objectsAtOnce]?.last ?? events.length);
    const part = { ...answer.value, events: events.slice(told, by) };
    const left = by < events.length;
    if (left) this.#feed = feed;
    const telling = this.#telling(cursor, token.server, cursor.scan?.number ?? cursor.scans, false);
    const others = untold.filter(({ last }) => last < by);
    const loading = { calls: this.#calls, objects: this.#ports.objects, teller: this.#teller };
    const page = await tellEvents(loading, telling, part, others, this.#options.brake.objects);
    const after = afterEvents(cursor, part, left ? by : undefined, page, moment());
    return this.#page(cursor, page.rescan ? { ...after, rescan: true } : after, page, {
      documents: page.loaded,
      unreadable: (left ? 0 : part.unreadable) + page.unloadable,
    });
  }

  async #window(cursor: SyncCursor, page: string | undefined, moment: () => Moment): Promise<StepPage> {
    this.#ahead.forget();
    const { token, value } = await this.#ok(
      // Open to the future: an edit during the pass is rather seen twice than not at all.
      this.#documents(cursor.sequence, { editedFrom: cursor.editedFrom, cursor: page }),
      page !== undefined,
    );
    const telling = this.#telling(cursor, token.server, cursor.scan?.number ?? cursor.scans, false);
    const told = await this.#teller.tell(telling, value.documents.map(seenOf), []);
    const after = afterWindow(cursor, value, told, moment(), this.#options.overlapMs);
    return this.#page(cursor, after, told, shownOn(value));
  }

  async #list(cursor: SyncCursor, scan: ScanCursor, mustEnd: () => boolean): Promise<StepPage> {
    const workspace = this.#workspaceOf(scan);
    if (this.#aheadOf !== workspace) this.#ahead.forget();
    this.#aheadOf = workspace;
    const asked =
      this.#ahead.take(scan.page) ??
      this.#documents(cursor.sequence, { workspace, cursor: scan.page, total: scan.page === undefined });
    const { token, answer } = await asked;
    if (answer.kind !== "ok") return this.#refused(cursor, scan, answer, scan.page !== undefined);
    const { value } = answer;
    if (mustEnd()) this.#ahead.forget();
    else await this.#ahead.ask(cursor.sequence + 1, value.next);
    const telling = {
      ...this.#telling(cursor, token.server, scan.number, true),
      ofWorkspace: workspace !== undefined,
    };
    const told = await this.#teller.tell(telling, value.documents.map(seenOf), []);
    const after = afterList(cursor, scan, value, told, token.grant, this.#workspaces.length);
    return this.#page(cursor, after, told, shownOn(value));
  }

  async #count(cursor: SyncCursor, scan: ScanCursor): Promise<StepPage> {
    const workspace = this.#workspaceOf(scan);
    const { token, answer } = await this.#documents(cursor.sequence, { workspace, limit: 1, total: true });
    if (answer.kind !== "ok") return this.#refused(cursor, scan, answer, false);
    const counted = { total: answer.value.total, grant: token.grant };
    return this.#page(cursor, afterCount(cursor, scan, counted, this.#workspaces.length), NOTHING);
  }

  get #workspaces(): readonly string[] {
    return this.#sync.wish.workspaces ?? [];
  }

  #workspaceOf = ({ within }: ScanCursor): string | undefined => within && this.#workspaces[within.at];

  /**
   * A page of a scan that iManage does not give. Of one workspace: the scan goes on without it.
   * @throws Problem for what is wrong with all of the library, or passes.
   */
  async #refused(cursor: SyncCursor, scan: ScanCursor, refusal: Refusal, paged: boolean): Promise<StepPage> {
    const problem = problemOf(refusal, "list of documents", paged);
    const id = this.#workspaceOf(scan);
    if (id === undefined || problem instanceof PageCursorRefused || !isWithoutList(refusal)) throw problem;
    await this.#ok(this.#documents(cursor.sequence, { limit: 1 }), false);
    const { answer } = await this.#calls.call(this.#sync, cursor.sequence, (token, of) =>
      this.#ports.documents.hasWorkspace(token.server, token.accessToken, { ...of, id }),
    );
    const why = whyRefused(refusal, answer);
    return this.#page(cursor, afterWorkspaceRefused(cursor, scan, why, this.#workspaces.length), NOTHING);
  }

  /**
   * What was not met is asked for by itself: gone is what iManage has no more. What it does not show to this admin is gone only if an
   * operator says so.
   */
  async #sweep(cursor: SyncCursor, scan: ScanCursor, moment: () => Moment): Promise<StepPage> {
    const { syncs } = this.#ports;
    const { id } = this.#sync;
    const { objects, next } = await syncs.unmarked(id, scan.number, scan.page, SWEPT_AT_ONCE);
    const some = objects.slice(0, SWEPT_AT_ONCE);
    const server = await this.#ports.servers.findServer(this.#sync.server);
    if (server === undefined) throw new Error("a sync without its server");
    const { found, absent, hidden, unloadable } = await loadDocuments(
      this.#calls,
      this.#sync,
      cursor.sequence,
      some.map((object) => ({ object, at: undefined })),
    );
    const there = [...found].filter(([object, document]) => document.id === object);
    const replaced = await replacedIn(
      syncs,
      id,
      there.map(([object]) => object),
      scan.number,
    );
    const gone = some.filter(
      (object) =>
        absent.has(object) || replaced.has(object) || (scan.released === true && hidden.has(object)),
    );
    const told = await this.#teller.tell(
      { ...this.#telling(cursor, server, scan.number, false), leaving: "told" },
      there.filter(([object]) => !replaced.has(object)).map(([, document]) => ({ document })),
      gone.map((object) => ({ object, at: undefined })),
    );
    const settled = new Set([...there.map(([object]) => object), ...gone]);
    const unsure = some.filter((object) => !settled.has(object));
    const known = await syncs.remembered(id, unsure);
    const kept = unsure.flatMap((object, i) => {
      const before = known[i];
      return before === undefined ? [] : [[object, { ...before, scan: scan.number }] as const];
    });
    // What was left of this walk stands behind the same place of it.
    const left = objects.length > some.length;
    const after = left
      ? { ...cursor, scan: { ...scan, missing: (scan.missing ?? 0) - some.length } }
      : afterSweep(cursor, scan, some.length, next, this.#at(moment));
    return this.#page(
      cursor,
      after,
      { ...told, marks: [...told.marks, ...kept] },
      { documents: found.size, unreadable: unloadable },
    );
  }

  /**
   * Whoever has no feed has documents. Otherwise it is not the feed that is missing. Who does not ask for documents has nothing but
   * the feed: he waits for it, and keeps his cursor.
   * @throws Problem for what else is wrong.
   */
  async #mustBeWithoutFeed(cursor: SyncCursor, refusal: Refusal): Promise<void> {
    const problem = problemOf(refusal, "change events", false);
    if (!isWithoutFeed(refusal)) throw problem;
    await this.#ok(this.#documents(cursor.sequence, { limit: 1 }), false);
    if (this.#sync.wish.wants.includes("documents")) return;
    throw new Problem("imanage_unavailable", {
      detail: `${problem.message} Nothing else tells what is asked for.`,
    });
  }

  #read(cursor: SyncCursor, from: string | undefined): Promise<Called<EventPage>> {
    const itemTypes = itemTypesOf(this.#sync.wish.wants);
    return this.#calls.call(this.#sync, cursor.sequence, ({ server, accessToken }, of) =>
      this.#ports.documents.readEvents(server, accessToken, { ...of, cursor: from, itemTypes }),
    );
  }

  #documents(
    sequence: number,
    query: Partial<Pick<DocumentQuery, "workspace" | "editedFrom" | "cursor" | "limit" | "total">>,
  ): Promise<Called<DocumentPage>> {
    return this.#calls.call(this.#sync, sequence, ({ server, accessToken }, of) =>
      this.#ports.documents.listDocuments(server, accessToken, {
        ...of,
        editedFrom: undefined,
        editedTo: undefined,
        cursor: undefined,
        limit: this.#options.pageSize,
        ...query,
      }),
    );
  }

  async #ok(called: Promise<Called<DocumentPage>>, paged: boolean): Promise<Answered<DocumentPage>> {
    const { token, answer } = await called;
    if (answer.kind !== "ok") throw problemOf(answer, "list of documents", paged);
    return { token, value: answer.value };
  }

  #telling({ lastScan, sequence }: SyncCursor, server: Server, mark: number, scanning: boolean): Telling {
    const { wish, baselineAt } = this.#sync;
    return {
      sync: this.#sync,
      server,
      sequence,
      mark,
      scanning,
      leaving: "kept",
      silent: scanning && wish.existing === "skip" && baselineAt === undefined,
      baseline: lastScan === undefined,
    };
  }

  #at(moment: () => Moment) {
    return { ...moment(), overlapMs: this.#options.overlapMs };
  }

  #page(
    before: SyncCursor,
    after: SyncCursor,
    { changes, marks, forgotten, cameOrWent }: Told,
    shown: Pick<SyncPage, "documents" | "unreadable"> = { documents: 0, unreadable: 0 },
  ): StepPage {
    // Each that went was forgotten, so each other that came or went came.
    this.#objects += cameOrWent - 2 * forgotten.length;
    const scanned = after.scan === undefined && after.lastScan !== before.lastScan;
    return { sequence: before.sequence, cursor: after, changes, marks, forgotten, scanned, ...shown };
  }
}
