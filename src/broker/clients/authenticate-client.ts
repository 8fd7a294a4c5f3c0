import { timing } from "../../domain/access-policy.ts";
import type { Client } from "../../domain/client.ts";
import { type ClientId, parseId } from "../../domain/id.ts";
import { Problem } from "../../domain/problem.ts";
import type { Secret } from "../../domain/secret.ts";
import type { AssertionPorts } from "./authenticate-by-assertion.ts";
import { type CertificatePorts, mustBeBoundTo } from "./authenticate-by-certificate.ts";
import type { ProofOrigin } from "./failed-proofs.ts";
import type { BrokerTokens, ClientSecrets, ClientStore } from "./ports.ts";
import type { RecentClients } from "./recent-clients.ts";
import type { ProvenClient } from "./tokens-on-their-way.ts";

export interface ClientPorts extends AssertionPorts, CertificatePorts {
  readonly clients: Pick<ClientStore, "findClient">;
  readonly recentClients: RecentClients;
  readonly clientSecrets: ClientSecrets;
  readonly brokerTokens: BrokerTokens;
  /** Hears of a secret that fits: it may be kept under a younger root key. Nobody waits for it. */
  readonly secretShown?: (client: Client, secret: Secret) => void;
}

/**
 * Client id and secret (RFC 6749 §2.3.1). Unknown, stopped and wrong are one answer.
 * @throws Problem invalid_client, proof_refused_for_now
 */
export async function authenticateBySecret(
  ports: ClientPorts,
  id: string,
  secret: Secret,
  origin: ProofOrigin,
): Promise<Client> {
  const { failedProofs, clientSecrets } = ports;
  failedProofs.refuseWhileStopped(id, origin);
  const clientId = clientSecrets.isWellFormed(secret) ? parseId("cli", id) : undefined;
  const client = clientId && (await ports.clients.findClient(clientId));
  const matches = clientSecrets.matches(secret, client?.secrets ?? [], ports.clock.now());
  if (client !== undefined && matches && client.state === "active") {
    ports.secretShown?.(client, secret);
    return client;
  }
  const because =
    clientId === undefined
      ? "malformed"
      : client === undefined
        ? "unknown_client"
        : matches
          ? "client_stopped"
          : "wrong";
  return failedProofs.refuse(id, origin, `secret_${because}`);
}

/**
 * A broker token: five minutes of not having to show the secret. Whatever the proof was, over a connection with a certificate
 * it is bound to that one (RFC 8705 §3).
 */
export function issueBrokerToken(
  ports: ClientPorts,
  { id, generation }: Client,
  { certificate }: Pick<ProofOrigin, "certificate">,
): { token: Secret; lifeMs: number } {
  return {
    token: ports.brokerTokens.issue(id, generation, timing.brokerTokenMs, certificate?.thumbprint),
    lifeMs: timing.brokerTokenMs,
  };
}

/**
 * Reads a broker token, and that its client still stands: stopping a client, or changing its secrets, ends every token
 * that was issued before, everywhere within a second.
 * @throws Problem("invalid_client")
 */
export async function authenticateByBrokerToken(
  ports: ClientPorts,
  token: Secret,
  origin: Pick<ProofOrigin, "requestId" | "certificate">,
): Promise<ProvenClient> {
  const read = ports.brokerTokens.read(token);
  if (read === undefined) throw new Problem("invalid_client");
  mustBeBoundTo(ports, read, origin);
  const { client: id, generation } = read;
  if (!(await stands(ports, id, generation))) {
    // What was remembered may be older than the token.
    ports.recentClients.forget(id);
    if (!(await stands(ports, id, generation))) throw new Problem("invalid_client");
  }
  return { id, generation };
}

async function stands({ recentClients }: ClientPorts, id: ClientId, generation: number): Promise<boolean> {
  const standing = await recentClients.findStanding(id);
  return standing?.state === "active" && standing.generation === generation;
}
