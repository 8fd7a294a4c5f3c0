import type { RequestHandler } from "express";
import { Problem } from "../domain/problem.ts";

/** Headers whose doubling makes two readers of one request disagree. */
const SINGLE = new Set(["host", "authorization", "content-length", "transfer-encoding", "content-type"]);

/**
 * What a proxy in front and this process could read differently, in a sentence: header names with underscores (a proxy may take
 * `X_Forwarded_For` for `X-Forwarded-For`), and doubled headers that name who asks or where a body ends (T07). Undefined: nothing.
 * @param rawHeaders names and values in turn, as they came
 */
export function unclearIn(rawHeaders: readonly string[]): string | undefined {
  const seen = new Set<string>();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    if (name.includes("_")) return "A header name holds an underscore.";
    if (!SINGLE.has(name)) continue;
    if (seen.has(name)) return "A header stands twice that may stand once.";
    seen.add(name);
  }
  return undefined;
}

export const requestHygiene: RequestHandler = (request, _response, next) => {
  const detail = unclearIn(request.rawHeaders);
  if (detail !== undefined) throw new Problem("invalid_request", { detail });
  next();
};

/** `a=1&a=2` has no meaning anybody agreed on: a query names each member once (T39). */
export function parseQuery(text: string | null): Record<string, string> {
  const query: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(text ?? "")) {
    if (Object.hasOwn(query, name))
      throw new Problem("invalid_request", { detail: "The query names a member twice." });
    query[name] = value;
  }
  return query;
}
