import type { Grant } from "./grant.ts";
import {
  type BreakCause,
  breakText,
  entryText,
  RECORD_TEXTS,
  standingText,
} from "./grant-timeline-texts.en.ts";
import type { Instant } from "./instant.ts";
import type { Remedy } from "./problem.ts";

/** One entry of what is kept of a grant, as the script that did it wrote it. */
export interface TimelineEntry {
  readonly at: Instant;
  /** One of {@link TIMELINE_KINDS}. */
  readonly kind: string;
  readonly detail: string;
  /** Further fields: ids, codes and times. */
  readonly more: Readonly<Record<string, string>>;
}

/** Why something does not work, who must act, and what he does. */
export interface TimelineBreak {
  readonly cause: BreakCause;
  readonly sentence: string;
  readonly remedy: Remedy;
  readonly action: string;
}

export interface TimelineLine {
  readonly at: Instant;
  readonly kind: string;
  readonly detail: string;
  /** What happened, in a sentence. */
  readonly what: string;
  /** Who did it, as the audit names him; undefined: iManage or time did. */
  readonly actor: string | undefined;
  readonly request: string | undefined;
  readonly broke: TimelineBreak | undefined;
}

export interface GrantStory {
  /** Oldest first. */
  readonly lines: readonly TimelineLine[];
  /** How it stands now. */
  readonly standing: {
    readonly state: Grant["state"] | "gone";
    readonly sentence: string;
    /** What has to be done, if anything: of the last break that nothing has mended since. */
    readonly broke: TimelineBreak | undefined;
  };
  /** Where the record begins: older entries are not kept. Undefined: there is none. */
  readonly begins:
    | { readonly at: Instant; readonly complete: boolean; readonly sentence: string }
    | undefined;
}

/** Whoever ended a grant wrote an entry of his own in the same step; the two are one line. */
const ENDERS: ReadonlySet<string> = new Set(["grant.revoked", "grant.reaped", "binding.withdrawn"]);
const MENDS: ReadonlySet<string> = new Set(["grant.authorized", "grant.recovered"]);

/**
 * What happened to a grant and why it broke. @param grant as it stands; undefined: it is gone, and this is what is left of it
 */
export function tellGrantStory(entries: readonly TimelineEntry[], grant: Grant | undefined): GrantStory {
  const lines: TimelineLine[] = [];
  for (const [i, entry] of entries.entries()) {
    const before = entries[i - 1];
    if (ENDERS.has(entry.kind) && before?.kind === "grant.gone" && before.at === entry.at) {
      const { actor, request } = entry.more;
      lines.push({ ...lines.pop()!, actor, request });
      continue;
    }
    lines.push(lineOf(entry, entries.slice(0, i)));
  }
  const mended = lines.findLastIndex(({ kind }) => MENDS.has(kind));
  const last = lines.findLast(({ broke }, i) => broke !== undefined && i > mended);
  return { lines, standing: standingOf(grant, last), begins: beginningOf(entries) };
}

function lineOf(entry: TimelineEntry, before: readonly TimelineEntry[]): TimelineLine {
  const { at, kind, more } = entry;
  const cause = causeOf(entry, before);
  return {
    at,
    kind,
    detail: entry.detail || derivedDetail(entry),
    what: entryText(entry),
    actor: more.actor,
    request: more.request,
    broke: cause && { cause, ...breakText(cause) },
  };
}

/** As it was said before entries had fields. The number of a first consent is left out. */
const derivedDetail = ({ kind, more }: TimelineEntry): string =>
  kind === "grant.authorized" || more.generation
    ? `consent ${more.generation ?? 1}`
    : more.containment
      ? `containment ${more.containment}`
      : "";

/** Why it broke, as far as what is kept of it tells; iManage itself never says. */
export function causeOf(entry: TimelineEntry, before: readonly TimelineEntry[]): BreakCause | undefined {
  const { kind, at, detail, more } = entry;
  switch (kind) {
    case "grant.reauthorization_required": {
      if (more.ends_at && Number(more.ends_at) <= at) return "refresh_token_ended";
      return answerWasLost(before, Number(more.refreshed_at || 0)) ? "answer_lost" : "refused_by_imanage";
    }
    case "grant.suspect":
      return "suspected";
    case "grant.revoked":
      return more.containment ? "contained" : "ended_by_somebody";
    case "grant.gone":
      return detail === "replaced" ? "replaced" : detail === "unused" ? "unused" : "ended_by_somebody";
    case "grant.ended":
      return "no_refresh_token";
    case "grant.expiring":
      return "expires_soon";
    case "grant.lapsed":
      return "lapsed";
    case "refresh.put_aside":
      return "worker_crashed";
    case "library.parked":
      return "library_parked";
    default:
      return undefined;
  }
}

/** Since the last refresh that went well: then the token that was refused may have been used up by us. */
const answerWasLost = (before: readonly TimelineEntry[], refreshedAt: Instant): boolean => {
  const mended = before.findLast(({ kind }) => MENDS.has(kind))?.at ?? 0;
  const since = Math.max(refreshedAt, mended);
  return before.some(({ kind, at }) => kind === "refresh.answer_lost" && at >= since);
};

function standingOf(grant: Grant | undefined, last: TimelineLine | undefined): GrantStory["standing"] {
  // One without a refresh token stays active, and has ended with its access token all the same.
  const works = grant?.state === "active" && last?.kind !== "grant.ended";
  const failing = works ? failingCause(grant.lastProblem?.code) : undefined;
  const broke =
    failing !== undefined ? { cause: failing, ...breakText(failing) } : works ? undefined : last?.broke;
  return { state: grant?.state ?? "gone", sentence: standingText(grant, broke?.cause), broke };
}

function failingCause(code: string | undefined): BreakCause | undefined {
  if (code === undefined) return undefined;
  return code === "client_secret_refused" ? "client_secret_refused" : "imanage_unavailable";
}

function beginningOf(entries: readonly TimelineEntry[]): GrantStory["begins"] {
  const [first] = entries;
  if (first === undefined) return undefined;
  const complete = first.kind === "grant.authorized" && (first.more.generation ?? "1") === "1";
  return {
    at: first.at,
    complete,
    sentence: complete ? RECORD_TEXTS.complete : RECORD_TEXTS.cut,
  };
}
