import { calculateJwkThumbprint, compactDecrypt, exportJWK, generateKeyPair, importJWK } from "jose";
import type { OfflineKeys } from "../broker/export/ports.ts";
import type { PublicJwk } from "../domain/client-keys.ts";
import { Secret } from "../domain/secret.ts";

const ALG = "ECDH-ES+A256KW";

/** Key pairs whose private half never comes near a broker: exports are sealed to the public one (RFC 7516, RFC 7518 §4.6). */
export const offlineKeys: OfflineKeys = {
  async create() {
    const { privateKey, publicKey } = await generateKeyPair(ALG, { crv: "P-256", extractable: true });
    const jwk = (await exportJWK(publicKey)) as PublicJwk;
    const named = { kid: await calculateJwkThumbprint(jwk as never), use: "enc", alg: ALG };
    return {
      publicKeys: JSON.stringify({ keys: [{ ...jwk, ...named }] }, undefined, 2),
      privateKey: new Secret(JSON.stringify({ ...(await exportJWK(privateKey)), ...named })),
    };
  },
  thumbprint: (key) => calculateJwkThumbprint(key as never),
  async open(sealed, privateKey) {
    try {
      const key = await importJWK(JSON.parse(privateKey.reveal()), ALG);
      const { plaintext } = await compactDecrypt(sealed, key, { keyManagementAlgorithms: [ALG] });
      return new Secret(new TextDecoder().decode(plaintext));
    } catch {
      return undefined;
    }
  },
};
