import { compactDecrypt, decodeProtectedHeader, exportJWK, generateKeyPair } from "jose";
import { describe, expect, it } from "vitest";
import type { ClientId } from "../../src/domain/id.ts";
import { type EncryptionAlgorithm, readEncryptionKey } from "../../src/domain/token-encryption.ts";
import { put } from "../kit/put-records.ts";
import { AMELIA, type World, world } from "../kit/world.ts";

/** A world whose client has a key to encrypt to, and the private half of it. */
async function encrypting(alg: EncryptionAlgorithm, here?: World) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const key = readEncryptionKey({ ...(await exportJWK(publicKey)), kid: "enc-1" }, alg);
  if ("fault" in key) throw new Error(key.fault);
  const at = here ?? (await world());
  const store = at.broker.configuration;
  const client = (await store.findClient(at.credentials.id as ClientId))!;
  const tokenEncryption = { ...key, alg, enc: "A256GCM" as const };
  await put.client(store, { ...client, tokenEncryption, generation: client.generation + 1 });
  return { here: at, privateKey };
}

const user = { type: "user", id: AMELIA.subject };

describe("a client with a key to encrypt to", () => {
  it.each<EncryptionAlgorithm>(["RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A256KW"])(
    "gets its token as JWE by %s, and what it decrypts opens iManage",
    async (alg) => {
      const { here, privateKey } = await encrypting(alg);
      await here.connect();
      const { body } = await here.client.accessToken({ server: here.server, subject: user });
      expect(body).toMatchObject({ access_token_encrypted: true, expires_in: expect.any(Number) });
      expect(decodeProtectedHeader(body.access_token)).toMatchObject({
        alg,
        enc: "A256GCM",
        cty: "text/plain",
        kid: "enc-1",
      });

      const { plaintext } = await compactDecrypt(body.access_token, privateKey);
      const token = new TextDecoder().decode(plaintext);
      expect(JSON.stringify(body)).not.toContain(token);
      const opened = await fetch(`${here.simulator.origin}/work/api/v2/customers/5948/libraries`, {
        headers: { "x-auth-token": token },
      });
      expect(opened.status).toBe(200);
    },
  );

  it("gets it so by token exchange and with a broker token, from the change on", async () => {
    const here = await world();
    await here.connect();
    const { body: proof } = await here.client.token({ grant_type: "client_credentials" });
    const ask = async (token: unknown) => {
      const response = await fetch(`${here.base}/v1/access-tokens`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify({ server: here.server, subject: user }),
      });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    };
    expect((await ask(proof.access_token)).body).not.toHaveProperty("access_token_encrypted");

    const { privateKey } = await encrypting("ECDH-ES", here);
    expect((await ask(proof.access_token)).status).toBe(401);
    const { body: next } = await here.client.token({ grant_type: "client_credentials" });
    const exchanged = await here.client.token({
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      subject_token: AMELIA.subject,
      subject_token_type: "urn:imanage-token-broker:token-type:user",
      audience: here.server,
    });
    for (const { body } of [await ask(next.access_token), exchanged]) {
      expect(body).toMatchObject({ access_token_encrypted: true, token_type: "Bearer" });
      await compactDecrypt(String(body.access_token), privateKey);
    }
  });

  it("whose key cannot be used gets no token in the clear", async () => {
    const { here } = await encrypting("ECDH-ES");
    await here.connect();
    const store = here.broker.configuration;
    const client = (await store.findClient(here.credentials.id as ClientId))!;
    const key = { ...client.tokenEncryption!.key, y: client.tokenEncryption!.key.x! };
    const tokenEncryption = { ...client.tokenEncryption!, key };
    await put.client(store, { ...client, tokenEncryption, generation: client.generation + 1 });
    const answer = await here.client.accessToken({ server: here.server, subject: user });
    expect([answer.status, answer.body.code]).toEqual([500, "internal_error"]);
    expect(answer.body).not.toHaveProperty("access_token");
  });
});
