import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { connect as startTls, type TLSSocket } from "node:tls";
import type { CertificateSeen, ConnectionSeen, TlsSeen } from "../domain/diagnosis-seen.ts";
import type { Milliseconds } from "../domain/instant.ts";
import { decideAddress, decideUrl } from "./egress-guard.ts";
import {
  addressesOf,
  type ConnectOptions,
  connectTcp,
  secureContextOf,
  tlsOptions,
} from "./guarded-connect.ts";
import { ConnectRefused, reasonOf } from "./outbound-reason.ts";
import { printable } from "./printable-text.ts";
import { openTunnel } from "./proxy-tunnel.ts";
import { ready } from "./socket-ready.ts";

/** A chain that is longer has gone wrong. */
const CHAIN_MAX = 10;
const NAME_MAX = 120;

/**
 * Goes the way of a connection as `guardedConnector` does, the same looks in the same order, and tells how far it came.
 * Nothing is ever written on it. So that an untrusted certificate can be named, the handshake is let finish before the
 * verdict on it is read; the connection ends then, trusted or not.
 */
export async function inspectConnection(
  options: ConnectOptions,
  monotonicMs: () => Milliseconds,
  target: string,
): Promise<ConnectionSeen> {
  const verdict = decideUrl(target, options.rules);
  const parsed = URL.canParse(target) ? new URL(target) : undefined;
  const hostname = (parsed?.hostname ?? "").replace(/^\[|\]$/g, "");
  const secure = parsed?.protocol === "https:";
  const port = parsed === undefined ? 0 : Number(parsed.port || (secure ? 443 : 80));
  const seen = (
    ended: ConnectionSeen["ended"],
    failure: string | undefined,
    more: Partial<ConnectionSeen> = {},
  ): ConnectionSeen => ({
    host: hostname,
    port,
    ended,
    failure,
    addresses: [],
    denied: [],
    proxied: false,
    localAddress: undefined,
    connectMs: undefined,
    tls: undefined,
    ...more,
  });
  if (!verdict.allowed)
    // A literal address is looked at with the URL; it is no fault of the URL's form.
    return verdict.because === "address_denied"
      ? seen("egress", verdict.because, { addresses: [hostname], denied: [hostname] })
      : seen("url", verdict.because);
  const { url, loopback } = verdict;

  const startedAt = monotonicMs();
  const { proxy } = options;
  const proxied = proxy !== undefined && !loopback;
  let names: readonly string[] = [];
  let tcp: Socket;
  if (proxied) {
    // The proxy resolves the name and makes the connection: neither is ours to look at.
    try {
      tcp = await openTunnel(proxy, `${url.hostname}:${port}`, options.connectTimeoutMs);
    } catch (error) {
      return seen("connect", ConnectRefused.from(error).reason, { proxied });
    }
  } else {
    const addresses = await addressesOf(options, hostname).catch(() => undefined);
    if (addresses === undefined) return seen("dns", "dns");
    names = addresses.map(({ address }) => address);
    const denied = names.filter((address) => !decideAddress(address, options.rules, loopback));
    if (denied.length > 0) return seen("egress", "address_denied", { addresses: names, denied });
    try {
      tcp = await connectTcp(options, { hostname, port }, addresses, loopback);
    } catch (error) {
      const { reason } = ConnectRefused.from(error);
      return seen(reason === "address_denied" ? "egress" : "connect", reason, { addresses: names });
    }
  }
  const reached = {
    addresses: names,
    proxied,
    localAddress: tcp.localAddress,
    connectMs: monotonicMs() - startedAt,
  };
  if (!secure) {
    tcp.destroy();
    return seen("open", undefined, reached);
  }
  const { tls, failure } = await inspectTls(options, tcp, hostname);
  return seen(failure === undefined ? "open" : "tls", failure, { ...reached, tls });
}

async function inspectTls(
  options: ConnectOptions,
  tcp: Socket,
  hostname: string,
): Promise<{ readonly tls: TlsSeen | undefined; readonly failure: string | undefined }> {
  // Looked at, never used: nothing is sent on it, and `guarded-connect.ts` refuses what is refused here.
  const socket = startTls({
    ...tlsOptions(tcp, hostname),
    secureContext: secureContextOf(options),
    rejectUnauthorized: false,
  });
  try {
    await ready(socket, "secureConnect", options.connectTimeoutMs);
    const tls = { protocol: socket.getProtocol() ?? undefined, chain: chainOf(socket) };
    return { tls, failure: socket.authorized ? undefined : reasonOfVerdict(socket) };
  } catch (error) {
    const { reason } = ConnectRefused.from(error);
    return { tls: undefined, failure: reason };
  } finally {
    socket.destroy();
  }
}

/** Node tells the verdict as the error it would have thrown, or as its code alone. */
function reasonOfVerdict({ authorizationError }: TLSSocket): string {
  const error: unknown = authorizationError;
  const reason = reasonOf(typeof error === "string" ? { code: error } : error);
  return reason === "failed" ? "tls_untrusted" : reason;
}

/** The certificates as the server sent them, its own first; each linked to the one that signed it, if that was sent. */
function chainOf(socket: TLSSocket): readonly CertificateSeen[] {
  const chain: CertificateSeen[] = [];
  let next: X509Certificate | undefined = socket.getPeerX509Certificate();
  while (next !== undefined && chain.length < CHAIN_MAX) {
    chain.push(certificateOf(next));
    const issuer: X509Certificate | undefined = next.issuerCertificate;
    // A root is its own issuer.
    next = issuer === undefined || issuer.fingerprint256 === next.fingerprint256 ? undefined : issuer;
  }
  return chain;
}

function certificateOf(certificate: X509Certificate): CertificateSeen {
  const subject = nameOf(certificate.subject);
  const issuer = nameOf(certificate.issuer);
  return {
    subject,
    issuer,
    selfSigned: certificate.checkIssued(certificate) && certificate.subject === certificate.issuer,
    fingerprint: certificate.fingerprint256,
    validTo: Date.parse(certificate.validTo),
    issuerAddress: issuerAddressOf(certificate.infoAccess),
  };
}

/** The common name, or the whole name on one line where there is none. */
function nameOf(distinguished: string | undefined): string {
  const text = distinguished ?? "";
  const common = /^CN=(.*)$/m.exec(text)?.[1];
  return printable(common ?? text.replaceAll("\n", ", "), NAME_MAX);
}

/** *CA Issuers* of the authority information access. Shown to people, asked by nobody. */
function issuerAddressOf(infoAccess: string | undefined): string | undefined {
  const address = /^CA Issuers - URI:(https?:\/\/\S+)$/m.exec(infoAccess ?? "")?.[1];
  return address === undefined ? undefined : printable(address, 200);
}
