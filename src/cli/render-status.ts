import { renderFinding } from "./doctor-command.ts";
import type { Status } from "./status.ts";

/** One page: what is well in a line, what is not with its reason and who acts. */
export function renderStatus(status: Status): string {
  return [
    section("Processes", processes(status)),
    section("Store", store(status)),
    section("Servers", servers(status)),
    section("Authorizations", authorizations(status)),
    section("Queues", queues(status)),
    section("Syncs", syncs(status)),
    section("Events", events(status)),
    section("Containments", containments(status)),
    section("Audit", audit(status)),
  ].join("");
}

/** Of what could be long. */
const SHOWN = 12;

function section(title: string, lines: readonly string[]): string {
  const more = lines.length > SHOWN ? [`and ${lines.length - SHOWN} more; --json has them all`] : [];
  return [...lines.slice(0, SHOWN), ...more]
    .map((line, at) => `${(at === 0 ? title : "").padEnd(16)}${line}\n`)
    .join("");
}

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`;

const processes = ({ processes: seen }: Status): string[] =>
  seen.length === 0
    ? ["NONE was heard of within the last hour"]
    : seen.map(
        ({ roles, version, host, pid, started_at, heard_of_s, gone }) =>
          `${gone ? "GONE  " : ""}${roles.join(" and ")} ${version} on ${host} (process ${pid}), since ${started_at}, heard of ${heard_of_s} s ago`,
      );

const store = ({ durability, format, checks }: Status): string[] => [
  durability === null ? "durability is not known" : `${durability.class}: ${durability.sentence}`,
  format === null
    ? "no format is marked yet"
    : `format ${format.format}, since ${format.since} by version ${format.by}`,
  ...checks.filter(({ ok }) => !ok).flatMap((finding) => renderFinding(finding).trimEnd().split("\n")),
];

function servers({ organisations, servers: all }: Status): string[] {
  const closed = all.filter((server) => server.closed !== null);
  return [
    `${count(all.length, "server")} of ${count(organisations, "organisation")}, ${closed.length === 0 ? "every gate is open" : `${closed.length} closed`}`,
    ...closed.map(({ name, why }) => `CLOSED  ${name}: ${why}`),
  ];
}

function authorizations({ authorizations: { all, by_state } }: Status): string[] {
  const states = Object.entries(by_state ?? {}).sort(([, a], [, b]) => b - a);
  return [
    `${all}${states.length === 0 ? "" : `: ${states.map(([state, many]) => `${many} ${state}`).join(", ")}`}`,
  ];
}

function queues({ queues: all }: Status): string[] {
  const busy = all.filter(({ waiting, active, failed }) => waiting + active + failed > 0);
  if (busy.length === 0) return [`${all.length}, nothing waits and nothing failed`];
  return busy.map(
    ({ name, waiting, active, delayed, failed, oldest_waits_s }) =>
      `${name}: ${waiting} wait${oldest_waits_s === null ? "" : ` (${oldest_waits_s} s)`}, ${active} run, ${delayed} later, ${failed} failed`,
  );
}

function syncs({ syncs: all }: Status): string[] {
  const waits = all.filter(({ waits_for, held_deletions }) => waits_for !== null || held_deletions > 0);
  return [
    all.length === 0 ? "none" : `${all.length}, ${waits.length} wait`,
    ...waits.map(
      ({ organisation, library, id, waits_for, who_acts, action, held_deletions }) =>
        `WAITS  ${organisation} ${library} (${id}): ${waits_for ?? `${held_deletions} deletions are held`}${action === null ? "" : ` → ${who_acts}: ${action}`}`,
    ),
  ];
}

function events({ subscriptions: all }: Status): string[] {
  const sum = (of: (one: (typeof all)[number]) => number) => all.reduce((total, one) => total + of(one), 0);
  const ill = all.filter(({ receiver_down, dead, enabled }) => receiver_down || dead > 0 || !enabled);
  return [
    all.length === 0
      ? "nobody is called"
      : `${count(all.length, "subscription")}, ${sum((one) => one.waiting)} events wait, ${sum((one) => one.dead)} dead letters`,
    ...ill.map(
      ({ organisation, id, url, enabled, receiver_down, waiting, dead }) =>
        `${enabled ? (receiver_down ? "DOWN  " : "") : "DISABLED  "}${organisation} ${url} (${id}): ${waiting} wait, ${dead} dead`,
    ),
  ];
}

const containments = ({ containments: all }: Status): string[] =>
  all.length === 0
    ? ["nothing is stopped"]
    : all.map(
        ({ id, effect, reason, by, since }) => `${effect.toUpperCase()}  ${id}: ${reason} (${by}, ${since})`,
      );

const audit = ({ audit: { entries, not_exported, behind } }: Status): string[] => [
  `${entries} entries, ${not_exported === 0 ? "all exported" : `${not_exported} not exported`}`,
  ...behind.map((one) => `${one.journal}: ${one.not_exported} wait for the export`),
];
