import { createServer, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, Server as NetServer } from "node:net";
import type { Express } from "express";
import { buildApp } from "../http/build-app.ts";
import { requestIdOf } from "../http/route.ts";
import { accessLog } from "../ops/access-log.ts";
import { buildPages } from "../pages/build-pages.ts";
import { RedisCalendarStore } from "../store/redis-calendar-store.ts";
import type { Broker } from "./compose.ts";

/** The public application: the machines' interface and the people's pages. */
export function publicApp(broker: Broker): Express {
  const { settings, log } = broker;
  const plainCookies = settings.PUBLIC_BASE_URL.startsWith("http://");
  const pages = buildPages({
    authorization: broker.authorization,
    libraries: broker.libraryPages,
    calendar: {
      ...broker.authorization,
      lent: broker.grantStore,
      calendars: new RedisCalendarStore(broker.stores.fast),
    },
    portal: broker.portal,
    diagnosis: broker.diagnosis,
    operators: broker.operators,
    operatorViews: { organisations: broker.configuration, gates: broker.profiles },
    settings: {
      publicBaseUrl: settings.PUBLIC_BASE_URL,
      productName: settings.PRODUCT_NAME,
      supportContact: settings.SUPPORT_CONTACT,
      logo: broker.logo,
      plainCookies,
    },
    log,
    requestIdOf,
  });
  return buildApp(
    {
      accessTokens: broker.accessTokens,
      authorization: broker.authorization,
      clients: broker.clients,
      grants: broker.grants,
      portal: broker.portal,
      diagnosis: broker.diagnosis,
      libraries: broker.grantStore,
      idempotency: broker.idempotency,
      syncs: broker.syncs,
      changes: broker.changes,
      configuration: broker.changePorts,
      profiles: broker.profiles,
      packages: broker.packages,
      cursors: broker.cursors,
      newRequestId: () => `req_${Buffer.from(broker.random.bytes(12)).toString("base64url")}`,
      log,
      settings: {
        publicBaseUrl: settings.PUBLIC_BASE_URL,
        supportContact: settings.SUPPORT_CONTACT,
        productName: settings.PRODUCT_NAME,
        trustedProxyCidrs: settings.TRUSTED_PROXY_CIDRS,
      },
    },
    { before: [accessLog(log)], pages },
  );
}

/** Listens, or says in a sentence why not. */
export async function listen(
  app: Express,
  host: string,
  port: number,
): Promise<{ server: Server; port: number }> {
  const server = createServer(app);
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
        ? `Port ${port} on ${host} is taken. Choose another (HTTP_PORT, OPS_PORT), or end what listens there.`
        : `Cannot listen on ${host}:${port} (${code}).`,
    );
    this.name = "ListenError";
    this.stack = "";
  }
}
