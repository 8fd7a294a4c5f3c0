import type { Request, Response } from "express";
import { type Milliseconds, seconds } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import type { HttpDeps } from "./deps.ts";
import { problemBody } from "./error-response.ts";
import { requestIdOf } from "./route.ts";

/** One JSON value a line. */
export const LINES = "application/x-ndjson";

/** Only who names it gets lines: `*` means JSON, as everywhere. */
export const wantsLines = (request: Request): boolean =>
  (request.headers.accept ?? "")
    .split(",")
    .some((type) => type.split(";", 1)[0]!.trim().toLowerCase() === LINES);

/** A caller who takes nothing for so long has gone, as far as we can see: what is held for him is let go. */
const STALLED_MS = seconds(60);

/**
 * Tells each value on a line of its own as it comes, and asks for no further one before the caller has room for it. The first one
 * is awaited before anything is answered, so that a refusal is a refusal; what fails later is told as a last line
 * `{"problem": …}`. A caller who goes away ends nothing here: a story that has nothing to keep at its end looks at
 * `RouteCall.untilGone`.
 */
export async function sendLines(
  deps: Pick<HttpDeps, "settings" | "log">,
  response: Response,
  values: AsyncIterator<unknown>,
  stalledMs = STALLED_MS,
): Promise<void> {
  let next = await values.next();
  // Proxies that buffer would tell all at once at the end.
  response.status(200).type(LINES).set("X-Accel-Buffering", "no");
  try {
    for (; next.done !== true; next = await values.next()) await write(response, next.value, stalledMs);
  } catch (error) {
    const problem = error instanceof Problem ? error : new Problem("internal_error");
    deps.log.error({ requestId: String(response.locals.requestId), code: problem.code }, "request failed");
    await write(response, { problem: problemBody(deps, requestIdOf(response), problem) }, stalledMs);
  }
  response.end();
}

async function write(response: Response, value: unknown, stalledMs: Milliseconds): Promise<void> {
  if (response.destroyed || response.write(`${JSON.stringify(value)}\n`)) return;
  const { promise: room, resolve } = Promise.withResolvers<void>();
  const stalled = setTimeout(() => response.destroy(), stalledMs);
  response.once("drain", resolve);
  response.once("close", resolve);
  await room;
  clearTimeout(stalled);
  response.off("drain", resolve);
  response.off("close", resolve);
}
