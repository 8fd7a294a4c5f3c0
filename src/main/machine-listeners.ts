import { constants } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Server } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import { createSecureContext, type SecureContextOptions, type TLSSocket } from "node:tls";
import ipaddr from "ipaddr.js";
import { SettingsError } from "../config/settings.ts";
import type { Broker } from "./compose.ts";
import { listen, machineApp } from "./start-http.ts";

/** How soon a renewed certificate is used. Files are looked at, not watched: secrets are mounted by swapping links. */
const LOOK_MS = 10_000;

export interface MachineListener {
  readonly server: Server | TlsServer;
  readonly port: number;
}

/** The listeners for clients with certificates, as far as the settings name them. */
export interface MachineListeners {
  readonly direct: MachineListener | undefined;
  readonly behindProxy: MachineListener | undefined;
  /** Looks at the files at once. */
  readonly lookAtFiles: () => Promise<void>;
  /** No longer looks at files; the servers are closed by whoever started them. */
  readonly stop: () => void;
}

/** @throws SettingsError where a file cannot be used, ListenError */
export async function startMachineListeners(broker: Broker): Promise<MachineListeners> {
  const { settings, log, timers } = broker;
  const files = new TlsFiles(broker);
  if (settings.MTLS_PORT === undefined && settings.CLIENT_CERT_PORT === undefined)
    return { direct: undefined, behindProxy: undefined, lookAtFiles: async () => {}, stop: () => {} };

  const options = await files.read();
  const direct =
    settings.MTLS_PORT === undefined
      ? undefined
      : await listen(machineApp(broker, "tls", []), settings.HTTP_HOST, settings.MTLS_PORT, (app) =>
          createTlsServer({ ...options, requestCert: true, rejectUnauthorized: false }, app),
        );
  const behindProxy =
    settings.CLIENT_CERT_PORT === undefined
      ? undefined
      : await listen(
          machineApp(broker, "proxy", settings.CLIENT_CERT_PROXY_CIDRS),
          settings.HTTP_HOST,
          settings.CLIENT_CERT_PORT,
        );
  const connections = direct && new TlsConnections(direct.server as TlsServer);
  if (behindProxy !== undefined) {
    const proxies = settings.CLIENT_CERT_PROXY_CIDRS.map((range) => ipaddr.parseCIDR(range));
    behindProxy.server.prependListener("connection", (socket) => {
      if (isWithin(socket.remoteAddress, proxies)) return;
      log.warn(
        { code: "not_a_proxy", detail: socket.remoteAddress ?? "" },
        "hung up on who is none of CLIENT_CERT_PROXY_CIDRS",
      );
      socket.destroy();
    });
  }

  const lookAtFiles = async () => {
    try {
      const changed = await files.readChanged();
      if (changed === undefined) return;
      connections?.renew(changed);
      log.info({ detail: "MTLS_CERT_FILE, MTLS_KEY_FILE, MTLS_CLIENT_CA_FILE" }, "certificates read again");
    } catch (error) {
      const detail = error instanceof SettingsError ? error.faults.map(({ setting }) => setting).join() : "";
      log.error(
        { code: "certificates_unusable", detail },
        "certificates that changed cannot be used; those before go on",
      );
    }
  };
  return { direct, behindProxy, lookAtFiles, stop: timers.every(LOOK_MS, () => void lookAtFiles()) };
}

/** Connections of our own TLS, and what becomes of them when the authorities change. */
class TlsConnections {
  readonly #server: TlsServer;
  readonly #open = new Set<TLSSocket>();
  readonly #earlier = new WeakSet<object>();

  constructor(server: TlsServer) {
    this.#server = server;
    server.on("secureConnection", (socket: TLSSocket) => {
      this.#open.add(socket);
      socket.once("close", () => this.#open.delete(socket));
    });
    server.prependListener("request", ({ socket }, response) => {
      if (this.#earlier.has(socket)) response.setHeader("connection", "close");
    });
  }

  /**
   * What TLS said of a connection by earlier authorities counts no longer: its certificate must have been issued by one of
   * today's itself. It ends with its next answer, and so without costing a request.
   */
  renew(options: SecureContextOptions): void {
    this.#server.setSecureContext(options);
    for (const socket of this.#open) {
      socket.authorized = false;
      this.#earlier.add(socket);
    }
  }
}

const isWithin = (
  address: string | undefined,
  ranges: readonly ReturnType<typeof ipaddr.parseCIDR>[],
): boolean => {
  if (address === undefined || !ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  return ranges.some(([base, bits]) => parsed.kind() === base.kind() && parsed.match(base, bits));
};

/** What the settings name of our own certificate and of the authorities that issue clients'. */
class TlsFiles {
  readonly #broker: Pick<Broker, "settings" | "clientAuthorities">;
  #seen = "";

  constructor(broker: Pick<Broker, "settings" | "clientAuthorities">) {
    this.#broker = broker;
  }

  async read(): Promise<SecureContextOptions> {
    return (await this.readChanged()) ?? {};
  }

  /** Undefined: nothing has changed. @throws SettingsError, and what was read before stays */
  async readChanged(): Promise<SecureContextOptions | undefined> {
    const { settings, clientAuthorities } = this.#broker;
    const [cert, key, ca] = await Promise.all([
      fileOf(settings, "MTLS_CERT_FILE"),
      fileOf(settings, "MTLS_KEY_FILE"),
      fileOf(settings, "MTLS_CLIENT_CA_FILE"),
    ]);
    const seen = JSON.stringify([cert, key, ca]);
    if (seen === this.#seen) return undefined;
    const options: SecureContextOptions = {
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      // None: the public authorities would be asked for, and issue certificates to anybody.
      ca: ca ?? [],
      // As where a proxy is in front: who stands in the file issues, whether or not his own issuer does.
      allowPartialTrustChain: true,
      minVersion: "TLSv1.2",
      // Each connection proves its key, by the authorities of today: a resumed one would keep an earlier verdict.
      secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
    };
    await usable("MTLS_CERT_FILE", "and MTLS_KEY_FILE cannot be used together", () =>
      createSecureContext({ cert, key }),
    );
    if (ca !== undefined)
      await usable("MTLS_CLIENT_CA_FILE", "holds no certificate that can be read", () =>
        clientAuthorities.replace(ca),
      );
    this.#seen = seen;
    return options;
  }
}

type FileSetting = "MTLS_CERT_FILE" | "MTLS_KEY_FILE" | "MTLS_CLIENT_CA_FILE";

async function fileOf(settings: Broker["settings"], setting: FileSetting): Promise<string | undefined> {
  const path = settings[setting];
  if (path === undefined) return undefined;
  return usable(setting, "names a file that cannot be read", () => readFile(path, "utf8"));
}

async function usable<T>(setting: FileSetting, message: string, act: () => T | Promise<T>): Promise<T> {
  try {
    return await act();
  } catch {
    throw new SettingsError([{ setting, message }]);
  }
}
