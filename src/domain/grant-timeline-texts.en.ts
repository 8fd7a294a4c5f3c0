import { moment } from "./diagnosis-words.en.ts";
import type { Grant } from "./grant.ts";
import type { TimelineEntry } from "./grant-timeline.ts";
import { LIBRARY_TROUBLES, type LibraryTroubleCode } from "./library-trouble.ts";
import type { Remedy } from "./problem.ts";
import { PROBLEMS } from "./problem-catalogue.ts";

interface BreakText {
  readonly sentence: string;
  readonly remedy: Remedy;
  readonly action: string;
}

const THIS_PERSON = "this person";
const AGAIN = PROBLEMS.reauthorization_required.action;
const troubled = (code: LibraryTroubleCode, remedy: Remedy, action?: string): BreakText => {
  const trouble = LIBRARY_TROUBLES[code];
  return { sentence: trouble.sentence(THIS_PERSON), remedy, action: action ?? trouble.action };
};

/** Why a grant broke or will. A cause is never reused. */
const BREAKS = {
  refused_by_imanage: troubled(
    "authorization_ended",
    "resource-owner",
    `${AGAIN} Where this is seen of many people, an iManage administrator looks whether the application is enabled.`,
  ),
  refresh_token_ended: troubled("authorization_expired", "resource-owner", AGAIN),
  no_refresh_token: troubled(
    "refresh_switched_off",
    "resource-owner",
    `${AGAIN} ${LIBRARY_TROUBLES.refresh_switched_off.action}`,
  ),
  answer_lost: {
    sentence:
      "A request to refresh had left and its answer was lost on the way. iManage may have replaced the refresh token in it, and then refuses the one that is here.",
    remedy: "resource-owner",
    action: AGAIN,
  },
  suspected: {
    sentence:
      "iManage refused the refresh token. One refusal is not believed: it is asked again within minutes.",
    remedy: "time",
    action: "Nothing yet: a token that still lives is handed out meanwhile.",
  },
  contained: {
    sentence: "A containment revoked its tokens, at iManage too.",
    remedy: "resource-owner",
    action: `${AGAIN} If tokens are still stopped, an operator lifts the containment first.`,
  },
  ended_by_somebody: {
    sentence: "Somebody ended it, or the last use of it.",
    remedy: "resource-owner",
    action: `Nothing, if that was meant. Otherwise: ${AGAIN}`,
  },
  replaced: {
    sentence: "The library works with another person's authorization now.",
    remedy: "time",
    action: "Nothing: who uses the library gets tokens of the other authorization.",
  },
  unused: {
    sentence: "Nobody used it.",
    remedy: "resource-owner",
    action: `Nothing, if it is not needed. Otherwise: ${AGAIN}`,
  },
  expires_soon: {
    sentence: "Its refresh token reaches the end of its life (Refresh Token Expiry).",
    remedy: "resource-owner",
    action: "Authorize again before that day; nothing is interrupted.",
  },
  lapsed: {
    sentence: "Nobody used it for so long that it is kept alive no more.",
    remedy: "client",
    action: "Ask for a token: if iManage still accepts it, it works again at once.",
  },
  worker_crashed: {
    sentence: "Refreshing it ahead of time ended the worker process three times in a row.",
    remedy: "operator",
    action:
      "Operators: look in the log for `worker_crashed` and this grant. Whoever asks for a token still gets one; it is tried again each hour.",
  },
  library_parked: {
    sentence: "A library that it is lent to was put aside.",
    remedy: "resource-owner",
    action:
      "A library admin opens the page of background service authorization, which says what is wrong and who mends it.",
  },
  client_secret_refused: troubled("client_secret_changed", "operator", PROBLEMS.client_secret_refused.action),
  imanage_unavailable: troubled("imanage_unreachable", "time"),
} as const satisfies Record<string, BreakText>;

export type BreakCause = keyof typeof BREAKS;
export const BREAK_CAUSES = Object.keys(BREAKS) as [BreakCause, ...BreakCause[]];
export const breakText = (cause: BreakCause): BreakText => BREAKS[cause];

type Told = Pick<TimelineEntry, "detail" | "more" | "at">;

const times = (count: string | undefined): string =>
  count === undefined || count === "0" ? "never" : count === "1" ? "once" : `${count} times`;
const soFar = ({ more }: Told): string =>
  more.refreshes === undefined
    ? ""
    : ` It had been refreshed ${times(more.refreshes)} since it was authorized${more.refreshed_at ? `, last on ${moment(more.refreshed_at)}` : ""}.`;
const named = (text: string | undefined): string => (text ? ` ${text}` : "");
const problemTitle = (code: string): string =>
  Object.hasOwn(PROBLEMS, code) ? PROBLEMS[code as keyof typeof PROBLEMS].title : "Refreshing did not work.";
const troubleOf = (why: string | undefined): string =>
  why !== undefined && Object.hasOwn(LIBRARY_TROUBLES, why)
    ? ` ${LIBRARY_TROUBLES[why as LibraryTroubleCode].sentence(THIS_PERSON)}`
    : "";

/** Everything that can stand on a timeline, in words. */
const ENTRIES: Readonly<Record<string, (entry: Told) => string>> = {
  "grant.authorized": ({ more }) =>
    Number(more.generation ?? "1") > 1
      ? `The person authorized again at iManage, for the ${ordinal(Number(more.generation))} time.`
      : "The person authorized at iManage.",
  "grant.suspect": (entry) => `iManage refused the refresh token for the first time.${soFar(entry)}`,
  "grant.reauthorization_required": (entry) =>
    `It broke: iManage refused the refresh token again and again.${soFar(entry)}`,
  "grant.recovered": ({ detail }) =>
    detail === "it was suspect"
      ? "A refresh worked: the refusal before it meant nothing."
      : "A refresh worked again, without anybody's doing.",
  "grant.expiring": ({ detail }) => `Its refresh token ends soon: ${detail}.`,
  "grant.lapsing": ({ detail }) => `It is about to be let go: ${detail}.`,
  "grant.lapsed": ({ detail }) => `It is refreshed no more: ${detail}.`,
  "grant.revoked": ({ more }) =>
    more.containment ? "Its tokens were revoked by a containment." : "It was ended for everyone who used it.",
  "grant.imported": () =>
    "Its refresh token was brought in from the system that kept it before. Nothing is sent with it yet.",
  "grant.import_opened": () =>
    "An operator opened it: from now on it is refreshed here, and the system that kept it before must not use it.",
  "grant.verified": () => "iManage said whose it is: the person whom the imported file named.",
  "grant.quarantined": ({ more }) =>
    more.why === "already_authorized"
      ? "It was put aside: the person whom iManage named has an authorization here already."
      : "It was put aside and handed to nobody: iManage named another person than the imported file.",
  "grant.exported": () =>
    "It was handed over to another system, sealed. It is used here no more, unless an operator takes it back by an import.",
  "grant.reaped": () => "It was ended, because nothing was bound to it.",
  "grant.ended": () => "Its access token has ended, and it cannot be renewed.",
  "grant.gone": ({ detail }) =>
    detail === "replaced"
      ? "It ended: another authorization took its place."
      : detail === "unused"
        ? "It ended, because nobody used it."
        : detail === "import_undone"
          ? "It was taken out again unused; the system that kept it before goes on with it."
          : "It ended, and its tokens are revoked at iManage.",
  "binding.withdrawn": ({ more }) =>
    more.library
      ? `The library${named(more.library)} was withdrawn from it.`
      : "An application's use of it ended.",
  "binding.moved": () => "An application knows the person by another id from now on.",
  "containment.begun": () => "Its tokens were stopped by a containment.",
  "library.authorized": ({ more }) =>
    `The library${named(more.library)} was lent to background services with it.`,
  "library.parked": ({ more }) => `The library${named(more.library)} was put aside.${troubleOf(more.why)}`,
  "library.lifted": ({ more }) => `The library${named(more.library)} works again.`,
  "refresh.late": () => "A refresh token came late, and is kept as a spare.",
  "refresh.spare_tried": () => "The refresh token was refused, so the newest spare is tried.",
  "refresh.restored": () => "Redis had lost the newest refresh, and a process that still had it put it back.",
  "refresh.answer_lost": () =>
    "A request to refresh had left and its answer never came. Whether iManage acted on it is not known.",
  "refresh.put_aside": () =>
    "It is not refreshed ahead for an hour: that ended the worker process three times.",
  "refresh.recovered": ({ detail, more }) =>
    `Refreshing works again; since ${moment(more.since)} it had not. ${problemTitle(detail)}`,
};

export const TIMELINE_KINDS = Object.keys(ENTRIES) as [string, ...string[]];
export const entryText = (entry: Told & { readonly kind: string }): string =>
  ENTRIES[entry.kind]?.(entry) ?? entry.detail;

const ordinal = (n: number): string => {
  const tens = n % 100;
  const suffix = tens > 10 && tens < 14 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th");
  return `${n}${suffix}`;
};

export function standingText(grant: Grant | undefined, failing: BreakCause | undefined): string {
  if (grant === undefined) return "This authorization is over and gone; this is what is kept of it.";
  switch (grant.state) {
    case "active": {
      if (failing === "no_refresh_token") return "It does not work any more: it ended with its access token.";
      if (failing !== undefined)
        return `iManage is asked in vain${grant.failingSince === undefined ? "" : ` since ${moment(grant.failingSince)}`}: ${breakText(failing).sentence}`;
      if (grant.lastRefreshedAt === undefined) return "It works; it has not been refreshed yet.";
      return `It works: refreshed ${times(String(grant.refreshes ?? 0))} since it was authorized, last on ${moment(grant.lastRefreshedAt)}.`;
    }
    case "suspect":
      return "iManage refused it, and is asked again before that is believed.";
    case "reauthorization_required":
      return "It does not work: iManage no longer accepts it.";
    case "paused":
      return grant.imported === "held"
        ? "It was imported and is held: nothing is sent with it until an operator opens the import."
        : "An operator paused it.";
    case "revoked":
      return "It does not work: a containment revoked its tokens.";
  }
}

export const RECORD_TEXTS = {
  complete: "The record begins with the first sign-in: nothing is missing.",
  cut: "The record begins here. What was before is kept no more: of an authorization about two hundred entries stay; older ones of people's doing are in the exported audit.",
} as const;
