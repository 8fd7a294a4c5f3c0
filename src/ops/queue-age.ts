import type { Queue } from "bullmq";
import { type Milliseconds, minutes } from "../domain/instant.ts";
import type { Finding } from "./finding.ts";
import { nextJobDueMs } from "./next-job.ts";

/** What of a queue nobody takes. */
export interface QueueAge {
  readonly queue: string;
  /** How long the job that is next has been waiting, or 0. */
  readonly waitingMs: Milliseconds;
  /** How long ago the next job that is scheduled was due, or 0. */
  readonly lateMs: Milliseconds;
  readonly paused: boolean;
  readonly schedules: number;
}

/** A sync may wait for its turn while others read whole libraries. Whatever else waits longer than this is not taken. */
const PATIENCE: Readonly<Record<string, Milliseconds>> = { sync: minutes(15) };
const PATIENCE_MS = minutes(1);

/**
 * Judges whether the workers keep up. Pure. Only ever a warning: a process is not mended by being given less traffic, and
 * whoever asks for a token gets one without any queue.
 */
export function judgeQueueAges(ages: readonly QueueAge[]): Finding {
  const check = "queue-age";
  const warn = (sentence: string, remedy: string): Finding => ({
    check,
    ok: false,
    severity: "warn",
    sentence,
    remedy,
  });
  const paused = ages.filter((age) => age.paused);
  if (paused.length > 0)
    return warn(
      `Nobody takes work from ${namesOf(paused)}: paused.`,
      "Resume what was paused by hand (BullMQ's `resume`): nothing of ours pauses a queue.",
    );
  if (ages.every(({ schedules }) => schedules === 0))
    return warn(
      "No worker has scheduled its work in this Redis yet: nothing is renewed ahead of its time, and nothing synced.",
      "Start a worker.",
    );
  const late = ages
    .map(({ queue, waitingMs, lateMs }) => ({ queue, ms: Math.max(waitingMs, lateMs) }))
    .filter(({ queue, ms }) => ms > (PATIENCE[queue] ?? PATIENCE_MS))
    .sort((a, b) => b.ms - a.ms);
  const [oldest] = late;
  if (oldest === undefined)
    return { check, ok: true, severity: "warn", sentence: "The workers take what is due." };
  return warn(
    `Work is due and not taken: in ${oldest.queue} for ${Math.floor(oldest.ms / 1_000)} s${late.length > 1 ? `, and in ${namesOf(late.slice(1))}` : ""}.`,
    "See that workers run, and in their log what they wait for; start more of them where they cannot keep up.",
  );
}

const namesOf = (ages: readonly { readonly queue: string }[]): string =>
  ages.map(({ queue }) => queue).join(", ");

/** A few jobs of each, and no list walked through. */
export const readQueueAges = (
  queues: readonly Queue[],
  now: () => Milliseconds,
): Promise<readonly QueueAge[]> =>
  Promise.all(
    queues.map(async (queue) => {
      const [waiting, prioritized, lateMs, paused, schedules] = await Promise.all([
        nextJobDueMs(queue, "wait", now),
        nextJobDueMs(queue, "prioritized", now),
        nextJobDueMs(queue, "delayed", now),
        queue.isPaused(),
        queue.getJobSchedulersCount(),
      ]);
      return { queue: queue.name, waitingMs: Math.max(waiting, prioritized), lateMs, paused, schedules };
    }),
  );
