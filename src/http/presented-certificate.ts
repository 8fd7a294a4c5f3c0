import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { RequestHandler } from "express";
import type { PresentedCertificate } from "../broker/clients/ports.ts";
import { Problem } from "../domain/problem.ts";

/**
 * From where a listener takes client certificates. `tls`: its own handshakes. `proxy`: `Client-Cert` (RFC 9440), on a listener
 * that nobody but the operator's proxies can reach. `none`: the public one.
 */
export type CertificateSource = "tls" | "proxy" | "none";

const presented = new WeakMap<IncomingMessage, PresentedCertificate>();
const ofSockets = new WeakMap<Socket, PresentedCertificate>();

export const certificateOf = (request: IncomingMessage): PresentedCertificate | undefined =>
  presented.get(request);

/** Before everything else: whatever the source, no code after this sees a header that names a certificate (RFC 9440 §3, T07). */
export const takeCertificate =
  (source: CertificateSource): RequestHandler =>
  (request, _response, next) => {
    const told = request.headers["client-cert"];
    strip(request);
    const found =
      source === "none" ? undefined : source === "tls" ? ofTls(request.socket) : told && ofHeader(told);
    if (found) presented.set(request, found);
    next();
  };

const HEADERS = ["client-cert", "client-cert-chain"];

function strip(request: IncomingMessage): void {
  if (!HEADERS.some((name) => name in request.headers)) return;
  for (const name of HEADERS) delete request.headers[name];
  // In place, since Node counts on the list's length when it is asked for headers one by one.
  const { rawHeaders } = request;
  for (let i = 0; i < rawHeaders.length; i += 2)
    if (HEADERS.includes(rawHeaders[i]!.toLowerCase())) rawHeaders.splice(i, 2, "Removed", "");
}

function ofTls(socket: Socket): PresentedCertificate | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const known = ofSockets.get(socket);
  // Asked each time: a connection loses TLS's word when the authorities change.
  if (known !== undefined) return { ...known, verified: socket.authorized };
  const der = socket.getPeerX509Certificate()?.raw;
  if (der === undefined) return undefined;
  const found = { der, thumbprint: thumbprintOf(der), verified: socket.authorized };
  ofSockets.set(socket, found);
  return found;
}

/** A Byte Sequence (RFC 8941 §3.3.5), once: two of them arrive here joined, and are none. */
function ofHeader(told: string | readonly string[]): PresentedCertificate {
  const text = typeof told === "string" ? /^:([A-Za-z0-9+/]+={0,2}):$/.exec(told.trim())?.[1] : undefined;
  const der = Buffer.from(text ?? "", "base64");
  if (text === undefined || der.toString("base64") !== text) {
    throw new Problem("invalid_request", {
      detail: "The proxy's Client-Cert header is not one certificate as RFC 9440 writes it.",
    });
  }
  return { der, thumbprint: thumbprintOf(der), verified: false };
}

const thumbprintOf = (der: Uint8Array): string => createHash("sha256").update(der).digest("base64url");
