import ical, {
  ICalAlarmType,
  type ICalCalendar,
  ICalCalendarMethod,
  ICalEventBusyStatus,
  type ICalEventData,
  ICalEventTransparency,
} from "ical-generator";
import type { RenewalCalendar } from "../broker/calendar/read-calendar.ts";
import { days, hours } from "../domain/instant.ts";
import type { Day, Renewal } from "../domain/renewal.ts";
import { librariesAddress } from "./addresses.ts";
import type { PageSettings } from "./page-deps.ts";
import { en } from "./texts.en.ts";
import { timeWords } from "./time-words.ts";

const texts = en.calendarFile;

/** How often a calendar is asked to look: often enough for an authorization that has ended, seldom enough for everybody. */
const REFRESH_MS = hours(6);
/** Two hundred libraries are no text for a calendar. */
const LISTED_MAX = 50;
const NAME_MAX = 80;
/** Nine in the morning, wherever the calendar hangs, of the day that is so many days before the last. */
const ALARM_DAYS = [30, 7, 1] as const;
const NINE = 9 * 3_600;

/**
 * The calendar as a file (RFC 5545, 7986). Days, not times: of a moment in the night nobody is reminded, and what counts is
 * the last day on which somebody can still act. The exact end stands in the text, in UTC.
 *
 * A renewal is told twice, a week before and on its last day, since many calendars leave out the alarms of a calendar that
 * is only subscribed to. The same content gives the same bytes, so that an ETag can tell.
 */
export function calendarFile(settings: PageSettings, calendar: RenewalCalendar): string {
  const { server, version, renewals } = calendar;
  const page = settings.publicBaseUrl + librariesAddress(server);
  const file: ICalCalendar = ical({
    prodId: { company: "imanage-token-broker", product: "renewals", language: "EN" },
    method: ICalCalendarMethod.PUBLISH,
    // The library writes this one as it comes.
    name: escaped(texts.name(line(server.displayName))),
    ttl: REFRESH_MS / 1_000,
    url: page,
  });
  for (const renewal of renewals) {
    for (const { kind, ...entry } of entriesOf(renewal)) {
      file.createEvent({
        id: `${kind}-${renewal.grant}@${new URL(settings.publicBaseUrl).hostname}`,
        sequence: version.sequence,
        stamp: new Date(version.changedAt),
        lastModified: new Date(version.changedAt),
        allDay: true,
        transparency: ICalEventTransparency.TRANSPARENT,
        busystatus: ICalEventBusyStatus.FREE,
        url: page,
        description: describe(calendar, renewal, page),
        ...entry,
      });
    }
  }
  return `${file.toString()}\r\n`;
}

type Entry = Pick<ICalEventData, "start" | "end" | "summary" | "alarms"> & { readonly kind: string };

function entriesOf(renewal: Renewal): readonly Entry[] {
  const count = renewal.libraries.length;
  if (renewal.kind === "ended")
    return [{ kind: "ended", summary: texts.ended(count), ...span(renewal.since, renewal.until) }];
  const { renewOn, lastDay } = renewal;
  const alarms = ALARM_DAYS.map((day) => ({
    type: ICalAlarmType.display,
    triggerBefore: day * 86_400 - NINE,
  }));
  return [
    ...(renewOn === undefined
      ? []
      : [{ kind: "renew", summary: texts.renew(count), ...span(renewOn, renewOn) }]),
    { kind: "last-day", summary: texts.lastDay(count), ...span(lastDay, lastDay), alarms },
  ];
}

/** DTEND of a date is the day behind the last (RFC 5545 §3.6.1). */
const span = (first: Day, last: Day) => ({ start: new Date(first), end: new Date(last + days(1)) });

function describe({ server, owner }: RenewalCalendar, renewal: Renewal, page: string): string {
  const { libraries } = renewal;
  const rest = libraries.length - LISTED_MAX;
  const ended = renewal.kind === "ended";
  return [
    ended ? texts.endedSince : texts.ends(timeWords(renewal.endsAt)),
    owner && texts.who(apart(owner.name ?? owner.userId)),
    texts.whatRenew(page, ended ? en.libraries.authorizeAgain : en.libraries.renew),
    "",
    texts.list(apart(server.displayName), libraries.length),
    ...libraries.slice(0, LISTED_MAX).map(apart),
    rest > 0 ? texts.more(rest) : undefined,
  ]
    .filter((part) => part !== undefined)
    .join("\n");
}

/** A name on one line: no line ends of its own, nothing that turns the direction of what stands behind it (T09). */
function line(name: string): string {
  const letters = [...name.toWellFormed().replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, "\ufffd")];
  return letters.length > NAME_MAX ? `${letters.slice(0, NAME_MAX).join("")}…` : letters.join("");
}

/** The same in the midst of other words: isolated, so that a name written from right to left moves nothing beside it. */
const apart = (name: string): string =>
  /\p{L}/u.test(name) && !ASCII.test(name) ? `\u2068${line(name)}\u2069` : line(name);

const ASCII = /^[\x20-\x7e]*$/;

/** TEXT (RFC 5545 §3.3.11). */
const escaped = (text: string): string => text.replaceAll(/[\\;,]/g, "\\$&");
