import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import type { WalkingClient } from "../../scripts/walk/client.ts";
import { complete } from "../../scripts/walk/connect.ts";

/** The product of a vendor, on an origin of its own: who is signed in to it goes from here to our pages, and comes back. */
export interface ClientApp {
  readonly origin: string;
  readonly returnUrl: string;
  /** Where its buttons lead. */
  leadTo(url: string): void;
  /** From now on it completes what comes back, for this person of its own. */
  completeFor(client: WalkingClient, subject: string): void;
}

export async function clientApp(): Promise<ClientApp> {
  let link = "";
  let completeAs: { client: WalkingClient; subject: string } | undefined;
  const page = (title: string, main: string) =>
    `<!doctype html><html lang="en"><title>${title}</title><main><h1>${title}</h1>${main}</main></html>`;
  const returned = async (url: URL) => {
    const session = url.searchParams.get("connect_session");
    if (session === null || completeAs === undefined) return page("Matter tracker", "Nothing came back.");
    if (url.searchParams.has("error")) return page("Not connected", url.searchParams.get("error")!);
    const completion = url.searchParams.get("completion") ?? "";
    const { body } = await complete(completeAs.client, session, completion, completeAs.subject);
    return page("Matter tracker", `${body.state ?? body.code} <a href="${body.page}">How it ended</a>`);
  };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    const answer =
      url.pathname === "/returned" ? returned(url) : Promise.resolve(page("Matter tracker", HOME));
    void answer.then((body) => {
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
      response.end(body.replaceAll("LINK", link));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  // Another host than the broker's 127.0.0.1, so another site to a browser.
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    returnUrl: `${origin}/returned`,
    leadTo: (url) => {
      link = url;
    },
    completeFor: (client, subject) => {
      completeAs = { client, subject };
    },
  };
}

const HOME = `<p><a href="LINK">Here</a> <button onclick="window.open('LINK', 'imanage', 'popup,width=620,height=760')">In a popup</button></p>`;
