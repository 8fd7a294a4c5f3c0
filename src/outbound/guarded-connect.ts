import { lookup as systemLookup } from "node:dns/promises";
import { connect as dialTcp, isIP, type LookupFunction, type Socket } from "node:net";
import { createSecureContext, getCACertificates, type SecureContext, connect as startTls } from "node:tls";
import type { buildConnector } from "undici";
import { decideAddress, decideUrl, type EgressRules } from "./egress-guard.ts";
import { ConnectRefused } from "./outbound-reason.ts";
import { type EgressProxy, openTunnel } from "./proxy-tunnel.ts";
import { ready } from "./socket-ready.ts";

export interface Address {
  readonly address: string;
  readonly family: number;
}

export interface Destination {
  readonly hostname: string;
  readonly port: number;
}

export interface ConnectOptions {
  readonly rules: EgressRules;
  readonly connectTimeoutMs: number;
  /** PEM certificates that these connections trust besides the public ones: a firm's private CA (T17). */
  readonly trusted: string | undefined;
  /** Every connection but those of a loopback exception goes through it. */
  readonly proxy: EgressProxy | undefined;
  readonly lookup?: ((hostname: string) => Promise<readonly Address[]>) | undefined;
  /** Makes the TCP connection. Replaced in tests alone, to prove that what it reached is looked at. */
  readonly dial?: typeof dialTcp | undefined;
}

/**
 * Opens every connection this process makes to the outside. Four looks, each before the next step: at the URL, at every
 * address its name resolves to (one bad one spoils them all), at the address the socket reached, and at the certificate.
 * Names are resolved once and the connection is pinned to what was looked at, so a name that changes its mind is too late.
 * Through a proxy the second and third look are the proxy's: it resolves the name and makes the connection.
 */
export function guardedConnector(options: ConnectOptions): buildConnector.connector {
  let made: SecureContext | undefined;
  const context = () => {
    made ??= secureContextOf(options);
    return made;
  };
  return ({ protocol, host, hostname, port }, callback) => {
    open(options, context, `${protocol}//${host ?? hostname}`, hostname, port).then(
      (socket) => callback(null, socket),
      (error: unknown) => callback(ConnectRefused.from(error), null),
    );
  };
}

async function open(
  options: ConnectOptions,
  context: () => SecureContext,
  target: string,
  hostname: string,
  port: string,
): Promise<Socket> {
  const verdict = decideUrl(target, options.rules);
  if (!verdict.allowed) throw new ConnectRefused(verdict.because);
  const { url, loopback } = verdict;
  const secure = url.protocol === "https:";
  const to = { hostname, port: port === "" ? (secure ? 443 : 80) : Number(port) };

  const tcp =
    options.proxy === undefined || loopback
      ? await dialLookingTwice(options, to, loopback)
      : await openTunnel(options.proxy, `${url.hostname}:${to.port}`, options.connectTimeoutMs);
  if (!secure) return tcp;

  const tls = startTls({
    ...tlsOptions(tcp, hostname),
    secureContext: context(),
    // Said out loud, so that no environment variable or default can say otherwise.
    rejectUnauthorized: true,
  });
  await ready(tls, "secureConnect", options.connectTimeoutMs);
  return tls;
}

async function dialLookingTwice(
  options: ConnectOptions,
  to: Destination,
  loopback: boolean,
): Promise<Socket> {
  const addresses = await addressesOf(options, to.hostname);
  if (!addresses.every(({ address }) => decideAddress(address, options.rules, loopback)))
    throw new ConnectRefused("address_denied");
  return connectTcp(options, to, addresses, loopback);
}

/** What a name resolves to; a literal itself. @throws ConnectRefused("dns") */
export async function addressesOf(
  { lookup = allAddresses }: Pick<ConnectOptions, "lookup">,
  hostname: string,
): Promise<readonly Address[]> {
  return isIP(hostname) === 0 ? resolve(lookup, hostname) : [{ address: hostname, family: isIP(hostname) }];
}

/** A TCP connection to one of the addresses that were looked at, and to none other. @throws ConnectRefused */
export async function connectTcp(
  { rules, connectTimeoutMs, dial = dialTcp }: ConnectOptions,
  { hostname, port }: Destination,
  addresses: readonly Address[],
  loopback: boolean,
): Promise<Socket> {
  const tcp = dial({
    host: hostname,
    port,
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
  return tcp;
}

/** How TLS is begun: the same for a connection that is used and for one that is only looked at. */
export const tlsOptions = (socket: Socket, hostname: string) => ({
  socket,
  host: hostname,
  // RFC 6066 §3: no SNI for addresses.
  ...(isIP(hostname) === 0 && { servername: hostname }),
  ALPNProtocols: ["http/1.1"],
});

/** What besides the public certificates is trusted. Made once for many connections: it reads some 150 certificates. */
export const secureContextOf = ({ trusted }: Pick<ConnectOptions, "trusted">): SecureContext =>
  createSecureContext({
    ...(trusted !== undefined && { ca: [...getCACertificates("default"), trusted] }),
    minVersion: "TLSv1.2",
  });

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
