import type { ImportPlan } from "../broker/import/plan-import.ts";
import type { ImportResult, ImportStanding } from "../broker/import/run-import.ts";
import { IMPORT_FAULTS, IMPORT_OUTCOMES, type ImportFormat, type RowFault } from "../domain/import.ts";

/** Lines of one kind that are named one by one; of more the first are. */
const NAMED = 20;

export function renderPlan(plan: ImportPlan, as: "text" | "json"): string {
  const lines = plan.rows.map(({ row, as: what, grant }) => ({
    line: row.line,
    what,
    subject: row.subject.id,
    imanage_user: row.imanageUser,
    ...(grant !== undefined && { grant }),
  }));
  if (as === "json") {
    const faults = plan.faults.map((fault) => ({ ...fault, ...IMPORT_FAULTS[fault.code] }));
    return `${JSON.stringify({ lines, faults, skipped: plan.skipped })}\n`;
  }
  const counts = (["new", "renews", "same"] as const)
    .map((what) => [what, lines.filter((one) => one.what === what).length] as const)
    .filter(([, many]) => many > 0)
    .map(([what, many]) => `${many} ${IMPORT_OUTCOMES[what]}.\n`)
    .join("");
  return `${counts}${skippedOf(plan.skipped)}${renderFaults(plan.faults)}Nothing was written and nothing was sent.\n`;
}

export const renderImported = ({ imported, renewed, same, faults, skipped }: ImportResult): string =>
  `${imported} ${IMPORT_OUTCOMES.imported}. ${renewed} ${IMPORT_OUTCOMES.renewed}. ${same} ${IMPORT_OUTCOMES.same}.\n${skippedOf(skipped)}${renderFaults(faults)}`;

const skippedOf = (skipped: number): string =>
  skipped === 0 ? "" : `${skipped} are of another integration or server and were passed over.\n`;

/** By kind, with the lines, and who must act. */
export function renderFaults(faults: readonly RowFault[]): string {
  const kinds = Map.groupBy(faults, ({ code }) => code);
  return [...kinds]
    .map(([code, of]) => {
      const { means, remedy, action } = IMPORT_FAULTS[code];
      const lines = of
        .slice(0, NAMED)
        .map(({ line, detail }) => `${line}${detail === undefined ? "" : ` (${detail})`}`)
        .join(", ");
      const more = of.length > NAMED ? ` and ${of.length - NAMED} more; --json names them all` : "";
      return `REFUSED  ${of.length}  ${code}: ${means}\n         Lines ${lines}${more}.\n         Who acts: ${remedy}. ${action}\n`;
    })
    .join("");
}

export function renderStanding({
  held,
  opened,
  refused,
  waiting,
  verified,
  quarantined,
  over,
}: ImportStanding): string {
  const rows = [
    `Held       ${held}  nothing is sent; the other system goes on`,
    `Opened     ${opened}  ours; the first refresh has not left yet`,
    `Refused    ${refused.length}  iManage did not accept the token: the other system has used it since, or it was broken there`,
    `Waiting    ${waiting.length}  refreshed or tried; iManage has not said yet whose it is`,
    `Verified   ${verified}  iManage says it is the person of the file`,
    `Put aside  ${quarantined.length}  handed to nobody`,
    `Over       ${over}  ended, or its person has authorised here himself`,
  ];
  const why = {
    another_user: "iManage names another person",
    already_authorized: "he has an authorization here already",
  };
  const aside = quarantined.map(
    ({ grant, owner, state }) =>
      `  ${grant}  ${owner?.userId}: ${why[state as keyof typeof why]}. He authorises once in the application.`,
  );
  const stuck = waiting
    .filter(({ problem }) => problem !== undefined)
    .slice(0, NAMED)
    .map(({ grant, owner, problem }) => `  ${grant}  ${owner?.userId}: ${problem}`);
  const dead = refused
    .slice(0, NAMED)
    .map(
      ({ grant, owner, grantState }) =>
        `  ${grant}  ${owner?.userId}: ${grantState === "suspect" ? "is asked again before that is believed" : "authorises once in the application"}.`,
    );
  return `${[...rows, ...aside, ...dead, ...stuck].join("\n")}\n`;
}

const EXPORT_AGAIN: Readonly<Record<ImportFormat, readonly string[]>> = {
  json: [
    "In the application that keeps the table: take away its timer, queue or cron job that refreshes, and the code that refreshes when a token is asked for. A running copy counts: stop every process and look that none is started again (autoscaling, a second region, a developer's machine).",
    "Where that cannot be stopped as a whole: take its permission to read the table away.",
    "Export the table again, now that nobody writes to it.",
  ],
  csv: [],
  nango: [
    "In Nango: switch off every sync, action and webhook of this integration, and stop whatever calls its proxy or GET /connections/{id}: each of these may refresh. Self-hosted: stop the server, jobs and persist processes.",
    "Nango refreshes a token that has run out whenever a connection is read. So the last export is itself its last use: read each connection once more, with nothing else running, and never again after that.",
    "Delete the connections in Nango only at the very end, when `cli import status` shows nothing that waits.",
  ],
  vault: [
    "In Vault or OpenBao: stop the plugin's own refreshing: vault write MOUNT/config tune_refresh_check_interval_seconds=0.",
    "Take away the policies with which creds/* of the mount is read: reading refreshes.",
    "Read the stored entries again by sys/raw (raw_storage_endpoint = true for that time), and switch the endpoint off again.",
  ],
};

/** What is to be stopped where, in which order, before the first refresh here spends a token that the other system still has. */
export function stepsOf(format: ImportFormat, server: string): string {
  const own = EXPORT_AGAIN[format === "csv" ? "json" : format];
  const steps = [
    `Nothing is refreshed here yet: \`cli import status --server ${server}\` says Held.`,
    ...own,
    "In iManage Control Center, Applications, this application: make a new Client Secret, give it to this broker alone, and take the old one away. Whatever was forgotten then gets invalid_client, which spends no token. (Only where iManage asks for the secret at a refresh: the setting refresh_client_authentication of the server here says what is known.)",
    "Rehearse with the last export: `cli import plan FILE …`. What it says *will take the place of an earlier token* is what the other system has refreshed since.",
    "Begin with few: `cli import open FILE … --first 10`, and look at `cli import status` a minute later. Each of the ten is Verified.",
    "Then the others: `cli import open FILE …`. Turn the application over to this broker.",
    "Destroy every copy of the export.",
  ];
  return `Before \`cli import open\`, in this order:\n${steps
    .map((step, i) => `${String(i + 1).padStart(3)}. ${step}\n`)
    .join(
      "",
    )}The way back, at any time: \`cli import undo --server ${server}\`. What was not refreshed here is taken out, nothing is revoked, and the other system may be started again for it.\n`;
}
