import type { ApiOutcome } from "../broker/authorization/ports.ts";
import { changeContext, serverOwner } from "../broker/seal-contexts.ts";
import type { SyncId } from "../domain/id.ts";
import { type Milliseconds, minutes } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import type { ProblemCode } from "../domain/problem-catalogue.ts";
import { Secret } from "../domain/secret.ts";
import type { Server } from "../domain/server.ts";
import { encodeChange } from "./change.ts";
import { payloadOf } from "./document-fields.ts";
import { endAfter, latest, nextEditedFrom, syncTiming } from "./plan.ts";
import type {
  DocumentPage,
  NewChange,
  PassCursor,
  RunEnd,
  Sync,
  SyncCursor,
  SyncPorts,
  SyncToken,
  SyncTokenRequest,
} from "./ports.ts";

/** How one run ended. None of these is an error: the schedule knows when to look again. */
export type SyncRunOutcome =
  | { readonly kind: "complete"; readonly changes: number }
  /** It took its share of time, or this process is stopping: due again at once. */
  | { readonly kind: "gave_way"; readonly changes: number }
  | { readonly kind: "postponed"; readonly code: ProblemCode; readonly retryAfterMs: Milliseconds }
  | { readonly kind: "parked"; readonly code: ProblemCode }
  /** Another run stored this page first and goes on. */
  | { readonly kind: "overtaken" | "not_due" | "paused" | "gone" };

export interface SyncRunOptions {
  /** Documents a page. */
  readonly pageSize?: number;
  readonly overlapMs?: Milliseconds;
  readonly parkedRetryMs?: Milliseconds;
  readonly quietMs?: Milliseconds;
  readonly sliceMs?: Milliseconds;
}

type RunPorts = Pick<
  SyncPorts,
  "clock" | "log" | "sealer" | "syncs" | "clients" | "documents" | "accessToken"
>;

type Running = SyncCursor & { readonly pass: PassCursor };

const PAGE_SIZE = 500;

/**
 * Reads one library's documents by their edit date, page by page. What was stored with a page is all a run knows, so a
 * run that was killed anywhere is gone on with, and one that runs twice does no harm.
 */
export class SyncRuns {
  readonly #ports: RunPorts;
  readonly #options: Required<SyncRunOptions>;

  constructor(ports: RunPorts, options: SyncRunOptions = {}) {
    this.#ports = ports;
    const { overlapMs, parkedRetryMs, quietMs, sliceMs } = syncTiming;
    this.#options = { pageSize: PAGE_SIZE, overlapMs, parkedRetryMs, quietMs, sliceMs, ...options };
  }

  /**
   * @param progressed told after each page that was stored.
   * @throws only for what the schedule cannot know: the store is away, or a defect of ours.
   */
  async run(
    id: SyncId,
    signal?: AbortSignal,
    progressed: () => Promise<void> = async () => {},
  ): Promise<SyncRunOutcome> {
    const { clock, syncs } = this.#ports;
    const { quietMs, sliceMs } = this.#options;
    const begun = await syncs.beginRun(id, quietMs);
    if (begun.kind !== "begun") return { kind: begun.kind };

    const sync = begun.sync;
    const until = clock.monotonicMs() + sliceMs;
    let cursor: Running = sync.cursor;
    let { failures } = sync.counts;
    let troubled = failures > 0 || sync.state === "parked";
    let changes = 0;
    try {
      for (;;) {
        const { page, server } = await this.#page(sync, cursor);
        const stored = await this.#store(sync, cursor, page, server);
        if (stored.answer !== "committed") return { kind: stored.answer };
        await progressed();
        if (troubled) this.#tell(sync, "recovered");
        troubled = false;
        failures = 0;
        changes += stored.changes;
        if (page.next === undefined) return { kind: "complete", changes };

        cursor = stored.cursor;
        if (signal?.aborted || clock.monotonicMs() >= until) {
          await syncs.endRun(id, cursor.sequence, GAVE_WAY);
          return { kind: "gave_way", changes };
        }
      }
    } catch (error) {
      const problem = error instanceof Problem ? error : new Problem("internal_error");
      const end = this.#end(problem, failures);
      await syncs.endRun(id, cursor.sequence, end);
      this.#tell(sync, end.park ? "parked" : "postponed", problem);
      // A defect is due again like anything else, and yet somebody has to see where it came from.
      if (problem !== error) throw error;
      return end.park
        ? { kind: "parked", code: problem.code }
        : { kind: "postponed", code: problem.code, retryAfterMs: end.retryAfterMs };
    }
  }

  /** A page with a token of this very moment. A token that iManage refuses is reported, once, and replaced. */
  async #page(sync: Sync, cursor: Running): Promise<{ page: DocumentPage; server: Server }> {
    const request: SyncTokenRequest = {
      action: "sync",
      client: sync.client,
      server: sync.server,
      subject: { type: "library", id: sync.library },
      note: { actor: "worker", requestId: `${sync.id}/${cursor.sequence}`, purpose: "sync" },
    };
    if ((await this.#ports.clients.findStanding(sync.client))?.state !== "active") throw stoppedClient();
    let token = await this.#ports.accessToken(request);
    let answer = await this.#list(sync, cursor, token);
    if (answer.kind === "unauthorized") {
      token = await this.#ports.accessToken({ ...request, rejected: token.fingerprint });
      answer = await this.#list(sync, cursor, token);
    }
    if (answer.kind !== "ok") throw problemOf(answer, cursor);
    return { page: answer.value, server: token.server };
  }

  #list(sync: Sync, cursor: Running, token: SyncToken): Promise<ApiOutcome<DocumentPage>> {
    return this.#ports.documents.listDocuments(token.server, token.accessToken, {
      customerId: token.customerId,
      library: sync.library,
      editedFrom: cursor.editedFrom,
      // Open to the future: an edit during the pass is rather seen twice than not at all.
      editedTo: undefined,
      cursor: cursor.pass.page,
      limit: this.#options.pageSize,
    });
  }

  async #store(sync: Sync, cursor: Running, page: DocumentPage, server: Server) {
    const { sequence, pass } = cursor;
    const changes = await this.#changes(sync, sequence, page, server);
    const latestEditAt = latest(pass.latestEditAt, ...page.documents.map(({ editedAt }) => editedAt));
    const answer = await this.#ports.syncs.commitPage(
      sync.id,
      {
        sequence,
        changes,
        documents: page.documents.length + page.unreadable,
        unreadable: page.unreadable,
        latestEditAt,
        next: page.next,
        editedFrom: nextEditedFrom(cursor, pass.startedAt, latestEditAt, this.#options.overlapMs),
      },
      this.#options.quietMs,
    );
    const next: Running = {
      ...cursor,
      sequence: sequence + 1,
      pass: { ...pass, page: page.next, latestEditAt },
    };
    return { answer, changes: changes.length, cursor: next };
  }

  /** What is new on this page, in its order. A document that stands on it twice is told as it stands there last. */
  async #changes(
    sync: Sync,
    sequence: number,
    page: DocumentPage,
    server: Server,
  ): Promise<readonly NewChange[]> {
    const payloads = [
      ...new Map(page.documents.map((document) => [document.id, payloadOf(document, sync.fields)])).values(),
    ];
    const told = await this.#ports.syncs.toldVersions(
      sync.id,
      payloads.map(({ id }) => id),
    );
    const context = changeContext(server, sync.id, sequence);
    const changes = await Promise.all(
      payloads.map(async (payload, i) => {
        // Keyed: whoever reads the store cannot try out names until one fits.
        const version = await this.#ports.sealer.fingerprint(
          serverOwner(server),
          new Secret(`sync-object\n${JSON.stringify(payload)}`),
        );
        if (version === told[i]) return undefined;
        const sealed = await this.#ports.sealer.seal(encodeChange(payload), context);
        return { object: payload.id, version, sealed };
      }),
    );
    return changes.filter((change) => change !== undefined);
  }

  #end(problem: Problem, failures: number): RunEnd {
    const end = endAfter(problem, failures, this.#options.parkedRetryMs);
    if (problem instanceof PageCursorRefused) return { ...end, restartPass: true };
    return problem.code === "internal_error" ? { ...end, retryAfterMs: minutes(1) } : end;
  }

  #tell(sync: Sync, outcome: string, problem?: Problem): void {
    const { organisation, server, client, id } = sync;
    const fields = { requestId: id, organisation, server, client, outcome };
    if (problem === undefined) this.#ports.log.info(fields, "sync");
    else if (problem.code === "imanage_rate_limited")
      this.#ports.log.info(
        { ...fields, code: problem.code, elapsedMs: problem.details.retryAfterMs ?? 0 },
        "sync",
      );
    else this.#ports.log.warn({ ...fields, code: problem.code, detail: problem.message }, "sync");
  }
}

const GAVE_WAY: RunEnd = { retryAfterMs: 0, code: undefined, park: false, restartPass: false };

const stoppedClient = (): Problem =>
  new Problem("not_allowed", {
    detail: "The client is stopped.",
    instead: {
      remedy: "operator",
      action: "The operator starts the client again; then it goes on by itself.",
    },
  });

/** iManage no longer takes the page cursor it gave: it was another user's, or has grown too old. */
class PageCursorRefused extends Problem {}

/** Which of our problems an answer is. Reasons are words of ours, never iManage's. */
function problemOf(answer: Exclude<ApiOutcome<never>, { kind: "ok" }>, cursor: Running): Problem {
  switch (answer.kind) {
    case "unauthorized":
      return new Problem("token_rejected_again");
    case "forbidden":
      return new Problem("not_library_admin");
    case "throttled":
      return new Problem("imanage_rate_limited", { retryAfterMs: answer.retryAfterMs });
    case "unavailable": {
      const detail = `iManage's list of documents: ${answer.reason}.`;
      // Whoever may not even know of a library is answered like this (`ImanageApi.listLibraries`).
      if (answer.reason === "status_404") return new Problem("not_library_admin", { detail });
      const stale = answer.reason === "status_400" || answer.reason === "cursor_stuck";
      return stale && cursor.pass.page !== undefined
        ? new PageCursorRefused("imanage_unavailable", { detail })
        : new Problem("imanage_unavailable", { detail });
    }
  }
}
