import type { Switches } from "./switches.ts";

export interface Allowance {
  allowed: boolean;
  headers: Record<string, string>;
}

/** Counts requests in fixed windows. iManage publishes the headers (C) and no figures, so those are a switch. */
export class RateLimit {
  readonly #switches: Switches;
  readonly #now: () => number;
  readonly #windows = new Map<string, { startedAt: number; used: number }>();

  constructor(switches: Switches, now: () => number) {
    this.#switches = switches;
    this.#now = now;
  }

  use(key: string): Allowance {
    const limit = this.#switches.rate_limit;
    if (limit === null) return { allowed: true, headers: {} };

    const now = this.#now();
    const lengthMs = limit.window_seconds * 1000;
    let window = this.#windows.get(key);
    if (window === undefined || now >= window.startedAt + lengthMs) {
      window = { startedAt: now, used: 0 };
      this.#windows.set(key, window);
    }
    const allowed = window.used < limit.requests;
    if (allowed) window.used += 1;

    const leftSeconds = Math.max(1, Math.ceil((window.startedAt + lengthMs - now) / 1000));
    const headers: Record<string, string> = {
      "x-ratelimit-remaining": String(limit.requests - window.used),
      "x-ratelimit-reset": String(leftSeconds),
    };
    if (!allowed) {
      if (limit.header === "x-ratelimit-retryafter") headers["x-ratelimit-retryafter"] = String(leftSeconds);
      if (limit.header === "retry-after") headers["retry-after"] = String(leftSeconds);
      if (limit.header === "retry-after-date")
        headers["retry-after"] = new Date(now + leftSeconds * 1000).toUTCString();
    }
    return { allowed, headers };
  }
}
