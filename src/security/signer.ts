import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { CompactSign, compactVerify, createLocalJWKSet, exportJWK } from "jose";
import type { SignedType, Signer, SignerPublicKey } from "../broker/ports.ts";
import type { RootKeyset } from "./root-keyset.ts";

const ALGORITHM = "EdDSA";

/**
 * Signs under the primary root key; what was signed under an active one goes on standing. A retired root key takes its
 * signatures along: whoever keeps them keeps `publicKeys()` of their time beside them.
 */
export function makeSigner(rootKeyset: RootKeyset): Signer {
  const keys = new Map(rootKeyset.ids.map((id) => [id, signingKey(rootKeyset.key("signature", id))]));
  return {
    async sign(type, payload) {
      const kid = rootKeyset.primary;
      return new CompactSign(Buffer.from(JSON.stringify(payload)))
        .setProtectedHeader({ alg: ALGORITHM, typ: type, kid })
        .sign(keys.get(kid)!);
    },
    async publicKeys() {
      const list = [...keys].map(async ([kid, key]): Promise<SignerPublicKey> => {
        const { x } = await exportJWK(createPublicKey(key));
        return { kty: "OKP", crv: "Ed25519", x: x!, kid, alg: ALGORITHM, use: "sig" };
      });
      return { keys: await Promise.all(list) };
    },
  };
}

/** What was signed, or undefined: not signed by one of these keys, not of this type, or altered. Needs nothing of a running broker. */
export async function verifySigned(
  jws: string,
  type: SignedType,
  keys: { readonly keys: readonly SignerPublicKey[] },
): Promise<Record<string, unknown> | undefined> {
  try {
    const { payload, protectedHeader } = await compactVerify(
      jws,
      createLocalJWKSet({ keys: [...keys.keys] }),
      {
        algorithms: [ALGORITHM],
      },
    );
    return protectedHeader.typ === type
      ? (JSON.parse(Buffer.from(payload).toString()) as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** An Ed25519 key whose seed is derived from a root key: one thing to keep, back up and rotate (RFC 8410 §7 is the form). */
function signingKey(seed: KeyObject): KeyObject {
  const bytes = seed.export();
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), bytes]);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  bytes.fill(0);
  der.fill(0);
  return key;
}
