import { days, type Instant, type Milliseconds, minutes } from "./instant.ts";

/**
 * Hours of the week, by the wall clock of a place. From–to is half open, in minutes since midnight; where `to` is not after
 * `from` it is the next day's, and the weekday is that on which it began.
 */
export interface Hours {
  /** IANA name, for example `Europe/London`. */
  readonly timeZone: string;
  /** ISO 8601: 1 is Monday, 7 Sunday. */
  readonly weekdays: readonly number[];
  readonly fromMinute: number;
  readonly toMinute: number;
}

const DAY_MINUTES = 1_440;
/** Whatever a week holds has begun once within so long, also where a change of the clocks leaves one out. */
const HORIZON_DAYS = 16;

/** A place that this machine does not know has no hours: nothing is open. */
export function isOpen(hours: Hours, at: Instant): boolean {
  const offset = offsetAt(hours.timeZone, at);
  return offset !== undefined && isOpenLocally(hours, at + offset);
}

/** When it opens next; now, if it is open. Undefined: never. */
export const nextOpening = (hours: Hours, now: Instant): Instant | undefined =>
  isOpen(hours, now) ? now : firstChange(hours, now, true);

/** Until when it stays open. Undefined: it does not close. */
export const nextClosing = (hours: Hours, now: Instant): Instant | undefined =>
  isOpen(hours, now) ? firstChange(hours, now, false) : now;

/** Keeps nothing: a name that is only judged may be anybody's, and one place has thousands of spellings. */
export const isTimeZone = (name: string): boolean => formatOf(name) !== undefined;

function isOpenLocally({ weekdays, fromMinute, toMinute }: Hours, local: Milliseconds): boolean {
  const day = Math.floor(local / days(1));
  const minute = (local - days(day)) / minutes(1);
  const on = (dayNumber: number) => weekdays.includes(weekdayOf(dayNumber));
  return fromMinute < toMinute
    ? on(day) && fromMinute <= minute && minute < toMinute
    : (on(day) && fromMinute <= minute) || (on(day - 1) && minute < toMinute);
}

/** 1 January 1970 was a Thursday. */
const weekdayOf = (day: number): number => ((((day + 3) % 7) + 7) % 7) + 1;

/**
 * The first moment from which it is open, or is not. That is a bound of the hours by the wall clock before or after the clocks
 * change, or the change itself, which may jump over a bound.
 */
function firstChange(hours: Hours, now: Instant, open: boolean): Instant | undefined {
  const { timeZone, fromMinute, toMinute } = hours;
  const before = offsetAt(timeZone, now);
  const after = offsetAt(timeZone, now + days(HORIZON_DAYS));
  if (before === undefined || after === undefined) return;
  const candidates =
    before === after ? [] : [changeOfClocks(timeZone, now, now + days(HORIZON_DAYS), before)];
  for (const offset of new Set([before, after])) {
    const today = Math.floor((now + offset) / days(1));
    for (let day = today - 1; day <= today + HORIZON_DAYS; day++) {
      for (const minute of [fromMinute, toMinute, DAY_MINUTES]) {
        candidates.push(days(day) + minutes(minute) - offset);
      }
    }
  }
  return candidates
    .filter((at) => at > now)
    .sort((a, b) => a - b)
    .find((at) => isOpen(hours, at) === open);
}

function changeOfClocks(timeZone: string, from: Instant, to: Instant, before: Milliseconds): Instant {
  let [low, high] = [from, to];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(timeZone, middle) === before) low = middle;
    else high = middle;
  }
  return high;
}

/** What is made from a name alone may be kept; policies that are stored name few. */
const formats = new Map<string, Intl.DateTimeFormat | undefined>();

/** Clocks are changed at a quarter of an hour, so one answer holds for all of it. */
const offsets = new Map<string, Milliseconds | undefined>();
const OFFSETS_MAX = 1_000;

/** How far the wall clock of a place is ahead of UTC. */
function offsetAt(timeZone: string, at: Instant): Milliseconds | undefined {
  const quarter = Math.floor(at / minutes(15));
  const key = `${quarter} ${timeZone}`;
  const known = offsets.get(key);
  if (known !== undefined) return known;
  const offset = readOffset(timeZone, quarter * minutes(15));
  if (offsets.size >= OFFSETS_MAX) offsets.clear();
  offsets.set(key, offset);
  return offset;
}

function readOffset(timeZone: string, at: Instant): Milliseconds | undefined {
  if (!formats.has(timeZone)) formats.set(timeZone, formatOf(timeZone));
  const format = formats.get(timeZone);
  if (format === undefined) return;
  const read: Record<string, number> = {};
  for (const { type, value } of format.formatToParts(at)) read[type] = Number(value);
  const { year = 0, month = 1, day, hour, minute, second } = read;
  return Date.UTC(year, month - 1, day, hour, minute, second) - at;
}

function formatOf(timeZone: string): Intl.DateTimeFormat | undefined {
  try {
    return new Intl.DateTimeFormat("en-US", {
      timeZone,
      calendar: "gregory",
      numberingSystem: "latn",
      hourCycle: "h23",
      ...{ year: "numeric", month: "numeric", day: "numeric" },
      ...{ hour: "numeric", minute: "numeric", second: "numeric" },
    } as Intl.DateTimeFormatOptions);
  } catch {
    return;
  }
}
