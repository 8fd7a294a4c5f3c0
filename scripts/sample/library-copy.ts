import { EventEmitter } from "node:events";

/** A document, with the fields that this app asked the broker for. */
export interface Document {
  readonly id: string;
  readonly number: number;
  readonly version: number;
  readonly name?: string;
  readonly extension?: string;
  readonly last_user?: string;
  readonly edited_at?: string;
  readonly workspace_id?: string;
  readonly workspace_name?: string;
  readonly custom1?: string;
  readonly custom2?: string;
}

export const FIELDS = [
  ...["name", "extension", "lastUser", "editedAt", "workspaceId", "workspaceName", "custom1", "custom2"],
];

export interface Change {
  readonly id: string;
  readonly kind: string;
  readonly object: string;
  /** As it is now; null: it went. */
  readonly document: Document | null;
}

/** A matter: one workspace of iManage. By habit custom1 is the client and custom2 the matter. */
export interface Matter {
  readonly id: string;
  readonly name: string;
  readonly number: string;
  readonly documents: readonly Document[];
}

/**
 * What this app knows of the library. It lies in memory; in yours, a database. What matters is that the documents, the ids
 * of the changes that made them and the cursor are written *together* (one transaction): then a change counts once, however
 * often it is read and wherever the process is killed.
 */
export class LibraryCopy extends EventEmitter<{ changed: [objects: readonly string[]] }> {
  #documents = new Map<string, Document>();
  /** Undefined: nothing is known yet, or too little to go on from: take a snapshot. */
  #cursor: string | undefined;
  readonly #applied = new Set<string>();
  #sync: string | undefined;

  get cursor(): string | undefined {
    return this.#cursor;
  }

  find(id: string): Document | undefined {
    return this.#documents.get(id);
  }

  /** A cursor is one of its sync's: another sync begins with a snapshot. */
  belongsTo(sync: string): void {
    if (sync !== this.#sync) this.forgetCursor();
    this.#sync = sync;
  }

  apply(changes: readonly Change[], cursor: string): void {
    const fresh = changes.filter(({ id }) => !this.#applied.has(id));
    for (const { id, kind, object, document } of fresh) {
      this.#applied.add(id);
      if (kind === "document.deleted") this.#documents.delete(object);
      else if (document !== null) this.#documents.set(object, document);
    }
    this.#cursor = cursor;
    if (fresh.length > 0) this.#emitChanged(fresh.map(({ object }) => object));
  }

  /** What is not in the snapshot is gone. */
  replace(documents: readonly Document[], cursor: string): void {
    const known = this.#documents;
    this.#documents = new Map(documents.map((document) => [document.id, document]));
    this.#cursor = cursor;
    this.#emitChanged([...new Set([...known.keys(), ...this.#documents.keys()])]);
  }

  /** Changes since the cursor are no longer kept. What is here stays to be seen until the next snapshot is complete. */
  forgetCursor(): void {
    this.#cursor = undefined;
  }

  matters(): readonly Matter[] {
    const byWorkspace = Map.groupBy(this.#documents.values(), ({ workspace_id }) => workspace_id ?? "");
    return [...byWorkspace]
      .map(([id, documents]) => {
        const { workspace_name = "Not in a matter", custom1, custom2 } = documents[0]!;
        const number = [custom1, custom2].filter(Boolean).join(" · ");
        return { id, name: workspace_name, number, documents: documents.toSorted(byNumber) };
      })
      .toSorted((a, b) => (a.number < b.number ? -1 : 1));
  }

  #emitChanged(objects: readonly string[]): void {
    this.emit("changed", objects);
  }
}

const byNumber = (a: Document, b: Document): number => a.number - b.number || a.version - b.version;
