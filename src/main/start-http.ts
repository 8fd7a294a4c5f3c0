import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import { type AddressInfo, Server as NetServer } from "node:net";
import type { Express, RequestHandler } from "express";
import { Problem } from "../domain/problem.ts";
import { buildApp } from "../http/build-app.ts";
import type { HttpDeps } from "../http/deps.ts";
import { requestIds } from "../http/request-ids.ts";
import { requestIdOf } from "../http/route.ts";
import { tokenLane } from "../http/token-lane.ts";
import { accessLog } from "../ops/access-log.ts";
import { traceRequests } from "../ops/trace-requests.ts";
import { buildPages, type PageDeps } from "../pages/build-pages.ts";
import { RedisCalendarStore } from "../store/redis-calendar-store.ts";
import type { Broker } from "./compose.ts";

/**
 * What answers on the public listener. With one address Host is never looked at. With several, it chooses among those that
 * the settings name, and nothing is ever made of what it says (T07): another one is refused.
 */
export function publicListener(broker: Broker): RequestListener {
  const { PUBLIC_BASE_URL: first, OTHER_PUBLIC_BASE_URLS: others } = broker.settings;
  if (others.length === 0) return publicLanes(broker);
  const apps = new Map([first, ...others].map((url) => [new URL(url).host, publicLanes(broker, url)]));
  const stranger = publicApp(broker, first, [refuseHost]);
  return (request, response) => (apps.get(hostOf(request)) ?? stranger)(request, response);
}

/** Names know no case, and a client may say the port that its scheme has anyway. */
const hostOf = ({ headers }: IncomingMessage): string =>
  (headers.host ?? "").toLowerCase().replace(/:443$/, "");

const refuseHost: RequestHandler = () => {
  throw new Problem("invalid_request", { detail: "The Host header names none of this broker's addresses." });
};

/**
 * The public application: the machines' interface and the people's pages.
 * @param publicBaseUrl the address by which those come who are answered here: links and redirect URIs begin with it
 */
export function publicApp(
  broker: Broker,
  publicBaseUrl: string = broker.settings.PUBLIC_BASE_URL,
  before: readonly RequestHandler[] = [],
): Express {
  const deps = publicDeps(broker, publicBaseUrl);
  const pages = buildPages(pageDeps(broker, publicBaseUrl, deps));
  return buildApp(deps, {
    before: [...watch(broker), ...before],
    pages,
  });
}

/** The same, with a lane of their own for token requests. */
const publicLanes = (broker: Broker, publicBaseUrl = broker.settings.PUBLIC_BASE_URL): RequestListener =>
  tokenLane(publicDeps(broker, publicBaseUrl), publicApp(broker, publicBaseUrl), watch(broker));

const publicDeps = (broker: Broker, publicBaseUrl: string): HttpDeps =>
  httpDeps(broker, publicBaseUrl, broker.settings.TRUSTED_PROXY_CIDRS);

/** What the pages are given, for those who come by this address. */
export function pageDeps(
  broker: Broker,
  publicBaseUrl: string,
  { authorization, portal, diagnosis }: Pick<HttpDeps, "authorization" | "portal" | "diagnosis"> = broker,
): PageDeps {
  const { settings, log } = broker;
  const all = [settings.PUBLIC_BASE_URL, ...settings.OTHER_PUBLIC_BASE_URLS];
  return {
    audit: {
      reader: broker.auditBuffer,
      clients: broker.configuration,
      cursors: broker.cursors,
      keptDays: settings.AUDIT_RETENTION_DAYS,
    },
    authorization,
    grants: broker.grantStore,
    libraries: { ...broker.libraryPages, publicBaseUrl },
    calendar: {
      ...authorization,
      lent: broker.libraryStore,
      calendars: new RedisCalendarStore(broker.stores.fast),
    },
    portal,
    diagnosis,
    operators: { ...broker.operators, publicBaseUrl },
    containment: broker.containment,
    operatorViews: { organisations: broker.configuration, gates: broker.profiles },
    settings: {
      publicBaseUrl,
      otherBaseUrls: all.filter((url) => url !== publicBaseUrl),
      productName: settings.PRODUCT_NAME,
      supportContact: settings.SUPPORT_CONTACT,
      logo: broker.logo,
      plainCookies: publicBaseUrl.startsWith("http://"),
    },
    log,
    requestIdOf,
  };
}

/**
 * The machines' interface alone, for clients with certificates.
 * @param proxies whose X-Forwarded-For is believed
 */
export const machineApp = (
  broker: Broker,
  certificates: "tls" | "proxy",
  proxies: readonly string[],
): Express =>
  buildApp(httpDeps(broker, broker.settings.PUBLIC_BASE_URL, proxies), {
    before: watch(broker),
    docs: false,
    certificates,
  });

function httpDeps(broker: Broker, publicBaseUrl: string, trustedProxyCidrs: readonly string[]) {
  const { settings, log } = broker;
  return {
    accessTokens: broker.accessTokens,
    explain: broker.explain,
    authorization: { ...broker.authorization, publicBaseUrl },
    clients: broker.clients,
    tokensOnTheirWay: broker.tokensOnTheirWay,
    people: broker.people,
    grants: broker.grants,
    subjects: broker.subjects,
    portal: { ...broker.portal, publicBaseUrl },
    diagnosis: { ...broker.diagnosis, publicBaseUrl },
    libraries: broker.libraryPages,
    containment: broker.containment,
    idempotency: broker.idempotency,
    syncs: broker.syncs,
    snapshots: broker.snapshots,
    changes: broker.changes,
    events: broker.events,
    subscriptions: broker.subscriptions,
    configuration: broker.changePorts,
    profiles: broker.profiles,
    packages: broker.packages,
    cursors: broker.cursors,
    audit: broker.auditBuffer,
    signer: broker.signer,
    newRequestId: requestIds(broker.random),
    log,
    settings: {
      publicBaseUrl: settings.PUBLIC_BASE_URL,
      otherBaseUrls: settings.OTHER_PUBLIC_BASE_URLS,
      supportContact: settings.SUPPORT_CONTACT,
      productName: settings.PRODUCT_NAME,
      trustedProxyCidrs,
      mtls:
        settings.MTLS_BASE_URL === undefined
          ? undefined
          : { baseUrl: settings.MTLS_BASE_URL, byAuthority: settings.MTLS_CLIENT_CA_FILE !== undefined },
    },
  } satisfies HttpDeps;
}

/** What sees each request go by: the log's line, the metrics, and a trace where they are asked for. */
const watch = ({ log, metrics, tracer, settings }: Broker): readonly RequestHandler[] => [
  accessLog(log, undefined, metrics.meters),
  ...(tracer === undefined ? [] : [traceRequests(tracer, settings.TRACES_ACCEPT_PARENT)]),
];

/** Listens, or says in a sentence why not. */
export async function listen(
  app: RequestListener,
  host: string,
  port: number,
  make: (app: RequestListener) => Server = (listener) => createServer(listener),
): Promise<{ server: Server; port: number }> {
  const server = make(app);
  // Longer than any proxy in front keeps a connection, so that none is closed while a request is on its way.
  server.keepAliveTimeout = 75_000;
  noteWhatIsUnderWay(server);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(new ListenError(host, port, error.code ?? "")),
    );
    server.listen(port, host, resolve);
  });
  return { server, port: (server.address() as AddressInfo).port };
}

/** How long a kept connection stays open for a request that its client may have sent before it heard of the end. */
const LAST_REQUESTS_MS = 1_000;

/**
 * Refuses new connections at once, so that a balancer turns to the next replica with nothing sent. Those there are end with
 * an answer that says so (`Connection: close`): to close one under its client would cost a request that is on its way, and one
 * that is never told to end is used for as long as the process runs (F18).
 */
export function stopListening(server: Server): Promise<void> {
  const last = (response: ServerResponse): void => {
    if (!response.headersSent) response.setHeader("connection", "close");
  };
  for (const response of underWay.get(server) ?? []) last(response);
  server.prependListener("request", (_request, response) => last(response));
  return new Promise((resolve) => {
    const idle = setInterval(() => server.closeIdleConnections(), LAST_REQUESTS_MS);
    // That of `net`: the one of `http` closes idle connections too.
    NetServer.prototype.close.call(server, () => {
      clearInterval(idle);
      resolve();
    });
  });
}

const underWay = new WeakMap<Server, Set<ServerResponse>>();

function noteWhatIsUnderWay(server: Server): void {
  const responses = new Set<ServerResponse>();
  underWay.set(server, responses);
  server.on("request", (_request, response: ServerResponse) => {
    responses.add(response);
    response.once("close", () => responses.delete(response));
  });
}

export class ListenError extends Error {
  constructor(host: string, port: number, code: string) {
    super(
      code === "EADDRINUSE"
        ? `Port ${port} on ${host} is taken. Choose another (HTTP_PORT, OPS_PORT, MTLS_PORT, CLIENT_CERT_PORT), or end what listens there.`
        : `Cannot listen on ${host}:${port} (${code}).`,
    );
    this.name = "ListenError";
    this.stack = "";
  }
}
