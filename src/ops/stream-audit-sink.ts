import type { AuditSink } from "../broker/audit/ports.ts";
import { linesOf } from "../domain/audit-entry.ts";

/** What the stream refused, by its code alone (`EPIPE` …). */
export class AuditStreamError extends Error {
  readonly code: string;

  constructor(code: string) {
    super(`the audit cannot be written to standard output: ${code}`);
    this.name = "AuditStreamError";
    this.code = code;
  }
}

/**
 * The audit as JSON lines on a stream, standard output in practice, for whoever collects a container's output. Acknowledged
 * is what the stream has taken: from there on it is the collector's, which is as far as a process can know.
 */
export function makeStreamAuditSink(
  stream: Pick<NodeJS.WritableStream, "write" | "on" | "off">,
): AuditSink & { close(): Promise<void> } {
  // Whoever waits for the write is told. Without a listener the same error would end the process, and tokens with it.
  const told = (): void => {};
  stream.on("error", told);
  return {
    write: (batch) =>
      new Promise((resolve, reject) => {
        stream.write(linesOf(batch), (error?: (Error & { code?: string }) | null) => {
          if (error) reject(new AuditStreamError(error.code ?? "unknown"));
          else resolve();
        });
      }),
    close: async () => void stream.off("error", told),
  };
}
