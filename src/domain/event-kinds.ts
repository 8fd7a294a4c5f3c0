/** What decides who is told of an event, and what keeps its order: events about the same one come in their order. */
export type EventAbout = "grant" | "server" | "library" | "sync" | "containment" | "subscription";

interface EventKindRecord {
  /** What has happened, in a sentence. */
  readonly means: string;
  readonly about: EventAbout;
  /** What it may tell, besides {@link EVERY_EVENT}. */
  readonly tells: readonly EventField[];
}

/** What the data of events have, in words. Ids and codes: never a token, never a name that iManage gave. */
export const EVENT_FIELDS = {
  organisation: "the organisation",
  server: "the iManage server",
  grant: "the authorization",
  subjects:
    "whom it is for, as far as it is yours: your own users (`type`, `id`, and `issuer` where it is not you), and libraries that your policy names",
  library: "the library",
  sync: "the sync",
  code: "the problem, as `/docs/problems` lists it",
  remedy: "who must act: `client`, `resource-owner`, `operator` or `time`",
  reason: "why, one of the words below",
  ends_at: "when it ends unless somebody acts",
  replaced_by: "the authorization that the library works with now",
  changes: "how many changes the pass brought",
  scan: "`true`: it was a scan of everything",
  failures: "how many passes in a row have failed",
  containment: "the containment",
  target: "what kind of thing tokens were stopped for",
  effect: "`stop`, or `revoke`: at iManage too",
  subscription: "the subscription that asked for it",
} as const satisfies Record<string, string>;

export type EventField = keyof typeof EVENT_FIELDS;

/** Why an authorization is over, or will be. */
export const EVENT_REASONS = {
  withdrawn: "Somebody ended it, or the use of it that is named.",
  replaced: "The library works with another's authorization now.",
  unused: "Nobody used it.",
  containment: "A containment ended it; its person authorizes again.",
  refresh_token_ends: "The refresh token's life ends.",
  import_undone:
    "It had been imported, and was taken out again unused: the system that kept it before goes on with it.",
  no_refresh_token: "The access token has ended, and iManage gave no refresh token with it.",
} as const satisfies Record<string, string>;

export const EVERY_EVENT: readonly EventField[] = ["organisation"];

const kind = (means: string, about: EventAbout, tells: readonly EventField[]): EventKindRecord => ({
  means,
  about,
  tells,
});

const GRANT: readonly EventField[] = ["server", "grant", "subjects"];
const SYNC: readonly EventField[] = ["server", "library", "sync"];
const CONTAINMENT: readonly EventField[] = [
  ...(["server", "grant", "subjects", "library"] as const),
  ...(["containment", "target", "effect"] as const),
];

/**
 * Everything that clients are told of. Each is written in the script that makes it so (`emit`, `store/lua/prelude.lua`). A kind is
 * never reused and never changes its meaning; whoever reads them passes over those that he does not know.
 */
export const EVENT_KINDS = {
  "grant.authorized": kind("Somebody authorized, or lent libraries.", "grant", GRANT),
  "grant.reauthorization_required": kind(
    "iManage accepts it no longer, or it has run out: its person authorizes again.",
    "grant",
    [...GRANT, "code", "remedy", "reason"],
  ),
  "grant.recovered": kind("It works again, without anybody's doing.", "grant", GRANT),
  "grant.expiring": kind(
    "It ends soon unless somebody acts. Told at 30, 14, 7, 3 and 1 days of a refresh token's end, and once before an authorization is let go that nobody uses.",
    "grant",
    [...GRANT, "reason", "ends_at"],
  ),
  "grant.revoked": kind("It is over, for those who are named.", "grant", [
    ...GRANT,
    "reason",
    "containment",
    "replaced_by",
  ]),
  "server.misconfigured": kind("iManage refuses our registration: nothing can be refreshed.", "server", [
    "server",
    "code",
    "remedy",
  ]),
  "server.recovered": kind("The server answers as it should again.", "server", ["server"]),
  "library.parked": kind("A library was put aside: its owner may not lend it any more.", "library", [
    ...(["server", "library", "grant", "code", "remedy"] as const),
  ]),
  "library.lifted": kind("A library that was put aside works again.", "library", [
    ...(["server", "library", "grant"] as const),
  ]),
  "sync.completed": kind("A pass that brought changes is complete, or a scan of everything.", "sync", [
    ...SYNC,
    "changes",
    "scan",
  ]),
  "sync.parked": kind("A sync waits for a person, and goes on by itself.", "sync", [
    ...SYNC,
    "code",
    "remedy",
  ]),
  "sync.resumed": kind("A sync that waited goes on.", "sync", SYNC),
  "sync.failed": kind("A sync has failed several times in a row; it goes on trying.", "sync", [
    ...SYNC,
    ...(["code", "remedy", "failures"] as const),
  ]),
  "containment.begun": kind("Tokens were stopped.", "containment", CONTAINMENT),
  "containment.lifted": kind("Tokens flow again.", "containment", CONTAINMENT),
  test: kind("Asked for by whoever tries his subscription.", "subscription", ["subscription"]),
} as const satisfies Record<string, EventKindRecord>;

export type EventKind = keyof typeof EVENT_KINDS;

export const isEventKind = (word: string): word is EventKind => Object.hasOwn(EVENT_KINDS, word);

export const ALL_EVENT_KINDS = Object.keys(EVENT_KINDS) as [EventKind, ...EventKind[]];

/** As the README has it; a test compares the two. */
export function eventKindTable(): string {
  const rows = Object.entries(EVENT_KINDS).map(
    ([name, { means, tells }]) =>
      `| \`${name}\` | ${means} | ${tells.map((field) => `\`${field}\``).join(" ")} |`,
  );
  return ["| Event | Means | Tells |", "| --- | --- | --- |", ...rows].join("\n");
}

/** As the README has it; a test compares the two. */
export function eventFieldTable(): string {
  const fields = Object.entries(EVENT_FIELDS).map(([name, words]) => `| \`${name}\` | ${words} |`);
  const reasons = Object.entries(EVENT_REASONS).map(([name, words]) => `| \`${name}\` | ${words} |`);
  const table = (of: string, rows: readonly string[]) =>
    [`| ${of} | Is |`, "| --- | --- |", ...rows].join("\n");
  return `${table("Field", fields)}\n\n${table("Reason", reasons)}`;
}
