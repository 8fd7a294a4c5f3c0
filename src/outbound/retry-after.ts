import { hours, type Instant, type Milliseconds, seconds } from "../domain/instant.ts";

/**
 * How long an answer asks us to stay away, in [1 s, `maxMs`]; undefined where it does not say, or says nothing that can be
 * read (F07). Both names are known: `Retry-After` (RFC 9110 §10.2.3) and iManage's `x-ratelimit-retryafter` in seconds
 * (facts page, C). Where both came, the longer one counts.
 */
export function readRetryAfter(
  headers: Readonly<Record<string, string>>,
  now: Instant,
  maxMs: Milliseconds = hours(1),
): Milliseconds | undefined {
  const waits = [headers["retry-after"], headers["x-ratelimit-retryafter"]]
    .map((value) => (value === undefined ? undefined : readWait(value.trim(), headers.date, now)))
    .filter((wait) => wait !== undefined);
  if (waits.length === 0) return undefined;
  return Math.min(maxMs, Math.max(seconds(1), ...waits));
}

function readWait(value: string, date: string | undefined, now: Instant): Milliseconds | undefined {
  if (/^-?\d+(\.\d+)?$/.test(value)) return seconds(Number(value));
  const until = readHttpDate(value);
  if (until === undefined) return undefined;
  // A date is a moment on the server's clock, so it is counted from the moment that clock showed (F14).
  return until - (date === undefined ? now : (readHttpDate(date) ?? now));
}

/** RFC 9110 §5.6.7. `Date.parse` takes far more, so at least a day's name must lead. */
function readHttpDate(value: string): Instant | undefined {
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(value)) return undefined;
  const at = Date.parse(/GMT|\+\d{4}$/.test(value) ? value : `${value} GMT`);
  return Number.isNaN(at) ? undefined : at;
}
