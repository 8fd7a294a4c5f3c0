import { lookup as systemLookup } from "node:dns/promises";
import { connect as dialTcp, isIP, type LookupFunction, type Socket } from "node:net";
import { getCACertificates, connect as startTls, type TLSSocket } from "node:tls";
import type { buildConnector } from "undici";
import { decideAddress, decideUrl, type EgressRules } from "./egress-guard.ts";
import { ConnectRefused } from "./outbound-reason.ts";

export interface Address {
  readonly address: string;
  readonly family: number;
}

export interface ConnectOptions {
  readonly rules: EgressRules;
  readonly connectTimeoutMs: number;
  /** PEM certificates that are trusted besides the public ones, by origin: a firm's private CA serves its own server alone (T17). */
  readonly certificateAuthorities: ReadonlyMap<string, string>;
  readonly lookup?: ((hostname: string) => Promise<readonly Address[]>) | undefined;
  /** Makes the TCP connection. Replaced in tests alone, to prove that what it reached is looked at. */
  readonly dial?: typeof dialTcp | undefined;
}

/**
 * Opens every connection this process makes to the outside. Four looks, each before the next step: at the URL, at every
 * address its name resolves to (one bad one spoils them all), at the address the socket reached, and at the certificate.
 * Names are resolved once and the connection is pinned to what was looked at, so a name that changes its mind is too late.
 */
export function guardedConnector(options: ConnectOptions): buildConnector.connector {
  return ({ protocol, host, hostname, port }, callback) => {
    open(options, `${protocol}//${host ?? hostname}`, hostname, port).then(
      (socket) => callback(null, socket),
      (error: unknown) => callback(ConnectRefused.from(error), null),
    );
  };
}

async function open(
  { rules, connectTimeoutMs, certificateAuthorities, lookup = allAddresses, dial = dialTcp }: ConnectOptions,
  target: string,
  hostname: string,
  port: string,
): Promise<Socket> {
  const verdict = decideUrl(target, rules);
  if (!verdict.allowed) throw new ConnectRefused(verdict.because);
  const { url, loopback } = verdict;

  const addresses =
    isIP(hostname) === 0 ? await resolve(lookup, hostname) : [{ address: hostname, family: isIP(hostname) }];
  if (!addresses.every(({ address }) => decideAddress(address, rules, loopback)))
    throw new ConnectRefused("address_denied");

  const secure = url.protocol === "https:";
  const tcp = dial({
    host: hostname,
    port: port === "" ? (secure ? 443 : 80) : Number(port),
    lookup: pinned(addresses),
    autoSelectFamily: true,
    noDelay: true,
    keepAlive: true,
  });
  await ready(tcp, "connect", connectTimeoutMs);
  if (tcp.remoteAddress === undefined || !decideAddress(tcp.remoteAddress, rules, loopback)) {
    tcp.destroy();
    throw new ConnectRefused("address_denied");
  }
  if (!secure) return tcp;

  const extra = certificateAuthorities.get(url.origin);
  const tls = startTls({
    socket: tcp,
    host: hostname,
    // RFC 6066 §3: no SNI for addresses.
    ...(isIP(hostname) === 0 && { servername: hostname }),
    ...(extra !== undefined && { ca: [...getCACertificates("default"), extra] }),
    // Said out loud, so that no environment variable or default can say otherwise.
    rejectUnauthorized: true,
    minVersion: "TLSv1.2",
    ALPNProtocols: ["http/1.1"],
  });
  await ready(tls, "secureConnect", connectTimeoutMs);
  return tls;
}

const allAddresses = (hostname: string): Promise<readonly Address[]> => systemLookup(hostname, { all: true });

async function resolve(
  lookup: (hostname: string) => Promise<readonly Address[]>,
  hostname: string,
): Promise<readonly Address[]> {
  const addresses = await lookup(hostname).catch(() => []);
  if (addresses.length === 0) throw new ConnectRefused("dns");
  return addresses;
}

const pinned =
  (addresses: readonly Address[]): LookupFunction =>
  (_hostname, { all }, callback) => {
    if (all) callback(null, [...addresses]);
    else callback(null, addresses[0]!.address, addresses[0]!.family);
  };

function ready(
  socket: Socket | TLSSocket,
  event: "connect" | "secureConnect",
  timeoutMs: number,
): Promise<void> {
  // Stays for good: an error between two owners of a socket must not end the process.
  socket.on("error", () => {});
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new ConnectRefused("connect_timeout"));
    }, timeoutMs);
    const over = (act: () => void) => () => {
      clearTimeout(timer);
      act();
    };
    socket.once(event, over(resolve));
    socket.once("error", (error) => over(() => reject(ConnectRefused.from(error)))());
    socket.once(
      "close",
      over(() => reject(new ConnectRefused("connection_closed"))),
    );
  });
}
