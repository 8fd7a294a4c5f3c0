import { days, hours, type Instant, minutes } from "../domain/instant.ts";
import { en } from "./texts.en.ts";

/** `4 March 2026, 14:05 UTC`: the zone is always named, since admins of one firm sit in several. */
export function timeWords(at: Instant): string {
  const date = new Date(at);
  const two = (n: number) => String(n).padStart(2, "0");
  return `${dateWords(at)}, ${two(date.getUTCHours())}:${two(date.getUTCMinutes())} UTC`;
}

export function dateWords(at: Instant): string {
  const date = new Date(at);
  return `${date.getUTCDate()} ${en.months[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
}

const relative = new Intl.RelativeTimeFormat(en.lang, { numeric: "auto" });

/** `3 days ago`, `in 11 months`: rounded to what one looks for, never to the better side by more than half a unit. */
export function distanceWords(at: Instant, now: Instant): string {
  const far = Math.abs(at - now);
  const count = (unitMs: number) => Math.round((at - now) / unitMs);
  if (far < minutes(90)) return relative.format(count(minutes(1)), "minute");
  if (far < hours(36)) return relative.format(count(hours(1)), "hour");
  if (far < days(60)) return relative.format(count(days(1)), "day");
  if (far < days(730)) return relative.format(count(days(30.44)), "month");
  return relative.format(count(days(365.25)), "year");
}
