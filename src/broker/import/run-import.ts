import { makeId, routeOf } from "../../domain/id.ts";
import { type ImportFile, isImportFault, type RowFault } from "../../domain/import.ts";
import type { Milliseconds } from "../../domain/instant.ts";
import type { AuditNote, Random } from "../ports.ts";
import { refreshTokenContext } from "../seal-contexts.ts";
import { type ImportTarget, type PlannedRow, type PlanPorts, planImport } from "./plan-import.ts";
import type { ImportedGrant, ImportedPosition, ImportStore } from "./ports.ts";
import { ImportFault } from "./read-import.ts";

export interface ImportPorts extends PlanPorts {
  readonly random: Random;
  readonly imports: ImportStore;
  /** Writes the hint for the workers anew. */
  readonly schedule: { restateHint(organisation: ImportTarget["server"]["organisation"]): Promise<void> };
}

export interface ImportResult {
  readonly imported: number;
  readonly renewed: number;
  readonly same: number;
  readonly faults: readonly RowFault[];
  readonly skipped: number;
}

/** Side by side: Redis answers a batch in some milliseconds, and progress is told after each. */
const BATCH = 50;
const TRIES = 4;

/**
 * Brings a file's tokens in and holds them: nothing is sent, so the system that kept them goes on meanwhile. Killed anywhere, it is run
 * again with the same file or a newer one: what is here already is known by its fingerprint.
 */
export async function runImport(
  ports: ImportPorts,
  target: ImportTarget,
  file: ImportFile,
  note: AuditNote,
  progress: (done: number, of: number) => void = () => {},
): Promise<ImportResult> {
  const plan = await planImport(ports, target, file);
  const counts = { imported: 0, renewed: 0, same: 0 };
  const faults = [...plan.faults];
  for (let i = 0; i < plan.rows.length; i += BATCH) {
    const batch = plan.rows.slice(i, i + BATCH);
    const said = await Promise.all(batch.map((row) => put(ports, target, row, note)));
    for (const [j, word] of said.entries()) {
      if (isImportFault(word)) faults.push({ line: batch[j]!.row.line, code: word });
      else counts[word] += 1;
    }
    progress(Math.min(i + BATCH, plan.rows.length), plan.rows.length);
  }
  return { ...counts, faults: faults.sort((a, b) => a.line - b.line), skipped: plan.skipped };
}

/** Two imports at once may meet: what was another by then is looked at again. */
async function put(ports: ImportPorts, { server }: ImportTarget, planned: PlannedRow, note: AuditNote) {
  let one: Pick<PlannedRow, "as" | "grant"> = planned;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    if (one.as === "same") return "same" as const;
    const grant =
      one.as === "renews"
        ? one.grant!
        : makeId("grt", routeOf(server.organisation), ports.clock.now(), ports.random.bytes(16));
    const refreshToken = await ports.sealer.seal(
      planned.row.refreshToken,
      refreshTokenContext({ grant, server, consentGeneration: 1, attempt: 0 }),
    );
    const { fingerprint, user, binding, endsAt } = planned;
    const said = await ports.imports.put(
      server,
      { grant, as: one.as, refreshToken, refreshTokenEndsAt: endsAt, fingerprint, user, binding },
      note,
    );
    if (said !== "again") return said;
    const [found] = await ports.imports.look(server.id, [planned]);
    if (isImportFault(found!.verdict)) return found!.verdict;
    one = { as: found!.verdict, grant: found!.grant };
  }
  return "person_twice" as const;
}

export interface OpenResult extends ImportResult {
  readonly opened: number;
  /** Opened before. */
  readonly before: number;
  /** Held, and not in this file, or behind `first`. */
  readonly left: number;
}

/**
 * The last step: brings in what is newer in the newest file, and opens what has the token of that file. From then on these are
 * refreshed here, and the system that kept them must not use them any more.
 */
export async function openImport(
  ports: ImportPorts,
  target: ImportTarget,
  file: ImportFile,
  terms: { readonly first: number; readonly overMs: Milliseconds; readonly note: AuditNote },
  progress: (done: number, of: number) => void = () => {},
): Promise<OpenResult> {
  const { server } = target;
  const result = await runImport(ports, target, file, terms.note);
  const { rows } = await planImport(ports, target, file);
  const held = rows.filter((one) => one.as === "same" && one.held).slice(0, terms.first);
  await careful(ports, server, held.length);
  let opened = 0;
  const pages = Math.ceil(held.length / OPEN_AT_ONCE);
  for (let i = 0; i < held.length; i += OPEN_AT_ONCE) {
    const page = held
      .slice(i, i + OPEN_AT_ONCE)
      .map(({ grant, fingerprint }) => ({ grant: grant!, fingerprint }));
    // Each page's first refreshes in its own part of the time, so that iManage is not asked for all at once.
    const said = await ports.imports.open(
      server.id,
      page,
      (terms.overMs * (i / OPEN_AT_ONCE + 1)) / pages,
      terms.note,
    );
    opened += said.filter((word) => word === "opened").length;
    progress(i + page.length, held.length);
  }
  await ports.schedule.restateHint(server.organisation);
  const left = (await standing(ports, target.server)).held;
  return { ...result, opened, before: rows.filter((one) => one.as === "same" && !one.held).length, left };
}

const OPEN_AT_ONCE = 100;
/** More than these are opened only when few have shown that the other system has stopped. */
const CAREFUL = 100;

/**
 * Where the other system goes on, or the file is old, a strict server ends each authorization that is opened. That must cost few people
 * and not all of them.
 */
async function careful(ports: ImportPorts, server: ImportTarget["server"], many: number): Promise<void> {
  if (many <= CAREFUL) return;
  const { verified, refused } = await standing(ports, server);
  if (verified === 0)
    throw new ImportFault(
      `Nothing that was imported has been refreshed here yet, and ${many} would be opened. Begin with few: --first 10. When \`cli import status\` says Verified, open the others.`,
    );
  if (refused.length * 10 > verified)
    throw new ImportFault(
      `iManage refused ${refused.length} of ${refused.length + verified} that were opened before: the other system has used these tokens since, or the export is old. Stop it, export again, and open a few with that: --first 10.`,
    );
}

/** How far an import is. */
export interface ImportStanding {
  readonly held: number;
  /** Opened, and nothing was sent yet: may be taken out again. */
  readonly opened: number;
  /** iManage did not accept its token: the other system has used it since, or it was broken there. */
  readonly refused: readonly ImportedGrant[];
  /** Refreshed or tried, and iManage has not said yet whose it is. */
  readonly waiting: readonly ImportedGrant[];
  readonly verified: number;
  readonly quarantined: readonly ImportedGrant[];
  /** Ended, or taken over by their person's own consent. */
  readonly over: number;
}

export async function standing(
  { imports }: { readonly imports: Pick<ImportStore, "list"> },
  server: ImportTarget["server"],
): Promise<ImportStanding> {
  const waiting: ImportedGrant[] = [];
  const refused: ImportedGrant[] = [];
  const quarantined: ImportedGrant[] = [];
  let [held, opened, verified, over] = [0, 0, 0, 0];
  for await (const one of everyImported(imports, server)) {
    if (one.state === "held") held += 1;
    else if (one.state === "unverified" && !one.sent) opened += 1;
    else if (one.state === "unverified" && one.grantState !== "active") refused.push(one);
    else if (one.state === "unverified") waiting.push(one);
    else if (one.state === "verified") verified += 1;
    else if (one.state === undefined) over += 1;
    else quarantined.push(one);
  }
  return { held, opened, refused, waiting, verified, quarantined, over };
}

export interface UndoResult {
  readonly undone: number;
  /** Refreshed here: the system that kept them has nothing that iManage accepts any more. */
  readonly spent: readonly ImportedGrant[];
}

/** The way back: takes out everything whose token was never sent from here. Nothing is revoked. */
export async function undoImport(
  { imports }: { readonly imports: Pick<ImportStore, "list" | "undo"> },
  server: ImportTarget["server"],
  note: AuditNote,
  progress: (done: number) => void = () => {},
): Promise<UndoResult> {
  const all: ImportedGrant[] = [];
  for await (const one of everyImported(imports, server))
    if (one.there && one.state !== undefined) all.push(one);
  const spent: ImportedGrant[] = [];
  let undone = 0;
  for (let i = 0; i < all.length; i += BATCH) {
    const batch = all.slice(i, i + BATCH);
    const said = await Promise.all(batch.map(({ grant }) => imports.undo(server.id, grant, note)));
    undone += said.filter((word) => word === "undone").length;
    spent.push(...batch.filter((_, j) => said[j] === "spent"));
    progress(i + batch.length);
  }
  return { undone, spent };
}

async function* everyImported(
  imports: Pick<ImportStore, "list">,
  server: ImportTarget["server"],
): AsyncIterable<ImportedGrant> {
  let after: ImportedPosition | undefined;
  for (;;) {
    const page = await imports.list(server.id, after, LISTED_AT_ONCE);
    yield* page;
    after = page.at(-1);
    if (page.length < LISTED_AT_ONCE) return;
  }
}

const LISTED_AT_ONCE = 500;
