import type { Request, Response } from "express";
import { Problem } from "../domain/problem.ts";
import type { HttpDeps } from "./deps.ts";
import { problemBody } from "./error-response.ts";

/** One JSON value a line. */
export const LINES = "application/x-ndjson";

/** Only who names it gets lines: `*` means JSON, as everywhere. */
export const wantsLines = (request: Request): boolean =>
  (request.headers.accept ?? "")
    .split(",")
    .some((type) => type.split(";", 1)[0]!.trim().toLowerCase() === LINES);

/**
 * Tells each value on a line of its own as it comes. The first one is awaited before anything is answered, so that a refusal
 * is a refusal; what fails later is told as a last line `{"problem": …}`. A caller who goes away ends nothing: the story
 * has something to keep at its end.
 */
export async function sendLines(
  deps: Pick<HttpDeps, "settings" | "log">,
  response: Response,
  values: AsyncIterator<unknown>,
): Promise<void> {
  let next = await values.next();
  // Proxies that buffer would tell all at once at the end.
  response.status(200).type(LINES).set("X-Accel-Buffering", "no");
  try {
    for (; next.done !== true; next = await values.next()) write(response, next.value);
  } catch (error) {
    const problem = error instanceof Problem ? error : new Problem("internal_error");
    deps.log.error({ requestId: String(response.locals.requestId), code: problem.code }, "request failed");
    write(response, { problem: problemBody(deps, response, problem) });
  }
  response.end();
}

function write(response: Response, value: unknown): void {
  if (!response.destroyed) response.write(`${JSON.stringify(value)}\n`);
}
