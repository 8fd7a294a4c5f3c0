import { readFile } from "node:fs/promises";
import type { AuditLimits } from "../broker/audit/keep-audit.ts";
import type { AuditSink } from "../broker/audit/ports.ts";
import type { Timers } from "../broker/ports.ts";
import { type Settings, SettingsError } from "../config/settings.ts";
import { days } from "../domain/instant.ts";
import { Secret } from "../domain/secret.ts";
import { makeFileAuditSink } from "../ops/file-audit-sink.ts";
import { makeHttpAuditSink } from "../ops/http-audit-sink.ts";
import { makeStreamAuditSink } from "../ops/stream-audit-sink.ts";

export const auditLimits = (settings: Settings): AuditLimits => ({
  backlogMax: settings.AUDIT_BUFFER_MAX_ENTRIES,
  keptMs: days(settings.AUDIT_RETENTION_DAYS),
  keptMax: settings.AUDIT_KEPT_MAX_ENTRIES,
});

/** Where the settings say that the audit goes. */
export async function openAuditSink(
  settings: Settings,
  timers: Timers,
): Promise<AuditSink & { close(): Promise<void> }> {
  if (settings.AUDIT_SINK === "stdout") return makeStreamAuditSink(process.stdout);
  if (settings.AUDIT_SINK === "file") return makeFileAuditSink(settings.AUDIT_FILE);
  const { AUDIT_HTTP_TOKEN_FILE: tokenFile, AUDIT_HTTP_CA_FILE: caFile } = settings;
  return makeHttpAuditSink({
    url: settings.AUDIT_HTTP_URL!,
    // Read for each batch: a token is renewed by writing the file anew.
    token: async () =>
      tokenFile === undefined ? undefined : new Secret((await readFile(tokenFile, "utf8")).trim()),
    ca: caFile === undefined ? undefined : await readNamed("AUDIT_HTTP_CA_FILE", caFile),
    timers,
  });
}

function readNamed(setting: string, file: string): Promise<string> {
  return readFile(file, "utf8").catch(() => {
    throw new SettingsError([{ setting, message: "names a file that cannot be read" }]);
  });
}
