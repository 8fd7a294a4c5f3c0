import { hours, type Instant, type Milliseconds, minutes, seconds } from "../domain/instant.ts";

/**
 * What becomes of an event that was sent, or was not, and of those behind it. Pure: time and chance come in.
 *
 * Two things go wrong, and are told apart. A receiver that is *down* takes nothing: after three failures in a row nobody but a probe
 * asks it, and when it answers again everything leaves at once, in order. A receiver that *refuses one event* takes others: that
 * event's lane waits by the schedule, the others go on.
 */

/** Between one attempt and the next of an event that is refused: three days and three and a half hours. */
export const RETRY_WAITS_MS: readonly Milliseconds[] = [
  seconds(5),
  minutes(5),
  minutes(30),
  hours(2),
  hours(5),
  hours(10),
  hours(14),
  hours(20),
  hours(24),
];
/** An event that a receiver was there to take for so long, and that it has not taken, is a dead letter. */
export const LIFE_MS: Milliseconds = RETRY_WAITS_MS.reduce((sum, wait) => sum + wait, 0);

const FAILURES_TO_OPEN = 3;
/** A receiver that was restarted is noticed at once, one that was away for a day within five minutes. */
const PROBE_MS = seconds(5);
const PROBE_MAX_MS = minutes(5);
const PAUSE_MAX_MS = hours(24);
/** Lanes that one receiver is sent at the same time. */
const LANES_AT_ONCE = 4;

/** How a receiver has answered last. */
export interface Receiver {
  /** Failures since it took something, over all lanes. */
  readonly failures: number;
  /** It has taken nothing since then. */
  readonly downSince: Instant | undefined;
  /** It is down: nobody asks before then, and then one. */
  readonly probeAt: Instant | undefined;
  /** What its Retry-After said. */
  readonly pausedUntil: Instant | undefined;
}

export const WELL: Receiver = {
  failures: 0,
  downSince: undefined,
  probeAt: undefined,
  pausedUntil: undefined,
};

/** What came back of one attempt. */
export type Sent =
  | { readonly status: number; readonly retryAfterMs: Milliseconds | undefined }
  /** No answer: in one word why. It may have been taken all the same. */
  | { readonly status: undefined; readonly reason: string };

export type Verdict = "taken" | "gone" | "refused" | "failed";

/** Answers about the receiver, whatever the event: its proof, its address, its load. Of these all 5xx and 3xx are. */
const OF_THE_RECEIVER: ReadonlySet<number> = new Set([401, 403, 404, 405, 407, 408, 421, 425, 429]);

export function verdictOf({ status }: Pick<Sent, "status">): Verdict {
  if (status === undefined) return "failed";
  if (status >= 200 && status < 300) return "taken";
  if (status === 410) return "gone";
  return status >= 400 && status < 500 && !OF_THE_RECEIVER.has(status) ? "refused" : "failed";
}

/** How many lanes may be sent now; none before a moment. */
export function width(receiver: Receiver, now: Instant): { readonly lanes: number; readonly at?: Instant } {
  const at = Math.max(receiver.probeAt ?? 0, receiver.pausedUntil ?? 0);
  if (at > now) return { lanes: 0, at };
  return { lanes: isDown(receiver) ? 1 : LANES_AT_ONCE };
}

export const isDown = (receiver: Receiver): boolean => receiver.probeAt !== undefined;

export interface AfterAttempt {
  readonly receiver: Receiver;
  /** What becomes of the event: it is off its lane (`done`), tried again, or a dead letter. */
  readonly event:
    | { readonly kind: "done" | "dead" }
    | { readonly kind: "again"; readonly waitMs: Milliseconds };
  /** Scheduled attempts at this event so far; a probe of a receiver that is down is none. */
  readonly tries: number;
  /** It is well again: every lane that waits for it is due. */
  readonly wake: boolean;
  /** It says that it is gone for good. */
  readonly disable: boolean;
}

/**
 * @param tries scheduled attempts before this one
 * @param chance in [0, 1): waits are stretched or cut by a tenth
 */
export function afterAttempt(
  receiver: Receiver,
  tries: number,
  sent: Sent,
  now: Instant,
  chance: number,
): AfterAttempt {
  const jittered = (ms: Milliseconds) => Math.round(ms * (0.9 + 0.2 * chance));
  const again = (tried: number): Pick<AfterAttempt, "event" | "tries"> => {
    const wait = RETRY_WAITS_MS[tried - 1];
    return {
      event: wait === undefined ? { kind: "dead" } : { kind: "again", waitMs: jittered(wait) },
      tries: tried,
    };
  };
  const calm = { wake: false, disable: false };
  switch (verdictOf(sent)) {
    case "taken": {
      const wake = isDown(receiver) || receiver.pausedUntil !== undefined;
      return { receiver: WELL, event: { kind: "done" }, tries: 0, wake, disable: false };
    }
    case "gone":
      return { ...calm, receiver, event: { kind: "again", waitMs: 0 }, tries, disable: true };
    case "refused": {
      // It answers, so it is not down; but it has not taken anything either.
      const answering = { ...receiver, failures: 0, probeAt: undefined };
      return { receiver: answering, ...again(tries + 1), wake: isDown(receiver), disable: false };
    }
    case "failed": {
      const downSince = receiver.downSince ?? now;
      const asked = sent.status === undefined ? undefined : sent.retryAfterMs;
      if (asked !== undefined) {
        const waitMs = Math.min(asked, PAUSE_MAX_MS);
        const paused = { ...receiver, downSince, pausedUntil: now + waitMs };
        return { ...calm, receiver: paused, event: { kind: "again", waitMs }, tries };
      }
      const failures = receiver.failures + 1;
      const over = failures - FAILURES_TO_OPEN;
      const probing = isDown(receiver);
      const probeAt =
        over < 0 && !probing
          ? undefined
          : now + jittered(Math.min(PROBE_MAX_MS, PROBE_MS * 2 ** Math.min(Math.max(over, 0), 20)));
      const next = { failures, downSince, probeAt, pausedUntil: undefined };
      if (!probing) return { ...calm, receiver: next, ...again(tries + 1) };
      return { ...calm, receiver: next, event: { kind: "again", waitMs: probeAt! - now }, tries };
    }
  }
}

/**
 * Events that came before this moment are dead letters: the receiver was asked for as long as an event lives, and took nothing in all
 * that time. Undefined: none are.
 */
export function deadBefore({ downSince }: Receiver, now: Instant): Instant | undefined {
  return downSince !== undefined && now - downSince >= LIFE_MS ? now - LIFE_MS : undefined;
}
