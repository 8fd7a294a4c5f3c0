import type { RequestHandler } from "express";
import { Problem } from "../domain/problem.ts";

/** Headers whose doubling makes two readers of one request disagree. */
const SINGLE = new Set(["host", "authorization", "content-length", "transfer-encoding", "content-type"]);

/**
 * Refuses what a proxy in front and this process could read differently: header names with underscores (a proxy may take
 * `X_Forwarded_For` for `X-Forwarded-For`), and doubled headers that name who asks or where a body ends (T07).
 * @param rawHeaders names and values in turn, as they came
 * @throws Problem invalid_request
 */
export function refuseUnclearHeaders(rawHeaders: readonly string[]): void {
  const seen = new Set<string>();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    if (name.includes("_"))
      throw new Problem("invalid_request", { detail: "A header name holds an underscore." });
    if (!SINGLE.has(name)) continue;
    if (seen.has(name)) {
      throw new Problem("invalid_request", { detail: "A header stands twice that may stand once." });
    }
    seen.add(name);
  }
}

export const requestHygiene: RequestHandler = (request, _response, next) => {
  refuseUnclearHeaders(request.rawHeaders);
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
