import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { type Hit, prefixNeedles, scan } from "./canary.ts";

/** The routes whose answers hold a secret, and where in them: a token, or a client's secret that is shown once. */
const MAY_TELL = [
  { route: /^POST \/(v1\/access-tokens|oauth2\/token)(\?|$)/, secret: /"access_token":"[^"]+"/ },
  { route: /^POST \/v1\/clients(\/\w+\/secrets)?(\?|$)/, secret: /"secret":"imb_sk_[^"]+"/ },
];

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
      const asked = `${request.method} ${request.url ?? ""}`;
      const may = MAY_TELL.find(({ route }) => route.test(asked));
      const rest = may === undefined ? text : text.replace(may.secret, "");
      hits.push(...scan(rest, prefixNeedles, `the answer ${response.statusCode} to ${request.method}`));
      return end(...args);
    }) as typeof end;
  });
  return hits;
}
