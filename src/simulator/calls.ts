import type { IncomingHttpHeaders } from "node:http";

export const ROUTES = ["authorize", "sign-in", "token", "revoke", "logout", "discovery", "api"] as const;
export type Route = (typeof ROUTES)[number];

/** One request, parsed as far as every endpoint needs it. */
export interface Call {
  route: Route;
  method: string;
  /** What of the API is asked for, such as `documents/:document`: the pattern of the path below the library. */
  resource: string;
  /** Path and query, as received. */
  url: string;
  path: string;
  /** Named parts of the path, such as library. */
  params: Record<string, string>;
  query: URLSearchParams;
  form: URLSearchParams;
  body: string;
  headers: IncomingHttpHeaders;
  /** How the client addressed us: links in answers use it, as a firm's own subdomain does (C). */
  origin: string;
}
