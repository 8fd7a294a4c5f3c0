import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { type AuditJournal, readLine } from "../domain/audit-entry.ts";
import { ExpectedFault } from "./expected-fault.ts";
import { reasonOf } from "./files.ts";

/** Lines of one journal that stand together in a file: a batch, as far as nobody has torn it. */
interface Segment {
  readonly file: string;
  readonly journal: AuditJournal | "";
  readonly first: number;
  readonly start: number;
  end: number;
}

/**
 * The lines of exported files, batch by batch in the order of the journals' numbers: rotation leaves names in any order, and
 * several workers leave several files, each with a part of every journal. Within a batch nothing is put in order. Holds a few
 * numbers for each batch, not its lines.
 */
export async function* linesInOrder(files: readonly string[]): AsyncIterable<string> {
  const segments: Segment[] = [];
  for (const file of files) for await (const segment of segmentsOf(file)) segments.push(segment);
  // Of those that begin alike the one that was named, and stands, first: sorting is stable.
  segments.sort((a, b) => (a.journal === b.journal ? a.first - b.first : a.journal < b.journal ? -1 : 1));
  for (const { file, start, end } of segments) yield* linesOf(file, start, end);
}

export async function* linesOfAll(files: readonly string[]): AsyncIterable<string> {
  for (const file of files) yield* linesOf(file);
}

async function* segmentsOf(file: string): AsyncIterable<Segment> {
  let open: Segment | undefined;
  for await (const { text, start, end } of placedLines(file)) {
    const line = readLine(text);
    if (line.kind === "other") {
      if (open === undefined) yield { file, journal: "", first: 0, start, end };
      else open.end = end;
      continue;
    }
    if (open !== undefined && open.journal !== line.journal) {
      yield open;
      open = undefined;
    }
    // A signature that stands alone is about what has been before it.
    const first = line.kind === "entry" ? line.entry.sequence : line.sequence + 0.5;
    open ??= { file, journal: line.journal, first, start, end };
    open.end = end;
    if (line.kind === "checkpoint") {
      yield open;
      open = undefined;
    }
  }
  if (open !== undefined) yield open;
}

const NEWLINE = 0x0a;

/** Each line with its place: first byte, and the one behind its last. */
async function* placedLines(file: string): AsyncIterable<{ text: string; start: number; end: number }> {
  let start = 0;
  let rest = Buffer.alloc(0);
  const stream = createReadStream(file, { highWaterMark: 1 << 20 });
  try {
    for await (const chunk of stream) {
      const bytes = Buffer.concat([rest, chunk as Buffer]);
      let from = 0;
      for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, from)) {
        yield { text: bytes.toString("utf8", from, at), start: start + from, end: start + at };
        from = at + 1;
      }
      start += from;
      rest = bytes.subarray(from);
    }
  } catch (error) {
    throw unreadable(file, error);
  } finally {
    stream.destroy();
  }
  if (rest.length > 0) yield { text: rest.toString("utf8"), start, end: start + rest.length };
}

async function* linesOf(file: string, start = 0, end?: number): AsyncIterable<string> {
  if (end === start) return;
  const stream = createReadStream(file, { start, ...(end !== undefined && { end: end - 1 }) });
  try {
    yield* createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  } catch (error) {
    throw unreadable(file, error);
  } finally {
    stream.destroy();
  }
}

const unreadable = (file: string, error: unknown): Error =>
  error instanceof ExpectedFault ? error : new ExpectedFault(`${file} cannot be read: ${reasonOf(error)}.`);
