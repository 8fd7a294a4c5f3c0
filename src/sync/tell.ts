import { changeContext, serverOwner } from "../broker/seal-contexts.ts";
import type { Instant } from "../domain/instant.ts";
import type { Sealed } from "../domain/sealed.ts";
import type { Server } from "../domain/server.ts";
import type { Remembering } from "./advance.ts";
import { encodeChange, type SealedChange } from "./change.ts";
import { comparedText, DOCUMENT_FIELDS, payloadOf } from "./document-fields.ts";
import type { DocumentPage, LibraryDocument } from "./library-source.ts";
import type { Remembered, Sync, SyncPage, SyncPorts } from "./ports.ts";
import { documentFields } from "./sync-fields.ts";

/** A document as it was just read, and what is known of how it came to be read. */
export interface SeenDocument {
  readonly document: LibraryDocument;
  /** The feed says that it came into being. */
  readonly came?: boolean;
  /** The feed says that its security changed. */
  readonly security?: boolean;
  readonly at?: Instant | undefined;
}

export interface Telling {
  readonly sync: Sync;
  readonly server: Server;
  readonly sequence: number;
  /** Number that objects are marked with. */
  readonly mark: number;
  /** The scan under way reads this page: what carries its number was looked at since it began, and is newer. */
  readonly scanning: boolean;
  /** It is the list of one workspace: what names no workspace lies in that one. */
  readonly ofWorkspace?: boolean;
  /** What is found outside of the workspaces has left them. Otherwise it is kept as it is until a scan that is proven says so. */
  readonly leaving: "told" | "kept";
  /** Nothing is told, all is remembered: the first scan of a sync that wants to know of changes alone. */
  readonly silent: boolean;
  /** What is not remembered may yet be old: the first scan has not met it. */
  readonly baseline: boolean;
}

export type Told = Pick<SyncPage, "changes" | "marks" | "forgotten"> &
  Remembering & {
    /** Documents that are remembered and were found outside of the workspaces. */
    readonly left: number;
  };

export const NOTHING: Told = {
  ...{ changes: [], marks: [], forgotten: [] },
  ...{ marked: 0, cameOrWent: 0, outside: 0, left: 0 },
};

export const seenOf = (document: LibraryDocument): SeenDocument => ({ document });

export const shownOn = ({
  documents,
  unreadable,
}: DocumentPage): Pick<SyncPage, "documents" | "unreadable"> => ({
  documents: documents.length + unreadable,
  unreadable,
});

/** Characters of a digest that are kept, for each of a million objects: 96 bits. */
const VERSION_LENGTH = 16;

/** Turns what was read into changes, and into what is remembered of it. */
export class Teller {
  readonly #ports: Pick<SyncPorts, "sealer" | "syncs">;

  constructor(ports: Pick<SyncPorts, "sealer" | "syncs">) {
    this.#ports = ports;
  }

  /**
   * What is new of these documents, in their order; and `gone`, of which the feed or a proven scan says so. A document that
   * stands in the page twice is told as it stands there last. `others` are no documents: nothing is remembered of them.
   */
  async tell(
    of: Telling,
    seen: readonly SeenDocument[],
    gone: readonly { readonly object: string; readonly at: Instant | undefined }[],
    others: readonly SealedChange[] = [],
  ): Promise<Told> {
    const { sync, mark } = of;
    const last = new Map<string, SeenDocument>();
    for (const one of seen) last.set(one.document.id, one);
    const documents = [...last.values()];
    const ids = [...last.keys(), ...gone.map(({ object }) => object)];
    const known = await this.#ports.syncs.remembered(sync.id, ids);
    const changes: SealedChange[] = [];
    const marks: [string, Remembered][] = [];
    const forgotten: string[] = [];
    let [marked, cameOrWent, outside, left] = [0, 0, 0, 0];

    const forget = (object: string, before: Remembered, at: Instant | undefined) => {
      forgotten.push(object);
      cameOrWent++;
      if (before.scan === mark) marked--;
      // Who wants security alone was never told of the document.
      if (sync.wish.wants.includes("documents")) changes.push({ kind: "document.deleted", object, at });
    };

    // Keyed: whoever reads the store cannot try out names until one fits.
    const asked = documentFields(sync.fields);
    const fields = asked ?? DOCUMENT_FIELDS;
    const texts = documents.map(({ document }) => comparedText(document, fields));
    const digests = await this.#ports.sealer.digests(serverOwner(of.server), texts);

    for (const [i, one] of documents.entries()) {
      const { document } = one;
      const before = known[i];
      if (of.scanning && before?.scan === mark) continue;
      const at = one.at ?? document.editedAt;
      if (!isWithin(sync, document, of.ofWorkspace === true || before !== undefined)) {
        outside++;
        if (before !== undefined) left++;
        if (before !== undefined && of.leaving === "told") forget(document.id, before, at);
        continue;
      }
      const version = digests[i]!.slice(0, VERSION_LENGTH);
      if (before?.scan !== mark) marked++;
      if (before === undefined) cameOrWent++;
      if (before?.version !== version || before.scan !== mark)
        marks.push([document.id, { version, scan: mark }]);
      if (of.silent) continue;

      const isSecurity = one.security === true && sync.wish.wants.includes("security");
      if (before?.version === version && !isSecurity) continue;
      const payload = payloadOf(document, asked);
      const change = { object: document.id, at, actor: document.lastUser, document: payload };
      const { wants } = sync.wish;
      if (before?.version !== version && wants.includes("documents")) {
        const isNew = before === undefined && (one.came === true || !of.baseline || of.scanning);
        changes.push({ kind: isNew ? "document.created" : "document.changed", ...change });
      }
      if (isSecurity) {
        changes.push({ kind: "document.security_changed", ...change });
      }
    }
    for (const [i, { object, at }] of gone.entries()) {
      const before = known[documents.length + i];
      if (before !== undefined) forget(object, before, at);
    }
    changes.push(...others);
    const sealed = of.silent ? [] : await this.#seal(of, changes);
    return { changes: sealed, marks, forgotten, marked, cameOrWent, outside, left };
  }

  #seal(of: Telling, changes: readonly SealedChange[]): Promise<readonly Sealed[]> {
    const context = changeContext(of.server, of.sync.id, of.sequence);
    return Promise.all(changes.map((change) => this.#ports.sealer.seal(encodeChange(change), context)));
  }
}

/** @param otherwise where iManage does not say in which workspace it lies: what was inside stays inside until it says more. */
const isWithin = (
  { wish: { workspaces } }: Sync,
  { workspaceId }: LibraryDocument,
  otherwise: boolean,
): boolean =>
  workspaces === undefined || (workspaceId === undefined ? otherwise : workspaces.includes(workspaceId));
