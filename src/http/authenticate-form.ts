import type { IncomingMessage } from "node:http";
import { z } from "zod";
import { authenticateByAssertion } from "../broker/clients/authenticate-by-assertion.ts";
import { authenticateByCertificate } from "../broker/clients/authenticate-by-certificate.ts";
import { authenticateBySecret, type ClientPorts } from "../broker/clients/authenticate-client.ts";
import type { ProofOrigin } from "../broker/clients/failed-proofs.ts";
import type { Client } from "../domain/client.ts";
import { assertionLimits, JWT_BEARER } from "../domain/client-assertion.ts";
import { Problem } from "../domain/problem.ts";
import { Secret } from "../domain/secret.ts";
import { readBasic } from "./authenticate.ts";

/** By what a client proves itself in a form; which of them, `authenticateForm` says. */
export const clientProof = {
  client_id: z.string().max(64).optional(),
  client_secret: z.string().max(256).optional(),
  client_assertion_type: z
    .literal(JWT_BEARER)
    .optional()
    .meta({ description: "With `client_assertion` (RFC 7523 §2.2)." }),
  client_assertion: z.string().max(assertionLimits.bytes).optional().meta({
    description:
      "`private_key_jwt`: a JWT that the client's registered key signed. `iss` and `sub` the client id, `aud` one string equal to our `issuer` (never the token endpoint, never a list), `exp` at most five minutes ahead, a `jti` of at most 128 characters that is used once; `typ` absent, `JWT` or `client-authentication+jwt`; the key named by `kid`. 8 KiB at most.",
  }),
};

/** RFC 6749 §2.3: one way to prove oneself in each request, by header, secret or assertion; with none of them, by certificate. */
export async function authenticateForm(
  ports: ClientPorts,
  request: IncomingMessage,
  form: Readonly<Record<string, string>>,
  origin: ProofOrigin,
): Promise<Client> {
  const { client_id: id, client_secret: secret, client_assertion: assertion } = form;
  const header = request.headers.authorization;
  if ([header, secret, assertion].filter((proof) => proof !== undefined).length > 1) {
    throw new Problem("invalid_request", { detail: "The client authenticates in two ways at once." });
  }
  if (assertion !== undefined) {
    if (form.client_assertion_type === JWT_BEARER) {
      return authenticateByAssertion(ports, new Secret(assertion), id, origin);
    }
    throw new Problem("invalid_client", { detail: `client_assertion_type must be ${JWT_BEARER}.` });
  }
  if (header !== undefined) {
    const basic = readBasic(request);
    if (basic === undefined) throw new Problem("invalid_client");
    if (id !== undefined && id !== basic.id) {
      throw new Problem("invalid_request", { detail: "The request names two clients." });
    }
    return authenticateBySecret(ports, basic.id, basic.secret, origin);
  }
  if (id === undefined) throw new Problem("invalid_client");
  if (secret === undefined) return authenticateByCertificate(ports, id, origin);
  return authenticateBySecret(ports, id, new Secret(secret), origin);
}
