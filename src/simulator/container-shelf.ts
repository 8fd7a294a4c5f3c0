import { containerNumber, type Folder, type Workspace } from "./containers.ts";
import type { GeneratedLibrary } from "./generated-library.ts";
import type { Library } from "./libraries.ts";

/** Workspaces and folders of a library: those that are kept lie over those that its recipe makes. */
export class ContainerShelf {
  readonly #library: Library;
  readonly #made: GeneratedLibrary | undefined;

  constructor(library: Library, made: GeneratedLibrary | undefined) {
    this.#library = library;
    this.#made = made;
  }

  findWorkspace(id: string): Workspace | undefined {
    const kept = this.#library.workspaces.find((known) => known.id === id);
    return kept ?? (this.#isRemoved(id) ? undefined : this.#made?.findWorkspace(id));
  }

  findFolder(id: string): Folder | undefined {
    const kept = this.#library.folders.find((known) => known.id === id);
    return kept ?? (this.#isRemoved(id) ? undefined : this.#made?.findFolder(id));
  }

  /** By number. Made ones come one at a time, so that a page costs a page. */
  *workspaces(): Generator<Workspace> {
    const kept = [...this.#library.workspaces].sort((a, b) => containerNumber(a.id) - containerNumber(b.id));
    const overlaid = new Set([...kept.map(({ id }) => id), ...this.#library.removed_containers]);
    for (let i = 0; i < (this.#made?.workspaces ?? 0); i++) {
      const id = this.#made!.workspaceId(i);
      while (kept[0] !== undefined && containerNumber(kept[0].id) <= containerNumber(id)) yield kept.shift()!;
      if (!overlaid.has(id)) yield this.#made!.workspaceAt(i);
    }
    yield* kept;
  }

  /** Those directly inside a workspace or a folder. */
  foldersIn(parentId: string): Folder[] {
    const made = this.#made?.foldersIn(parentId) ?? [];
    const overlaid = new Set([
      ...this.#library.folders.map(({ id }) => id),
      ...this.#library.removed_containers,
    ]);
    return [
      ...made.filter(({ id }) => !overlaid.has(id)),
      ...this.#library.folders.filter(({ parent_id }) => parent_id === parentId),
    ].sort((a, b) => containerNumber(a.id) - containerNumber(b.id));
  }

  put(container: Workspace | Folder): void {
    const all: (Workspace | Folder)[] =
      container.wstype === "workspace" ? this.#library.workspaces : this.#library.folders;
    const known = all.find(({ id }) => id === container.id);
    if (known === undefined) all.push(container);
    else Object.assign(known, container);
    const removed = this.#library.removed_containers.indexOf(container.id);
    if (removed >= 0) this.#library.removed_containers.splice(removed, 1);
  }

  remove(id: string): void {
    for (const all of [this.#library.workspaces, this.#library.folders] as { id: string }[][]) {
      const index = all.findIndex((known) => known.id === id);
      if (index >= 0) all.splice(index, 1);
    }
    const made = this.#made?.findWorkspace(id) ?? this.#made?.findFolder(id);
    if (made !== undefined && !this.#isRemoved(id)) this.#library.removed_containers.push(id);
  }

  #isRemoved(id: string): boolean {
    return this.#library.removed_containers.includes(id);
  }
}
