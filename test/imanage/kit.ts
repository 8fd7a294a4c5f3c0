import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer as createTcpServer, type Socket, type Server as TcpServer } from "node:net";
import { onTestFinished } from "vitest";
import { Secret } from "../../src/domain/secret.ts";
import { defaultServerSettings, endpointsOf, type Server } from "../../src/domain/server.ts";
import { ImanageApi } from "../../src/imanage/imanage-api.ts";
import { ImanageAuthorizationServer } from "../../src/imanage/imanage-authorization-server.ts";
import { ImanageDocuments } from "../../src/imanage/imanage-documents.ts";
import { Outbound, type OutboundOptions } from "../../src/outbound/outbound.ts";

export const ORGANISATION = "org_0123456789";

export function serverAt(
  origin: string,
  change: Omit<Partial<Server>, "settings"> & { settings?: Partial<Server["settings"]> } = {},
): Server {
  return {
    v: 1,
    id: "srv_012345678900000000000000000000000000",
    organisation: ORGANISATION,
    name: "main",
    displayName: "Main",
    kind: "on-premises",
    endpoints: endpointsOf(origin),
    registration: "reg_012345678900000000000000000000000000",
    customerId: undefined,
    configurationGeneration: 1,
    createdAt: 0,
    ...change,
    settings: { ...defaultServerSettings, ...change.settings },
  };
}

/** An outbound door that may reach exactly these origins on loopback; closed with the test. */
export function outboundTo(origins: readonly string[], options: OutboundOptions = {}): Outbound {
  const outbound = new Outbound({ loopbackOrigins: origins, ...options });
  onTestFinished(() => outbound.close());
  return outbound;
}

export function clientsOf(origin: string, options: OutboundOptions & { providerDeadlineMs?: number } = {}) {
  const { providerDeadlineMs, ...rest } = options;
  const outbound = outboundTo([origin], rest);
  const api = new ImanageApi(outbound);
  return {
    server: serverAt(origin),
    authorizationServer: new ImanageAuthorizationServer(outbound, {
      ...(providerDeadlineMs !== undefined && { providerDeadlineMs }),
    }),
    api,
    documents: new ImanageDocuments(api),
    outbound,
  };
}

export const credentials = (...secrets: string[]) => ({
  clientId: "token-broker",
  secrets: (secrets.length === 0 ? ["sim_secret_token-broker"] : secrets).map((secret) => new Secret(secret)),
});

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly form: URLSearchParams;
}

/** A small HTTP server that keeps what it was asked, body and all, and answers as told. */
export async function startServer(
  answer: (seen: Seen, ...args: Parameters<RequestListener>) => void,
): Promise<{ readonly origin: string; readonly seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      const one: Seen = {
        method: req.method ?? "",
        url: req.url ?? "",
        headers: req.headers,
        form: new URLSearchParams(Buffer.concat(chunks).toString("utf8")),
      };
      seen.push(one);
      answer(one, req, res);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

/** Listens and counts: connections that reached it, and bytes. `act` speaks on a connection. */
export async function startListener(
  act: (socket: Socket) => void = () => {},
  host = "127.0.0.1",
): Promise<{ readonly port: number; readonly counts: { connections: number; bytes: number } }> {
  const counts = { connections: 0, bytes: 0 };
  const open = new Set<Socket>();
  const server: TcpServer = createTcpServer((socket) => {
    counts.connections++;
    open.add(socket);
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      counts.bytes += chunk.length;
    });
    act(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, counts };
}

export const json = (body: unknown): string => JSON.stringify(body);
