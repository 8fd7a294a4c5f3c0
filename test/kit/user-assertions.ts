import { exportJWK, generateKeyPair, type JWTHeaderParameters, SignJWT } from "jose";
import type { PublicJwk } from "../../src/domain/client-keys.ts";
import type { IdentityProvider } from "../../src/domain/identity-provider.ts";

export const ISSUER = "https://login.meridian.example/tenant/v2.0";
export const AUDIENCE = "0f1e2d3c-app";

export interface Issuing {
  readonly provider: IdentityProvider;
  readonly jwks: readonly PublicJwk[];
  /** Signed as the provider does: an ID token for one of its people. A claim or header that is undefined is left out. */
  sign(claims?: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
}

/** An identity provider's signing, without its pages. */
export async function issuing(given: Partial<IdentityProvider> = {}): Promise<Issuing> {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const jwks = [{ ...(await exportJWK(publicKey)), kid: "k1", alg: "ES256" } as PublicJwk];
  return {
    jwks,
    provider: {
      issuer: ISSUER,
      source: { jwks },
      audiences: [AUDIENCE],
      subjectClaim: "sub",
      algorithms: ["ES256"],
      ...given,
    },
    sign(claims = {}, header = {}) {
      const now = Math.floor(Date.now() / 1_000);
      const payload = {
        iss: given.issuer ?? ISSUER,
        aud: AUDIENCE,
        sub: "s-amelia",
        iat: now,
        exp: now + 300,
        ...claims,
      };
      const protectedHeader = { alg: "ES256", kid: "k1", typ: "JWT", ...header };
      return new SignJWT(JSON.parse(JSON.stringify(payload)) as Record<string, unknown>)
        .setProtectedHeader(JSON.parse(JSON.stringify(protectedHeader)) as JWTHeaderParameters)
        .sign(privateKey);
    },
  };
}
