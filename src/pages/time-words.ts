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

/** Made when it is first wanted: it reads the words of a language. */
let format: Intl.RelativeTimeFormat | undefined;
const relative = (count: number, unit: Intl.RelativeTimeFormatUnit): string => {
  format ??= new Intl.RelativeTimeFormat(en.lang, { numeric: "auto" });
  return format.format(count, unit);
};

/** `3 days ago`, `in 11 months`: rounded to what one looks for, never to the better side by more than half a unit. */
export function distanceWords(at: Instant, now: Instant): string {
  const far = Math.abs(at - now);
  const count = (unitMs: number) => Math.round((at - now) / unitMs);
  if (far < minutes(90)) return relative(count(minutes(1)), "minute");
  if (far < hours(36)) return relative(count(hours(1)), "hour");
  if (far < days(60)) return relative(count(days(1)), "day");
  if (far < days(730)) return relative(count(days(30.44)), "month");
  return relative(count(days(365.25)), "year");
}
