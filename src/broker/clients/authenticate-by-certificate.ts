import type { Client } from "../../domain/client.ts";
import { parseId } from "../../domain/id.ts";
import { Problem } from "../../domain/problem.ts";
import type { Clock, Log } from "../ports.ts";
import type { FailedProofs, ProofOrigin } from "./failed-proofs.ts";
import type { ClientCertificates, ClientStore, ReadBrokerToken } from "./ports.ts";

export interface CertificatePorts {
  readonly clock: Clock;
  readonly log: Pick<Log, "info">;
  readonly clients: Pick<ClientStore, "findClient">;
  readonly certificates: ClientCertificates;
  readonly failedProofs: FailedProofs;
}

/**
 * A client id and a certificate (RFC 8705 §2): TLS, here or in the proxy in front, has shown that the caller has its key.
 * Which look failed stands in the log alone.
 * @throws Problem invalid_client, proof_refused_for_now
 */
export async function authenticateByCertificate(
  ports: CertificatePorts,
  id: string,
  origin: ProofOrigin,
): Promise<Client> {
  const { certificate: presented } = origin;
  const { failedProofs, certificates, clock } = ports;
  // Nobody learns anything of a client from this: it depends on the connection alone.
  if (presented === undefined) throw new Problem("invalid_client", { detail: NO_PROOF });
  failedProofs.refuseWhileStopped(id, origin);
  const clientId = parseId("cli", id);
  const client = clientId && (await ports.clients.findClient(clientId));
  const refuse = (because: string) => failedProofs.refuse(id, origin, because);
  if (client === undefined) return refuse("certificate_unknown_client");
  if (client.state !== "active") return refuse("certificate_client_stopped");
  if (client.certificate === undefined) return refuse("certificate_none_registered");
  const fault = certificates.judge(presented, client.certificate, clock.now());
  return fault === undefined ? client : refuse(fault);
}

const NO_PROOF =
  "The request proves nothing: it carries no secret, and its connection presented no client certificate.";

/**
 * A broker token that was got with a certificate opens nothing without it (RFC 8705 §3, T30). One that was not is anybody's
 * who has it, for its five minutes.
 * @throws Problem invalid_client
 */
export function mustBeBoundTo(
  { log }: Pick<CertificatePorts, "log">,
  token: ReadBrokerToken,
  { certificate, requestId }: Pick<ProofOrigin, "requestId" | "certificate">,
): void {
  if (token.thumbprint === undefined || token.thumbprint === certificate?.thumbprint) return;
  const code = certificate === undefined ? "token_without_its_certificate" : "token_of_another_certificate";
  log.info({ requestId, client: token.client, code }, "client not authenticated");
  throw new Problem("invalid_client");
}
