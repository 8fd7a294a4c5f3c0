import type { ApiOutcome } from "../broker/authorization/ports.ts";
import { Problem } from "../domain/problem.ts";
import { withLentToken } from "./lent-token.ts";
import type { LibraryDocument, LibraryPath } from "./library-source.ts";
import type { Sync, SyncPorts, SyncToken, SyncTokenRequest } from "./ports.ts";
import { problemOf } from "./refusals.ts";

/** Under way at one server for one sync. */
const LOADS_AT_ONCE = 4;

export interface Called<T> {
  readonly token: SyncToken;
  readonly answer: Exclude<ApiOutcome<T>, { kind: "unauthorized" }>;
}

/**
 * The one way of a sync to iManage: a token of this very moment, then the calls. A token that iManage refuses is reported,
 * once, and replaced.
 */
export class LibraryCalls {
  readonly #ports: Pick<SyncPorts, "clients" | "documents" | "accessToken">;

  constructor(ports: Pick<SyncPorts, "clients" | "documents" | "accessToken">) {
    this.#ports = ports;
  }

  /** @throws Problem for whoever gets no token, or none that iManage takes. */
  async call<T>(
    sync: Sync,
    sequence: number,
    act: (token: SyncToken, of: LibraryPath) => Promise<ApiOutcome<T>>,
  ): Promise<Called<T>> {
    const request: SyncTokenRequest = {
      action: "sync",
      client: sync.client,
      server: sync.server,
      subject: { type: "library", id: sync.library },
      note: { actor: "worker", requestId: `${sync.id}/${sequence}`, purpose: "sync" },
    };
    if ((await this.#ports.clients.findStanding(sync.client))?.state !== "active") throw stoppedClient();
    const { token, answer } = await withLentToken(this.#ports.accessToken, request, (lent) =>
      act(lent, { customerId: lent.customerId, library: sync.library }),
    );
    if (answer.kind === "unauthorized") throw problemOf(answer, "refusal");
    return { token, answer };
  }

  /**
   * Documents by id, some at a time. What iManage does not show is left out: neither a refusal nor an absence of one object
   * says that it was deleted.
   */
  load(
    sync: Sync,
    sequence: number,
    ids: readonly string[],
  ): Promise<Called<ReadonlyMap<string, LibraryDocument>>> {
    return this.call(sync, sequence, async (token, of) => {
      const found = new Map<string, LibraryDocument>();
      const queue = ids.values();
      let failed: Exclude<ApiOutcome<never>, { kind: "ok" }> | undefined;
      const worker = async () => {
        for (const id of queue) {
          if (failed !== undefined) return;
          const answer = await this.#ports.documents.readDocument(token.server, token.accessToken, {
            ...of,
            id,
          });
          if (answer.kind === "ok") {
            if (answer.value !== undefined) found.set(id, answer.value);
          } else if (answer.kind !== "forbidden") failed ??= answer;
        }
      };
      await Promise.all(Array.from({ length: Math.min(LOADS_AT_ONCE, ids.length) }, worker));
      return failed ?? { kind: "ok", value: found };
    });
  }
}

const stoppedClient = (): Problem =>
  new Problem("not_allowed", {
    detail: "The client is stopped.",
    instead: {
      remedy: "operator",
      action: "The operator starts the client again; then it goes on by itself.",
    },
  });
