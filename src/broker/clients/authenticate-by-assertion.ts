import type { Client } from "../../domain/client.ts";
import { judgeAssertionForm, rememberUseMs } from "../../domain/client-assertion.ts";
import type { AssertionAlgorithm, ClientKeys, PublicJwk } from "../../domain/client-keys.ts";
import { parseId } from "../../domain/id.ts";
import { Problem } from "../../domain/problem.ts";
import type { Secret } from "../../domain/secret.ts";
import type { Clock } from "../ports.ts";
import type { FailedProofs, ProofOrigin } from "./failed-proofs.ts";
import type { AssertionReader, ProofStore } from "./ports.ts";
import type { PublishedKeys } from "./published-keys.ts";
import type { RecentClients } from "./recent-clients.ts";

export interface AssertionPorts {
  readonly clock: Clock;
  readonly recentClients: RecentClients;
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
  let client = clientId && (await ports.recentClients.findClient(clientId));
  let verdict = await judge(ports, client, assertion, form);
  if (verdict !== "fits" && clientId !== undefined) {
    // By what it was a moment ago. Its keys may have changed since, or it was started again.
    ports.recentClients.forget(clientId);
    const now = await ports.recentClients.findClient(clientId);
    if (now?.generation !== client?.generation || now?.state !== client?.state) {
      client = now;
      verdict = await judge(ports, client, assertion, form);
    }
  }
  if (client === undefined || verdict !== "fits") return refuse(verdict);
  // Last, so that nobody uses up a jti who could not have signed it.
  if (await proofs.claimAssertion(client.id, form.jti, rememberUseMs(form.expiresAt, clock.now())))
    return client;
  return refuse("used_before");
}

/** `fits`, or why it does not: a word for the log. */
async function judge(
  ports: AssertionPorts,
  client: Client | undefined,
  assertion: Secret,
  { alg, kid }: { readonly alg: string; readonly kid: string | undefined },
): Promise<string> {
  if (client === undefined) return "unknown_client";
  if (client.state !== "active") return "client_stopped";
  if (client.keys === undefined) return "no_keys_registered";
  const algorithm = client.keys.algorithms.find((one) => one === alg);
  if (algorithm === undefined) return "algorithm_not_registered";
  const keys = await keysOf(ports, client, client.keys, kid);
  return ports.assertions.verify(assertion, keys, algorithm satisfies AssertionAlgorithm);
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
