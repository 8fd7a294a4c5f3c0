import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { JWT_BEARER } from "../../src/domain/client-assertion.ts";
import {
  ASSERTION_ALGORITHMS,
  type AssertionAlgorithm,
  algorithmsOf,
  type ClientKeys,
  type PublicJwk,
  readKeys,
} from "../../src/domain/client-keys.ts";
import type { ClientId } from "../../src/domain/id.ts";
import { systemRandom } from "../../src/security/random.ts";
import { put } from "./put-records.ts";
import type { World } from "./world.ts";

/** A pair of a client's own, as it would make one. */
export interface SigningPair {
  readonly algorithm: AssertionAlgorithm;
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: PublicJwk;
}

export async function signingPair(
  algorithm: AssertionAlgorithm = "ES256",
  kid = "key-1",
): Promise<SigningPair> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  const read = readKeys({ ...(await exportJWK(publicKey)), kid });
  if ("fault" in read) throw new Error(read.fault);
  return { algorithm, kid, privateKey, publicKey, jwk: read.keys[0]! };
}

/** The world's client with these keys; its secret stays. */
export async function giveKeys(
  { broker, credentials }: Pick<World, "broker" | "credentials">,
  source: ClientKeys["source"],
  algorithms?: readonly AssertionAlgorithm[],
): Promise<void> {
  const client = (await broker.configuration.findClient(credentials.id as ClientId))!;
  const own = "jwks" in source ? source.jwks.flatMap(algorithmsOf) : ASSERTION_ALGORITHMS;
  const keys = { source, algorithms: algorithms ?? own };
  await put.client(broker.configuration, { ...client, keys, generation: client.generation + 1 });
}

export const newJti = (): string => Buffer.from(systemRandom.bytes(16)).toString("base64url");

/** What a well-behaved client says of itself. */
export function claimsOf({
  broker,
  credentials,
  base,
}: Pick<World, "broker" | "credentials" | "base">): JWTPayload {
  const now = Math.floor(broker.clock.now() / 1_000);
  return { iss: credentials.id, sub: credentials.id, aud: base, iat: now, exp: now + 60, jti: newJti() };
}

export const sign = (
  claims: JWTPayload,
  { algorithm, kid, privateKey }: SigningPair,
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ alg: algorithm, kid, ...header }).sign(privateKey);

export async function postAssertion(
  base: string,
  assertion: string,
  more: Readonly<Record<string, string>> = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }> {
  const response = await fetch(`${base}/oauth2/token`, {
    method: "POST",
    headers,
    body: new URLSearchParams({
      grant_type: "client_credentials",
      client_assertion_type: JWT_BEARER,
      client_assertion: assertion,
      ...more,
    }),
  });
  return {
    status: response.status,
    body: (await response.json()) as Record<string, unknown>,
    headers: response.headers,
  };
}
