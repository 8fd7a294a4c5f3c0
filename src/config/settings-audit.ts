import { integer, path } from "./kinds.ts";
import type { Relation, Values } from "./relations.ts";
import { type environmentSettings, isProduction } from "./settings-process.ts";

export const auditSettings = {
  AUDIT_FILE: path()
    .default(".data/audit.jsonl")
    .describe(
      "File to which the worker appends the audit, one JSON object per line. An absolute path, and required, in production: unexported audit stops tokens.",
    ),
  AUDIT_BUFFER_MAX_ENTRIES: integer(1_000, 10_000_000)
    .default(100_000)
    .describe(
      "Audit entries an organisation may have in Redis before they are exported. At the cap its tokens answer 503 `audit_backlog`; at three quarters an alert is raised.",
    ),
};

export const auditRelations: readonly Relation<Values<typeof auditSettings & typeof environmentSettings>>[] =
  [
    {
      setting: "AUDIT_FILE",
      dependsOn: ["NODE_ENV"],
      holds: (c) => !isProduction(c) || c.AUDIT_FILE.startsWith("/"),
      message: "is required in production, as an absolute path on a disk that is kept",
    },
  ];
