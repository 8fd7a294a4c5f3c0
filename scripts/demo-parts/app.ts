import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { WalkingClient } from "../walk/client.ts";
import { type ConnectSessionAnswer, complete } from "../walk/connect.ts";
import { type Answered, escaped, page, problem, seeOther } from "./app-page.ts";
import { controlCenter, firstServer, type NewFirm, newFirmHome, openPortal, register } from "./new-firm.ts";
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
  /** Where the sample app answers, if it runs. */
  readonly checklist?: string;
  /** Another firm of this client's, to begin with. */
  readonly newFirm?: NewFirm;
}

export const returnUrlOf = (address: string): string => `${address}/returned`;

/** *Matter tracker*: a downstream app in small, to click through by hand. It never sees a refresh token. */
export function buildApp(parts: AppParts): Server {
  /** Connect sessions and the browser that each was begun in: who finishes must be who started. */
  const begun = new Map<string, string>();
  /** Browsers that were sent to the broker's own pages: what is authorized there comes back here too. */
  const visiting = new Set<string>();
  const pages: Pages = {
    "/": async () => page("Matter tracker", home(parts)),
    "/connect": (request) => connect(parts, begun, request),
    "/returned": (request, url) => returned(parts, { begun, visiting }, request, url),
    "/libraries": async () => seeOther(`${parts.brokerUrl}/servers/${parts.server}/libraries`),
    "/token": () => token(parts, parts.server),
    "/changes": () => changes(parts),
    ...(parts.newFirm && newFirmPages(parts, parts.newFirm, visiting)),
  };
  return createServer((request, response) => {
    const url = new URL(request.url ?? "/", parts.address);
    const show =
      request.method === "GET" || request.method === "POST"
        ? pages[request.method === "GET" ? url.pathname : `POST ${url.pathname}`]
        : undefined;
    const answer =
      show?.(request, url) ?? Promise.resolve(page("Not found", "<p>There is no such page.</p>", 404));
    answer
      .catch((error: unknown) =>
        page("Not now", `<p>The broker cannot be asked: ${escaped(describe(error))}</p>`, 502),
      )
      .then((answered) => send(response, answered));
  });
}

type Pages = Readonly<Record<string, (request: IncomingMessage, url: URL) => Promise<Answered>>>;

function newFirmPages(parts: AppParts, firm: NewFirm, visiting: Set<string>): Pages {
  const { client } = parts;
  const visit = { client, visitor: VISITOR, returnUrl: returnUrlOf(parts.address) };
  const send = (role: "organisation_admin" | "user") => async (request: IncomingMessage) => {
    const browser = browserOf(request) ?? randomBytes(16).toString("hex");
    visiting.add(browser);
    const opened = await openPortal(firm, visit, role);
    return opened.status === 201 ? seeOther(opened.body.url, cookieOf(browser)) : problem(opened.body);
  };
  return {
    "/new-firm": async () => newFirmHome(firm),
    "/new-firm/settings": send("organisation_admin"),
    "/new-firm/integrations": send("user"),
    "/new-firm/control-center": async () => controlCenter(),
    "POST /new-firm/control-center": async (request) => register(firm, await readForm(request)),
    "/new-firm/token": async () => {
      const server = await firstServer(firm, client);
      return server === undefined ? seeOther("/new-firm") : token(parts, server);
    },
  };
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) {
    text += chunk;
    if (text.length > FORM_LIMIT) return new URLSearchParams();
  }
  return new URLSearchParams(text);
}

const FORM_LIMIT = 10_000;

const home = ({ hint, serverName, checklist, newFirm }: AppParts): string => `
<p>A downstream app in small. It knows its own client secret and nothing of ${escaped(serverName)}'s.</p>
<ul>
<li><a href="/connect">Connect as you</a>: sign in to ${escaped(serverName)} once ${escaped(hint)}</li>
<li><a href="/token">Token</a>: get an access token and open iManage with it</li>
<li><a href="/libraries">Background service authorization</a>: where a library admin lends a library</li>
<li><a href="/changes">Changes</a>: what happened in the lent library</li>
${checklist === undefined ? "" : `<li><a href="${escaped(checklist)}">Matter checklist</a>: the sample app, which shows that library as it changes</li>`}
${newFirm === undefined ? "" : `<li><a href="/new-firm">${escaped(newFirm.displayName)}</a>: a firm that has nothing yet, to set up from the beginning</li>`}
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
  return seeOther(session.body.start_url, cookieOf(browser));
}

async function returned(
  { client, onConnected }: AppParts,
  { begun, visiting }: { readonly begun: Map<string, string>; readonly visiting: ReadonlySet<string> },
  request: IncomingMessage,
  url: URL,
) {
  const session = url.searchParams.get("connect_session");
  const browser = browserOf(request);
  const fromPages = browser !== undefined && visiting.has(browser);
  // *Return to Matter tracker*: nothing was authorized.
  if (session === null) return seeOther(fromPages ? "/new-firm" : "/");
  const begunIn = begun.get(session);
  if (browser === undefined || (begunIn === undefined ? !fromPages : begunIn !== browser))
    return page("Not yours", "<p>This sign-in was not begun in this browser.</p>", 403);
  begun.delete(session);
  const done = await complete(client, session, url.searchParams.get("completion") ?? "", VISITOR);
  if (done.status !== 200) return problem(done.body);
  onConnected?.(done.body);
  return page(
    "Connected",
    `<p>Your authorization is kept: grant <code>${escaped(done.body.grant ?? "")}</code>.</p>
${begunIn === undefined ? `<p><a href="/new-firm/token">Token</a></p>` : ""}`,
  );
}

async function token({ client }: AppParts, server: string): Promise<Answered> {
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
  const sync = await client.call<{ id: string }>("POST", "/v1/syncs", {
    server,
    library,
    interval: 30,
    existing: "tell",
  });
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

const cookieOf = (browser: string) => ({
  "set-cookie": `tracker=${browser}; HttpOnly; SameSite=Lax; Path=/`,
});

const browserOf = (request: IncomingMessage): string | undefined =>
  /(?:^|;\s*)tracker=([0-9a-f]{32})(?:;|$)/.exec(request.headers.cookie ?? "")?.[1];
