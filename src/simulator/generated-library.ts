import { z } from "zod";
import type { Folder, Workspace } from "./containers.ts";
import type { Document } from "./documents.ts";
import { fraction, pick, seeded } from "./seeded.ts";
import { AllSlotsBut, everySlot, type Selection, Slots, SomeSlots } from "./slots.ts";

/** How a library comes to be that nobody could write down. Everything else about it follows. */
export const recipeSchema = z.strictObject({
  documents: z.int().min(0).max(1_000_000),
  /** One for every 150 documents, unless given. */
  workspaces: z.int().min(1).max(20_000).optional(),
  seed: z.int().default(1),
  /** Numbers run from here without a gap. */
  first_number: z.int().positive().default(1001),
  /** Who writes the documents; the private ones are theirs alone. */
  people: z.array(z.string().min(1)).min(1).default(["amelia.hart", "b.okafor", "clara.voss", "e.moreau"]),
  private_share: z.number().min(0).max(1).default(0.05),
  /** Edit dates rise with the numbers, between these two. */
  first_edit: z.iso.datetime().default("2023-01-02T08:00:00.000Z"),
  last_edit: z.iso.datetime().default("2026-09-01T08:00:00.000Z"),
});

export type Recipe = z.output<typeof recipeSchema>;

/** What is asked of each hash is different: [salt]. */
const SALT = {
  slots: 1,
  workspace: 2,
  folder: 3,
  author: 4,
  private: 5,
  title: 6,
  time: 7,
  size: 8,
  client: 9,
};
const DAY = 86_400_000;
/** A workspace and its folders take numbers of one such row. */
const CONTAINER_NUMBERS = 8;
const DOCUMENTS_A_WORKSPACE = 150;

/** Each document, workspace and folder is a pure function of seed and number: none is ever kept. */
export class GeneratedLibrary {
  readonly recipe: Recipe;
  readonly workspaces: number;
  readonly #id: string;
  readonly #slots: Slots;
  readonly #workspaceOfSlot: Int32Array;
  readonly #firstEdit: number;
  readonly #step: number;
  readonly #hiddenFrom = new Map<string, readonly number[]>();

  constructor(id: string, recipe: Recipe) {
    this.#id = id;
    this.recipe = recipe;
    this.workspaces =
      recipe.workspaces ??
      Math.min(20_000, Math.max(1, Math.round(recipe.documents / DOCUMENTS_A_WORKSPACE)));
    this.#slots = new Slots(Math.max(97, this.workspaces * 4), (of) => this.#fraction(SALT.slots, of));
    // Each workspace has a slot; the others fall to few of them, as matters differ in size.
    this.#workspaceOfSlot = Int32Array.from({ length: this.#slots.size }, (_, slot) =>
      slot < this.workspaces ? slot : Math.floor(this.workspaces * this.#fraction(SALT.workspace, slot) ** 2),
    );
    this.#firstEdit = Date.parse(recipe.first_edit);
    this.#step = (Date.parse(recipe.last_edit) - this.#firstEdit) / Math.max(1, recipe.documents);
  }

  get documents(): number {
    return this.recipe.documents;
  }

  numberOf(index: number): number {
    return this.recipe.first_number + index;
  }

  /** The index of the document of this id, unless the recipe has none. */
  indexOf(id: string): number | undefined {
    const [, number] = /!(\d+)\.1$/.exec(id) ?? [];
    const index = Number(number ?? Number.NaN) - this.recipe.first_number;
    return index >= 0 && index < this.documents && id === this.#documentId(index) ? index : undefined;
  }

  editedAt(index: number): number {
    return Math.floor(this.#firstEdit + (index + this.#fraction(SALT.time, index) * 0.999) * this.#step);
  }

  /** The first index that was edited then or later. */
  firstEditedFrom(at: number): number {
    const guess = Math.floor((at - this.#firstEdit) / Math.max(this.#step, Number.MIN_VALUE));
    let index = Math.min(this.documents, Math.max(0, guess - 1));
    while (index > 0 && this.editedAt(index - 1) >= at) index -= 1;
    while (index < this.documents && this.editedAt(index) < at) index += 1;
    return index;
  }

  slotOf(index: number): number {
    return this.#slots.slotOf(index);
  }

  /** What a user sees (everything, if none is given), of one workspace or folder if one is given. */
  select(userId: string | undefined, containerId: string | undefined): Selection {
    const hidden = userId === undefined ? [] : this.#hidden(userId);
    if (containerId === undefined)
      return hidden.length === 0 ? everySlot : new AllSlotsBut(this.#slots, hidden);
    const place = this.#containerOf(containerId);
    if (place === undefined) return new SomeSlots(this.#slots, []);
    const unseen = new Set(hidden);
    const chosen: number[] = [];
    this.#workspaceOfSlot.forEach((workspace, slot) => {
      if (workspace !== place.workspace || unseen.has(slot)) return;
      if (place.folder === 0 || this.#folderOfSlot(slot) === place.folder) chosen.push(slot);
    });
    return new SomeSlots(this.#slots, chosen);
  }

  documentAt(index: number): Document {
    const slot = this.slotOf(index);
    const workspace = this.#workspaceOfSlot[slot]!;
    const number = this.numberOf(index);
    const { custom1, custom2, name: workspaceName } = this.#matter(workspace);
    const edited = this.editedAt(index);
    const at = new Date(edited).toISOString();
    const created = new Date(
      edited - Math.floor(this.#fraction(SALT.time, index, 1) ** 3 * 90 * DAY),
    ).toISOString();
    const [title, extension, documentClass] = pick(TITLES, this.recipe.seed, SALT.title, index);
    const author = this.#authorOfSlot(slot);
    const lastUser = pick(this.recipe.people, this.recipe.seed, SALT.author, index);
    const visibleTo = this.#visibleTo(slot);
    return {
      id: this.#documentId(index),
      database: this.#id,
      document_number: number,
      version: 1,
      name: `${title} ${1 + (seeded(this.recipe.seed, SALT.title, index, 1) % 40)}`,
      extension,
      // Most are small, a few are huge.
      size: Math.floor(6_000 * Math.exp(8 * this.#fraction(SALT.size, index) ** 1.5)),
      class: documentClass,
      author: author.toUpperCase(),
      operator: author.toUpperCase(),
      last_user: lastUser.toUpperCase(),
      create_date: created,
      edit_date: at,
      edit_profile_date: at,
      file_edit_date: at,
      workspace_id: this.#containerId(workspace, 0),
      workspace_name: workspaceName,
      default_security: visibleTo === "everyone" ? "public" : "private",
      access: "full",
      iwl: `iwl:dms=simulator&&lib=${this.#id}&&num=${number}&&ver=1`,
      wstype: "document",
      is_checked_out: seeded(this.recipe.seed, SALT.size, index, 1) % 100 === 0,
      custom1,
      custom2,
      folder_id: this.#containerId(workspace, this.#folderOfSlot(slot)),
      visible_to: visibleTo === "everyone" ? visibleTo : [...visibleTo],
    };
  }

  workspaceAt(workspace: number): Workspace {
    const { custom1, custom2, name } = this.#matter(workspace);
    const opened = new Date(
      this.#firstEdit - (seeded(this.recipe.seed, SALT.client, workspace, 3) % 400) * DAY,
    );
    return {
      id: this.#containerId(workspace, 0),
      database: this.#id,
      name,
      description: "",
      owner: pick(this.recipe.people, this.recipe.seed, SALT.author, workspace, 1).toUpperCase(),
      create_date: opened.toISOString(),
      edit_date: opened.toISOString(),
      default_security: "public",
      custom1,
      custom2,
      wstype: "workspace",
      visible_to: "everyone",
    };
  }

  foldersOf(workspace: number): Folder[] {
    const { create_date, owner, id } = this.workspaceAt(workspace);
    return FOLDERS.slice(0, this.#folderCount(workspace)).map(([name, inside], i) => ({
      id: this.#containerId(workspace, i + 1),
      database: this.#id,
      name,
      owner,
      parent_id: inside === 0 ? id : this.#containerId(workspace, inside),
      workspace_id: id,
      folder_type: "regular",
      create_date,
      edit_date: create_date,
      default_security: "inherit",
      wstype: "folder",
      visible_to: "everyone",
    }));
  }

  findWorkspace(id: string): Workspace | undefined {
    const place = this.#containerOf(id);
    return place?.folder === 0 ? this.workspaceAt(place.workspace) : undefined;
  }

  findFolder(id: string): Folder | undefined {
    const place = this.#containerOf(id);
    return place === undefined ? undefined : this.foldersOf(place.workspace)[place.folder - 1];
  }

  /** No container of the recipe has a higher number. */
  get highestContainer(): number {
    return this.workspaces * CONTAINER_NUMBERS;
  }

  workspaceId(workspace: number): string {
    return this.#containerId(workspace, 0);
  }

  /** Folders that lie directly in a workspace or a folder. */
  foldersIn(parentId: string): Folder[] {
    const place = this.#containerOf(parentId);
    return place === undefined
      ? []
      : this.foldersOf(place.workspace).filter(({ parent_id }) => parent_id === parentId);
  }

  #containerOf(id: string): { workspace: number; folder: number } | undefined {
    const [, number] = /!(\d+)$/.exec(id) ?? [];
    const from0 = Number(number ?? Number.NaN) - 1;
    const workspace = Math.floor(from0 / CONTAINER_NUMBERS);
    const folder = from0 % CONTAINER_NUMBERS;
    const known = workspace >= 0 && workspace < this.workspaces && folder <= this.#folderCount(workspace);
    return known && id === this.#containerId(workspace, folder) ? { workspace, folder } : undefined;
  }

  #containerId(workspace: number, folder: number): string {
    return `${this.#id}!${1 + workspace * CONTAINER_NUMBERS + folder}`;
  }

  #documentId(index: number): string {
    return `${this.#id}!${this.numberOf(index)}.1`;
  }

  #folderCount(workspace: number): number {
    return 2 + (seeded(this.recipe.seed, SALT.folder, workspace) % (FOLDERS.length - 1));
  }

  #folderOfSlot(slot: number): number {
    const workspace = this.#workspaceOfSlot[slot]!;
    return 1 + (seeded(this.recipe.seed, SALT.folder, slot, 1) % this.#folderCount(workspace));
  }

  #authorOfSlot(slot: number): string {
    return pick(this.recipe.people, this.recipe.seed, SALT.author, slot, 2);
  }

  #visibleTo(slot: number): readonly string[] | "everyone" {
    return this.#fraction(SALT.private, slot) < this.recipe.private_share
      ? [this.#authorOfSlot(slot)]
      : "everyone";
  }

  #hidden(userId: string): readonly number[] {
    let hidden = this.#hiddenFrom.get(userId);
    if (hidden === undefined) {
      const found: number[] = [];
      for (let slot = 0; slot < this.#slots.size; slot++) {
        const to = this.#visibleTo(slot);
        if (to !== "everyone" && !to.includes(userId)) found.push(slot);
      }
      hidden = found;
      if (this.#hiddenFrom.size >= 64) this.#hiddenFrom.clear();
      this.#hiddenFrom.set(userId, hidden);
    }
    return hidden;
  }

  #matter(workspace: number): { custom1: string; custom2: string; name: string } {
    const client = Math.floor(workspace / 4);
    const named = `${pick(CLIENTS, this.recipe.seed, SALT.client, client)} ${pick(FORMS, this.recipe.seed, SALT.client, client, 1)}`;
    return {
      custom1: String(10_001 + client),
      custom2: String(1 + (workspace % 4)).padStart(4, "0"),
      name: `${named} – ${pick(MATTERS, this.recipe.seed, SALT.client, workspace, 2)}`,
    };
  }

  #fraction(...of: number[]): number {
    return fraction(this.recipe.seed, ...of);
  }
}

const TITLES = [
  ["Share purchase agreement", "docx", "AGR"],
  ["Disclosure letter", "docx", "LTR"],
  ["Board minutes", "docx", "MIN"],
  ["Completion checklist", "xlsx", "DOC"],
  ["Witness statement", "docx", "DOC"],
  ["Skeleton argument", "docx", "DOC"],
  ["Exhibit bundle", "pdf", "DOC"],
  ["Letter before action", "docx", "LTR"],
  ["Re: draft for your comments", "msg", "E-MAIL"],
  ["Fw: signature pages", "msg", "E-MAIL"],
  ["Attendance note", "docx", "DOC"],
  ["Lease", "pdf", "AGR"],
] as const;

/** Name, and the folder it lies in: 0 is the workspace itself. */
const FOLDERS = [
  ["Correspondence", 0],
  ["Agreements", 0],
  ["Drafts", 2],
  ["Due diligence", 0],
  ["Court documents", 0],
  ["Billing", 0],
] as const;

const CLIENTS = [
  "Northgate",
  "Castor",
  "Pell",
  "Averill",
  "Brennan",
  "Coldwater",
  "Dunmore",
  "Ellery",
  "Fenwick",
];
const FORMS = ["Holdings", "Shipping", "Estates", "Energy", "& Sons", "Pharma", "Bank", "Insurance"];
const MATTERS = [
  "Acquisition",
  "Charter dispute",
  "Refinancing",
  "Licence",
  "Merger",
  "Arbitration",
  "Tax advice",
];
