import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { type Hit, prefixNeedles, scan } from "./canary.ts";

/** The two routes whose answers hold a token, and where in them. */
const TOKEN_ROUTES = /^\/(v1\/access-tokens|oauth2\/token)(\?|$)/;
const TOKEN = /"access_token":"[^"]+"/;

/**
 * Holds every answer of a server against what every token, code and secret begins with (T36). Answers the hits, which
 * grow as it answers. To be called before the application listens.
 */
export function watchAnswers(server: Server): readonly Hit[] {
  const hits: Hit[] = [];
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    const keep = (chunk: unknown) => {
      if (typeof chunk === "string" || chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk as string));
    };
    const write = response.write.bind(response);
    const end = response.end.bind(response);
    response.write = ((...args: Parameters<typeof write>) => {
      keep(args[0]);
      return write(...args);
    }) as typeof write;
    response.end = ((...args: Parameters<typeof end>) => {
      keep(args[0]);
      const text = `${JSON.stringify(response.getHeaders())}\n${Buffer.concat(chunks).toString("latin1")}`;
      const path = request.url ?? "";
      const rest = TOKEN_ROUTES.test(path) ? text.replace(TOKEN, "") : text;
      hits.push(...scan(rest, prefixNeedles, `the answer ${response.statusCode} to ${request.method}`));
      return end(...args);
    }) as typeof end;
  });
  return hits;
}
