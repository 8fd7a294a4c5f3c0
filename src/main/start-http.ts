import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Express } from "express";
import { buildApp } from "../http/build-app.ts";
import { requestIdOf } from "../http/route.ts";
import { accessLog } from "../ops/access-log.ts";
import { buildPages } from "../pages/build-pages.ts";
import type { Broker } from "./compose.ts";

/** The public application: the machines' interface and the people's pages. */
export function publicApp(broker: Broker): Express {
  const { settings, log } = broker;
  const plainCookies = settings.PUBLIC_BASE_URL.startsWith("http://");
  const pages = buildPages({
    authorization: broker.authorization,
    libraries: broker.libraryPages,
    settings: {
      publicBaseUrl: settings.PUBLIC_BASE_URL,
      productName: settings.PRODUCT_NAME,
      supportContact: settings.SUPPORT_CONTACT,
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
      libraries: broker.grantStore,
      idempotency: broker.idempotency,
      syncs: broker.syncs,
      changes: broker.changes,
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
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(new ListenError(host, port, error.code ?? "")),
    );
    server.listen(port, host, resolve);
  });
  return { server, port: (server.address() as AddressInfo).port };
}

/** Stops accepting, lets answers that are under way go out. */
export function stopListening(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
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
