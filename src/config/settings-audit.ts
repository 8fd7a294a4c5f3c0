import { z } from "zod";
import { auditUrl } from "./addresses.ts";
import { integer, path } from "./kinds.ts";
import type { Relation, Values } from "./relations.ts";
import { type environmentSettings, isProduction } from "./settings-process.ts";

export const auditSettings = {
  AUDIT_SINK: z
    .enum(["file", "http", "stdout"], "must be file, http or stdout")
    .default("file")
    .describe(
      "Where the worker exports the audit to, as JSON lines: `file` (AUDIT_FILE), `http` (AUDIT_HTTP_URL) or `stdout`, between the lines of the log.",
    ),
  AUDIT_FILE: path()
    .default(".data/audit.jsonl")
    .describe(
      "File to which the worker appends the audit, one JSON object per line. An absolute path, and required, in production where AUDIT_SINK is `file`: unexported audit stops tokens.",
    ),
  STORE_WITNESS_FILE: path()
    .optional()
    .describe(
      "File in which the worker keeps how far the audit's numbers had come, so that whoever starts with an older Redis notices it. Unless it is said: AUDIT_FILE with `.witness` behind it, where AUDIT_SINK is `file`; otherwise only processes that live notice. One for each worker, on a disk that is kept.",
    ),
  AUDIT_HTTP_URL: z
    .string()
    .transform(auditUrl)
    .optional()
    .describe(
      "Address that takes the audit by POST (`application/x-ndjson`) and acknowledges it by 2xx. https; http on this machine outside production. Entries may come twice: journal and sequence name them.",
    ),
  AUDIT_HTTP_TOKEN_FILE: path()
    .optional()
    .describe("File with the bearer token for AUDIT_HTTP_URL; read anew for each batch."),
  AUDIT_HTTP_CA_FILE: path()
    .optional()
    .describe(
      "File with the certificate authorities (PEM) that AUDIT_HTTP_URL is trusted by, instead of the public ones.",
    ),
  AUDIT_BUFFER_MAX_ENTRIES: integer(1_000, 10_000_000)
    .default(100_000)
    .describe(
      "Audit entries an organisation may have in Redis before they are exported. At the cap its tokens answer 503 `audit_backlog`; at three quarters the log warns.",
    ),
  AUDIT_RETENTION_DAYS: integer(0, 3_650)
    .default(30)
    .describe(
      "Days for which exported audit entries can still be read by API, page and `audit lookup`. Older ones are in the export alone.",
    ),
  AUDIT_KEPT_MAX_ENTRIES: integer(0, 10_000_000)
    .default(250_000)
    .describe(
      "Exported audit entries of an organisation that stay in Redis at most, whatever their age: a bound for its memory, some 300 bytes each.",
    ),
};

export const auditRelations: readonly Relation<Values<typeof auditSettings & typeof environmentSettings>>[] =
  [
    {
      setting: "AUDIT_FILE",
      dependsOn: ["NODE_ENV", "AUDIT_SINK"],
      holds: (c) => !isProduction(c) || c.AUDIT_SINK !== "file" || c.AUDIT_FILE.startsWith("/"),
      message: "is required in production, as an absolute path on a disk that is kept",
    },
    {
      setting: "AUDIT_HTTP_URL",
      dependsOn: ["AUDIT_SINK"],
      holds: (c) => c.AUDIT_SINK !== "http" || c.AUDIT_HTTP_URL !== undefined,
      message: "is required where AUDIT_SINK is http: the address that takes the audit",
    },
    {
      setting: "AUDIT_HTTP_URL",
      dependsOn: ["NODE_ENV"],
      holds: (c) => !isProduction(c) || !String(c.AUDIT_HTTP_URL ?? "").startsWith("http://"),
      message: "must begin with https:// in production: the audit names persons",
    },
  ];
