import type { RequestHandler } from "express";
import { ASSERTION_ALGORITHMS } from "../domain/client-keys.ts";
import type { HttpDeps } from "./deps.ts";
import { TOKEN_EXCHANGE } from "./post-oauth2-token.ts";

/** JWK set (RFC 7517): with these keys anybody checks what this broker has signed, its audit's checkpoints for one. */
export function auditKeys({ signer }: Pick<HttpDeps, "signer">): RequestHandler {
  return async (_request, response) =>
    void response.set("Cache-Control", "public, max-age=300").json(await signer.publicKeys());
}

/** RFC 8414: what any OAuth library needs to be a client of this broker. */
export function authorizationServerMetadata({ settings }: Pick<HttpDeps, "settings">): RequestHandler {
  const { mtls } = settings;
  const metadata = {
    issuer: settings.publicBaseUrl,
    token_endpoint: `${settings.publicBaseUrl}/oauth2/token`,
    grant_types_supported: ["client_credentials", TOKEN_EXCHANGE],
    token_endpoint_auth_methods_supported: [
      "private_key_jwt",
      "client_secret_basic",
      "client_secret_post",
      ...methodsOf(mtls),
    ],
    token_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    ...(mtls && {
      // RFC 8705 §3.3 and §5.
      tls_client_certificate_bound_access_tokens: true,
      mtls_endpoint_aliases: { token_endpoint: `${mtls.baseUrl}/oauth2/token` },
    }),
    // Required by RFC 8414 §2. People authorise at iManage, through connect sessions: there is no authorization endpoint.
    response_types_supported: [],
    service_documentation: `${settings.publicBaseUrl}/docs`,
  };
  return (_request, response) => void response.set("Cache-Control", "public, max-age=300").json(metadata);
}

const methodsOf = (mtls: HttpDeps["settings"]["mtls"]): readonly string[] =>
  mtls === undefined ? [] : [...(mtls.byAuthority ? ["tls_client_auth"] : []), "self_signed_tls_client_auth"];
