import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { WalkingClient } from "../walk/client.ts";
import { type ConnectSessionAnswer, complete } from "../walk/connect.ts";
import { describe } from "./teller.ts";

/** Whoever sits at the browser, as this app knows him. An app of the real world takes this from its own sign-in. */
export const VISITOR = "you";

export interface AppParts {
  readonly client: WalkingClient;
  /** At the broker. */
  readonly server: string;
  readonly serverName: string;
  readonly address: string;
  /** As browsers know the broker. */
  readonly brokerUrl: string;
  readonly hint: string;
  readonly onConnected?: (session: ConnectSessionAnswer) => void;
}

export const returnUrlOf = (address: string): string => `${address}/returned`;

/** *Matter tracker*: a downstream app in small, to click through by hand. It never sees a refresh token. */
export function buildApp(parts: AppParts): Server {
  /** Connect sessions and the browser that each was begun in: who finishes must be who started. */
  const begun = new Map<string, string>();
  const pages: Readonly<Record<string, (request: IncomingMessage, url: URL) => Promise<Answered>>> = {
    "/": async () => page("Matter tracker", home(parts)),
    "/connect": (request) => connect(parts, begun, request),
    "/returned": (request, url) => returned(parts, begun, request, url),
    "/libraries": async () => ({
      status: 303,
      body: "",
      headers: { location: `${parts.brokerUrl}/servers/${parts.server}/libraries` },
    }),
    "/token": () => token(parts),
    "/changes": () => changes(parts),
  };
  return createServer((request, response) => {
    const url = new URL(request.url ?? "/", parts.address);
    const show = request.method === "GET" ? pages[url.pathname] : undefined;
    const answer =
      show?.(request, url) ?? Promise.resolve(page("Not found", "<p>There is no such page.</p>", 404));
    answer
      .catch((error: unknown) =>
        page("Not now", `<p>The broker cannot be asked: ${escaped(describe(error))}</p>`, 502),
      )
      .then((answered) => send(response, answered));
  });
}

interface Answered {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const home = ({ hint, serverName }: AppParts): string => `
<p>A downstream app in small. It knows its own client secret and nothing of ${escaped(serverName)}'s.</p>
<ul>
<li><a href="/connect">Connect as you</a>: sign in to ${escaped(serverName)} once ${escaped(hint)}</li>
<li><a href="/token">Token</a>: get an access token and open iManage with it</li>
<li><a href="/libraries">Background service authorization</a>: where a library admin lends a library</li>
<li><a href="/changes">Changes</a>: what happened in the lent library</li>
</ul>`;

async function connect(
  { client, server, address }: AppParts,
  begun: Map<string, string>,
  request: IncomingMessage,
) {
  const session = await client.call<ConnectSessionAnswer>("POST", "/v1/connect-sessions", {
    server,
    subject: { type: "user", id: VISITOR },
    return_url: returnUrlOf(address),
  });
  if (session.status !== 201) return problem(session.body);
  const browser = browserOf(request) ?? randomBytes(16).toString("hex");
  begun.set(session.body.id, browser);
  const cookie = `tracker=${browser}; HttpOnly; SameSite=Lax; Path=/`;
  return { status: 303, body: "", headers: { location: session.body.start_url, "set-cookie": cookie } };
}

async function returned(
  { client, onConnected }: AppParts,
  begun: Map<string, string>,
  request: IncomingMessage,
  url: URL,
) {
  const session = url.searchParams.get("connect_session") ?? "";
  const browser = begun.get(session);
  if (browser === undefined || browser !== browserOf(request))
    return page("Not yours", "<p>This sign-in was not begun in this browser.</p>", 403);
  begun.delete(session);
  const done = await complete(client, session, url.searchParams.get("completion") ?? "", VISITOR);
  if (done.status !== 200) return problem(done.body);
  onConnected?.(done.body);
  return page(
    "Connected",
    `<p>Your authorization is kept: grant <code>${escaped(done.body.grant ?? "")}</code>.</p>`,
  );
}

async function token({ client, server }: AppParts): Promise<Answered> {
  const given = await client.accessToken({ server, subject: { type: "user", id: VISITOR } });
  if (given.status !== 200) return problem(given.body);
  const { access_token, fingerprint, expires_in, api_base_url } = given.body;
  const api = await fetch(`${api_base_url}/api`, { headers: { "X-Auth-Token": access_token } });
  const discovered = (await api.json()) as { data?: { user?: { name?: string } } };
  return page(
    "Token",
    `<p>Token with fingerprint <code>${escaped(fingerprint)}</code>, for ${expires_in} s.</p>
<p>iManage's <code>/api</code> answers ${api.status} and says who you are: <b>${escaped(discovered.data?.user?.name ?? "nobody")}</b>.</p>`,
  );
}

interface Listed<T> {
  readonly items: readonly T[];
  readonly page?: string;
}
interface Change {
  readonly object: string;
  readonly stored_at: string;
  readonly actor: string | null;
  readonly document: { readonly name?: string };
}

const SHOWN = 500;

async function changes({ client, server }: AppParts): Promise<Answered> {
  const libraries = await client.call<Listed<{ library: string }>>("GET", `/v1/libraries?server=${server}`);
  if (libraries.status !== 200) return problem(libraries.body);
  const library = libraries.body.items[0]?.library;
  if (library === undefined)
    return page(
      "Changes",
      `<p>No library is lent yet: <a href="/libraries">a library admin does that here</a>.</p>`,
    );
  const sync = await client.call<{ id: string }>("POST", "/v1/syncs", { server, library, interval: 30 });
  if (sync.status !== 201) return problem(sync.body);
  const read = await client.call<Listed<Change>>("GET", `/v1/syncs/${sync.body.id}/changes?limit=${SHOWN}`);
  if (read.status !== 200) return problem(read.body);
  const rows = read.body.items
    .toReversed()
    .map(({ stored_at, object, document, actor }) => [stored_at, object, document.name ?? "", actor ?? ""])
    .map((cells) => `<tr>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join("")}</tr>`);
  return page(
    "Changes",
    `<p>Library ${escaped(library)}, newest first.</p><table>${rows.join("\n")}</table>`,
  );
}

/** What the broker's problem says, and where it says to go. */
function problem(body: object): Answered {
  const { title, action, page: where } = body as { title?: string; action?: string; page?: string };
  const link = where === undefined ? "" : `<p><a href="${escaped(where)}">What to do</a></p>`;
  return page(title ?? "The broker refuses", `<p>${escaped(action ?? "")}</p>${link}`, 409);
}

const page = (title: string, main: string, status = 200): Answered => ({
  status,
  body: `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}td{padding:.1rem .8rem .1rem 0}</style></head>
<body><h1>${escaped(title)}</h1>${main}<p><a href="/">Matter tracker</a></p></body></html>`,
});

function send(response: ServerResponse, { status, body, headers = {} }: Answered): void {
  response.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    ...headers,
  });
  response.end(body);
}

const browserOf = (request: IncomingMessage): string | undefined =>
  /(?:^|;\s*)tracker=([0-9a-f]{32})(?:;|$)/.exec(request.headers.cookie ?? "")?.[1];

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
