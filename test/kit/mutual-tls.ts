import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type Agent, type IncomingHttpHeaders, request as plainRequest } from "node:http";
import { Agent as TlsAgent, request as tlsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { freePort } from "../../scripts/redis/index.ts";
import type { RegisteredCertificate } from "../../src/domain/client-certificate.ts";
import type { ClientId } from "../../src/domain/id.ts";
import { type MachineListeners, startMachineListeners } from "../../src/main/machine-listeners.ts";
import { stopListening } from "../../src/main/start-http.ts";
import { type Issued, issue, makeAuthority } from "./certificates.ts";
import { put } from "./put-records.ts";
import { type World, type WorldOptions, world } from "./world.ts";

export const serverAuthority = makeAuthority("Broker TLS");
export const clientAuthority = makeAuthority("Meridian Clients");

export interface MutualTlsWorld extends World {
  readonly listeners: MachineListeners;
  /** `https://localhost:…`, with TLS of its own. */
  readonly direct: string;
  /** `http://127.0.0.1:…`, for a proxy. */
  readonly behindProxy: string;
  /** Files that the settings name, to be written anew. */
  readonly files: { readonly certificate: string; readonly key: string; readonly authorities: string };
  register(certificate: RegisteredCertificate): Promise<void>;
}

/** A world with both listeners for clients with certificates. */
export async function mutualTlsWorld(
  options: WorldOptions & { readonly proxies?: string } = {},
): Promise<MutualTlsWorld> {
  const folder = await mkdtemp(join(tmpdir(), "broker-tls-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const files = {
    certificate: join(folder, "server.crt"),
    key: join(folder, "server.key"),
    authorities: join(folder, "clients.crt"),
  };
  const own = issue(serverAuthority, { hosts: ["localhost"] });
  await writeFile(files.certificate, own.certificate);
  await writeFile(files.key, own.key);
  await writeFile(files.authorities, clientAuthority.certificate);
  const [tlsPort, plainPort] = [await freePort(), await freePort()];
  const here = await world({
    ...options,
    settings: {
      MTLS_BASE_URL: `https://localhost:${tlsPort}`,
      MTLS_PORT: String(tlsPort),
      MTLS_CERT_FILE: files.certificate,
      MTLS_KEY_FILE: files.key,
      MTLS_CLIENT_CA_FILE: files.authorities,
      CLIENT_CERT_PORT: String(plainPort),
      CLIENT_CERT_PROXY_CIDRS: options.proxies ?? "127.0.0.0/8",
      HTTP_HOST: "127.0.0.1",
      ...options.settings,
    },
  });
  const listeners = await startMachineListeners(here.broker);
  onTestFinished(async () => {
    listeners.stop();
    for (const listener of [listeners.direct, listeners.behindProxy]) {
      listener?.server.closeAllConnections();
      if (listener !== undefined) await stopListening(listener.server);
    }
  });
  const { configuration } = here.broker;
  return {
    ...here,
    listeners,
    files,
    direct: `https://localhost:${tlsPort}`,
    behindProxy: `http://127.0.0.1:${plainPort}`,
    async register(certificate) {
      const client = await here.broker.clients.clients.findClient(here.credentials.id as ClientId);
      if (client === undefined) throw new Error("no client");
      await put.client(configuration, { ...client, certificate, generation: client.generation + 1 });
    },
  };
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
}

export interface Sent {
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly form?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  /** Presented in the TLS handshake. */
  readonly as?: Issued | undefined;
  readonly agent?: Agent;
}

/** One request, on a connection of its own unless an agent is given. */
export function send(url: string, sent: Sent = {}): Promise<Answered> {
  const body =
    sent.form !== undefined
      ? new URLSearchParams(sent.form).toString()
      : sent.json !== undefined
        ? JSON.stringify(sent.json)
        : undefined;
  const type = sent.form === undefined ? "application/json" : "application/x-www-form-urlencoded";
  const secure = url.startsWith("https:");
  return new Promise((resolve, reject) => {
    const request = (secure ? tlsRequest : plainRequest)(
      url,
      {
        method: body === undefined ? "GET" : "POST",
        headers: { ...(body !== undefined && { "content-type": type }), ...(sent.headers as object) },
        agent: sent.agent ?? (secure ? agentOf(sent.as) : false),
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("error", reject);
        response.on("end", () => {
          const json = /json/.test(response.headers["content-type"] ?? "");
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: json ? (JSON.parse(text) as Record<string, unknown>) : { text },
          });
        });
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

export const agentOf = (as: Issued | undefined, keepAlive = false): TlsAgent =>
  new TlsAgent({
    keepAlive,
    ca: serverAuthority.certificate,
    ...(as && { cert: as.certificate, key: as.key }),
  });

/** As RFC 9440 writes a certificate into a header. */
export const clientCert = ({ certificate }: Issued): string =>
  `:${certificate.replaceAll(/-----[A-Z ]+-----|\s/g, "")}:`;
