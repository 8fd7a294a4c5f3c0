import type { Client } from "../../domain/client.ts";
import { judgeAssertionForm, rememberUseMs } from "../../domain/client-assertion.ts";
import type { AssertionAlgorithm, ClientKeys, PublicJwk } from "../../domain/client-keys.ts";
import { parseId } from "../../domain/id.ts";
import { Problem } from "../../domain/problem.ts";
import type { Secret } from "../../domain/secret.ts";
import type { Clock } from "../ports.ts";
import type { FailedProofs, ProofOrigin } from "./failed-proofs.ts";
import type { AssertionReader, ClientStore, ProofStore } from "./ports.ts";
import type { PublishedKeys } from "./published-keys.ts";

export interface AssertionPorts {
  readonly clock: Clock;
  readonly clients: Pick<ClientStore, "findClient">;
  readonly assertions: AssertionReader;
  readonly proofs: Pick<ProofStore, "claimAssertion">;
  readonly publishedKeys: PublishedKeys;
  readonly failedProofs: FailedProofs;
  /** Ours, as our metadata says it. */
  readonly issuer: string;
}

/**
 * `private_key_jwt` (RFC 7523 §3; OpenID Connect Core §9). What is wrong with the form is said; who is registered here, with
 * which keys, is not: unknown, stopped, another key and used before are one answer.
 * @param named the request's `client_id`, which must be the same one (RFC 7521 §4.2)
 * @throws Problem invalid_client, proof_refused_for_now, client_keys_unavailable
 */
export async function authenticateByAssertion(
  ports: AssertionPorts,
  assertion: Secret,
  named: string | undefined,
  origin: ProofOrigin,
): Promise<Client> {
  const { clock, assertions, failedProofs, proofs } = ports;
  const text = assertions.read(assertion);
  if (text === "too_large") {
    return failedProofs.refuse(
      named ?? "",
      origin,
      "assertion_too_large",
      "The assertion is longer than 8 KiB.",
    );
  }
  if (text === "malformed") {
    const says =
      "The assertion is no signed JWT in compact form: three parts of base64url without padding, the first two JSON objects.";
    return failedProofs.refuse(named ?? "", origin, "assertion_malformed", says);
  }
  const form = judgeAssertionForm(text, ports.issuer, clock.now());
  const id = form.client ?? named ?? "";
  failedProofs.refuseWhileStopped(id, origin);
  const refuse = (because: string, says?: string) =>
    failedProofs.refuse(id, origin, `assertion_${because}`, says);
  if (!form.ok) return refuse(form.fault, form.says);
  if (named !== undefined && named !== form.client) {
    return refuse(
      "other_client",
      "client_id is not the client that the assertion names; it may be left out.",
    );
  }

  const clientId = parseId("cli", form.client);
  const client = clientId && (await ports.clients.findClient(clientId));
  if (client === undefined) return refuse("unknown_client");
  if (client.state !== "active") return refuse("client_stopped");
  if (client.keys === undefined) return refuse("no_keys_registered");
  const algorithm = client.keys.algorithms.find((one) => one === form.alg);
  if (algorithm === undefined) return refuse("algorithm_not_registered");
  const keys = await keysOf(ports, client, client.keys, form.kid);
  const verdict = await assertions.verify(assertion, keys, algorithm satisfies AssertionAlgorithm);
  if (verdict !== "fits") return refuse(verdict);
  // Last, so that nobody uses up a jti who could not have signed it.
  if (await proofs.claimAssertion(client.id, form.jti, rememberUseMs(form.expiresAt, clock.now())))
    return client;
  return refuse("used_before");
}

async function keysOf(
  { publishedKeys }: AssertionPorts,
  client: Client,
  { source }: ClientKeys,
  kid: string | undefined,
): Promise<readonly PublicJwk[]> {
  if ("jwks" in source) return source.jwks;
  const keys = await publishedKeys.find({ client: client.id }, source.jwksUri, kid);
  // Nothing could be looked at, so nothing failed: to say "wrong key" would send people searching for one.
  if (keys === undefined) throw new Problem("client_keys_unavailable", { retryAfterMs: 60_000 });
  return keys;
}
