import { hours, type Instant, type Milliseconds, seconds } from "../domain/instant.ts";

/**
 * `x-ratelimit-remaining` and `x-ratelimit-reset` in seconds (facts page, C); undefined where they do not both say something that can
 * be read. Whether the reset may be a moment is not known (?): what cannot be a length is taken for one since 1970.
 */
export function readRateLimit(
  headers: Readonly<Record<string, string>>,
  now: Instant,
): { readonly remaining: number; readonly resetMs: Milliseconds } | undefined {
  const remaining = readCount(headers["x-ratelimit-remaining"]);
  const reset = readCount(headers["x-ratelimit-reset"]);
  if (remaining === undefined || reset === undefined) return undefined;
  const resetMs = reset >= FIRST_MOMENT ? seconds(reset) - now : seconds(reset);
  return { remaining: Math.floor(remaining), resetMs: Math.min(hours(1), Math.max(seconds(1), resetMs)) };
}

/** Of September 2001, in seconds: no window lasts thirty years. */
const FIRST_MOMENT = 1_000_000_000;

const readCount = (value: string | undefined): number | undefined =>
  value !== undefined && /^\d{1,12}(\.\d+)?$/.test(value.trim()) ? Number(value) : undefined;
