import { type FileHandle, mkdir, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { AuditSink } from "../broker/audit/ports.ts";
import { linesOf } from "../domain/audit-entry.ts";

export interface FileAuditSink extends AuditSink {
  /** Waits for batches under way and lets go of the file. A later `write` opens it again. */
  close(): Promise<void>;
}

/** What the file system refused, by its code alone (`ENOSPC`, `EACCES` …). */
export class AuditFileError extends Error {
  readonly code: string;

  constructor(code: string) {
    super(`the audit file cannot be written: ${code}`);
    this.name = "AuditFileError";
    this.code = code;
  }
}

/**
 * Appends the audit to a file, one JSON object per line. A batch is one write and one fdatasync, and `write` resolves
 * only after both: what was acknowledged survives a crash. After one that came between write and acknowledgement a batch
 * is written again: its organisation, or journal, and sequence name an entry, and readers drop the second.
 *
 * The file may be rotated by renaming or removing it; the next batch begins a new one. One process writes to a file.
 */
export function makeFileAuditSink(path: string): FileAuditSink {
  let file: FileHandle | undefined;
  /** Settles with the batch before. Batches never run into one another, and one that fails does not stop the next. */
  let last: Promise<unknown> = Promise.resolve();

  const inTurn = <T>(act: () => Promise<T>): Promise<T> => {
    const done = last.then(act);
    last = done.catch(() => {});
    return done;
  };

  const letGo = async (): Promise<void> => {
    const held = file;
    file = undefined;
    await held?.close();
  };

  /** The file that is at `path` now: it may be another than before, or none. */
  const current = async (): Promise<FileHandle> => {
    if (file !== undefined) {
      const [ours, there] = await Promise.all([file.stat(), stat(path).catch(() => undefined)]);
      if (there !== undefined && there.ino === ours.ino && there.dev === ours.dev) return file;
      await letGo();
    }
    file = await openDurably(path);
    return file;
  };

  return {
    write: (batch) =>
      inTurn(async () => {
        try {
          const target = await current();
          await writeAll(target, Buffer.from(`${await mending(target)}${linesOf(batch)}`));
          await target.datasync();
        } catch (error) {
          // Opened anew next time: whatever state this handle is in, nobody needs to know.
          await letGo().catch(() => {});
          throw new AuditFileError(codeOf(error));
        }
      }),
    close: () => inTurn(letGo),
  };
}

/** A newline where the file ends in the middle of a line: a crash or a full disk tore it. The torn batch was never acknowledged. */
async function mending(file: FileHandle): Promise<"" | "\n"> {
  const { size } = await file.stat();
  if (size === 0) return "";
  const { buffer, bytesRead } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return bytesRead === 1 && buffer[0] !== NEWLINE ? "\n" : "";
}

const NEWLINE = 0x0a;

/** One write, unless the system takes only a part of it. */
async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at);
    at += bytesWritten;
  }
}

/** Opened for appending, closed to everyone else, and its name kept on the disk as well as its content. */
async function openDurably(path: string): Promise<FileHandle> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(path, "a+", 0o600);
  try {
    const folder = await open(dirname(path), "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === "string" && /^[A-Z][A-Z0-9_]{1,40}$/.test(code) ? code : "unknown";
}
