import type { IncomingMessage } from "node:http";
import type { Request, Response } from "express";
import ipaddr from "ipaddr.js";
import {
  authenticateByBrokerToken,
  authenticateBySecret,
  type ClientPorts,
} from "../broker/clients/authenticate-client.ts";
import type { ProofOrigin } from "../broker/clients/failed-proofs.ts";
import type { ProvenClient } from "../broker/clients/tokens-on-their-way.ts";
import type { Client } from "../domain/client.ts";
import { Problem } from "../domain/problem.ts";
import { Secret } from "../domain/secret.ts";
import { certificateOf } from "./presented-certificate.ts";
import { requestIdOf } from "./route.ts";

/**
 * Who calls `/v1`: a broker token (`Authorization: Bearer`), or the client's id and secret (`Authorization: Basic`) for
 * people in a hurry.
 * @throws Problem("invalid_client")
 */
export async function authenticate(
  ports: ClientPorts,
  request: Request,
  response: Response,
): Promise<ProvenClient & { readonly record?: Client }> {
  if (isBearer(request)) return authenticateBearer(ports, request, requestIdOf(response));
  const basic = readBasic(request);
  if (basic === undefined) throw new Problem("invalid_client");
  const origin = proofOriginOf(request, { requestId: requestIdOf(response), address: request.ip ?? "" });
  const record = await authenticateBySecret(ports, basic.id, basic.secret, origin);
  return { id: record.id, generation: record.generation, record };
}

export const isBearer = ({ headers }: IncomingMessage): boolean =>
  /^bearer /i.test(headers.authorization ?? "");

/** @param request one that {@link isBearer} */
export function authenticateBearer(
  ports: ClientPorts,
  request: IncomingMessage,
  requestId: string,
): Promise<ProvenClient> {
  const token = new Secret(request.headers.authorization!.slice("bearer ".length).trim());
  return authenticateByBrokerToken(ports, token, { requestId, certificate: certificateOf(request) });
}

/** Whose failures are counted together: one address, or of IPv6 the /64 that whoever has one address has whole. */
export const proofOriginOf = (
  request: IncomingMessage,
  { requestId, address }: { readonly requestId: string; readonly address: string },
): ProofOrigin => ({
  requestId,
  address: networkOf(address),
  certificate: certificateOf(request),
});

function networkOf(text: string): string {
  if (!ipaddr.isValid(text)) return text;
  const address = ipaddr.process(text);
  return address instanceof ipaddr.IPv6 ? address.parts.slice(0, 4).join(":") : address.toString();
}

/** RFC 6749 §2.3.1: both halves are form-encoded before they are joined; unreadable is undefined. */
export function readBasic(request: IncomingMessage): { id: string; secret: Secret } | undefined {
  const match = /^basic +([A-Za-z0-9+/=_-]+)$/i.exec(request.headers.authorization ?? "");
  if (match === null) return undefined;
  const text = Buffer.from(match[1]!, "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon < 1) return undefined;
  try {
    return { id: formDecode(text.slice(0, colon)), secret: new Secret(formDecode(text.slice(colon + 1))) };
  } catch {
    return undefined;
  }
}

const formDecode = (text: string): string => decodeURIComponent(text.replaceAll("+", " "));
