import type { Request } from "express";

/** Every value of a query parameter. Read here and not by `request.query`, whose parser is a setting of the app. */
export function queryValues(request: Request, name: string): readonly string[] {
  const at = request.originalUrl.indexOf("?");
  return at < 0 ? [] : new URLSearchParams(request.originalUrl.slice(at)).getAll(name);
}

/** The value of a query parameter that is there once. */
export function queryValue(request: Request, name: string): string | undefined {
  const values = queryValues(request, name);
  return values.length === 1 ? values[0] : undefined;
}
