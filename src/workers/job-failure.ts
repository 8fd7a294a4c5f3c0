import { UnrecoverableError } from "bullmq";
import type { Log } from "../broker/ports.ts";
import { Problem } from "../domain/problem.ts";
import { aboutOf, type QueueName } from "./queues.ts";

/**
 * What a job that failed leaves behind: BullMQ keeps an error's message and stack in Redis and shows them on the
 * dashboard, so only our own code goes there (design §3.13). Nothing is retried here: the schedule of record brings back
 * what time heals, and what a person must heal would fail again.
 */
export function jobFailure(error: unknown, queue: QueueName, id: string | undefined, log: Log): Error {
  const problem = error instanceof Problem ? error : undefined;
  const code = problem?.code ?? "internal_error";
  const fields = { code, outcome: "job_failed", ...aboutOf(queue, id) };
  if (problem?.remedy === "time") log.warn({ ...fields, detail: problem.message }, queue);
  else log.error({ ...fields, detail: problem?.message ?? whereFrom(error) }, queue);

  const failure = new UnrecoverableError(code);
  failure.stack = code;
  return failure;
}

/** A defect's name and the lines it passed through, without its message: that may hold anything. */
function whereFrom(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const lines = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  return [error.name, ...lines.slice(0, 4).map((line) => line.trim())].join(" ");
}
