/** A moment: whole milliseconds since 1970 (UTC). Names end in `At`. Stored like this; seconds exist only on the OAuth wire. */
export type Instant = number;

/** A length of time in milliseconds. Names end in `Ms`. */
export type Milliseconds = number;

export const seconds = (n: number): Milliseconds => n * 1_000;
export const minutes = (n: number): Milliseconds => n * 60_000;
export const hours = (n: number): Milliseconds => n * 3_600_000;
export const days = (n: number): Milliseconds => n * 86_400_000;

/** RFC 3339 with milliseconds, as every answer outside OAuth carries times. */
export const rfc3339 = (at: Instant): string => new Date(at).toISOString();

/** The same of what may not have happened, as JSON has it. */
export const rfc3339OrNull = (at: Instant | undefined): string | null =>
  at === undefined ? null : rfc3339(at);
