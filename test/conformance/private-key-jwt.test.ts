import { sign as cryptoSign, generateKeyPairSync } from "node:crypto";
import {
  allowInsecureRequests,
  type Configuration,
  clientCredentialsGrant,
  discovery,
  genericGrantRequest,
  PrivateKeyJwt,
} from "openid-client";
import { describe, expect, it } from "vitest";
import { type AssertionAlgorithm, readKeys } from "../../src/domain/client-keys.ts";
import { claimsOf, giveKeys, postAssertion, type SigningPair, sign, signingPair } from "../kit/assertions.ts";
import { AMELIA, type World, world } from "../kit/world.ts";

/** `private_key_jwt` seen from the other side: a library that nobody here wrote, and RFC 7523 §3 clause by clause. */
const discovered = (here: World, { privateKey, kid }: SigningPair): Promise<Configuration> =>
  discovery(new URL(here.base), here.credentials.id, undefined, PrivateKeyJwt({ key: privateKey, kid }), {
    algorithm: "oauth2",
    execute: [allowInsecureRequests],
  });

/** A world whose client has one key. */
async function keyed(algorithm: AssertionAlgorithm = "ES256") {
  const here = await world();
  const pair = await signingPair(algorithm);
  await giveKeys(here, { jwks: [pair.jwk] });
  return { here, pair };
}

describe("openid-client's own PrivateKeyJwt", () => {
  it.each<AssertionAlgorithm>(["ES256", "ES384", "PS256", "RS256", "Ed25519"])(
    "with a key for %s gets a broker token that opens /v1, again and again",
    async (algorithm) => {
      const { here, pair } = await keyed(algorithm);
      const configuration = await discovered(here, pair);
      await clientCredentialsGrant(configuration);
      const answer = await clientCredentialsGrant(configuration);
      expect(answer).toMatchObject({ token_type: "bearer", expires_in: 300 });
      const grants = await fetch(`${here.base}/v1/grants?organisation=${here.organisation}`, {
        headers: { authorization: `Bearer ${answer.access_token}` },
      });
      expect(grants.status).toBe(200);
    },
  );

  it("exchanges a user's id for an iManage token", async () => {
    const { here, pair } = await keyed();
    await here.connect();
    const answer = await genericGrantRequest(
      await discovered(here, pair),
      "urn:ietf:params:oauth:grant-type:token-exchange",
      {
        subject_token: AMELIA.subject,
        subject_token_type: "urn:imanage-token-broker:token-type:user",
        audience: here.server,
      },
    );
    const opened = await fetch(`${here.simulator.origin}/work/api/v2/customers/5948/libraries`, {
      headers: { "x-auth-token": answer.access_token },
    });
    expect(opened.status).toBe(200);
  });
});

/** RFC 7515 §3.1 with Node's own signatures: no JOSE library on the client's side. */
describe("an assertion put together by hand", () => {
  it.each([
    ["ES256", () => generateKeyPairSync("ec", { namedCurve: "P-256" }), "sha256"],
    ["ES384", () => generateKeyPairSync("ec", { namedCurve: "P-384" }), "sha384"],
    ["RS256", () => generateKeyPairSync("rsa", { modulusLength: 2_048 }), "sha256"],
    ["EdDSA", () => generateKeyPairSync("ed25519"), undefined],
  ] as const)("by %s is taken", async (alg, generate, hash) => {
    const here = await world();
    const { privateKey, publicKey } = generate();
    const read = readKeys(publicKey.export({ format: "jwk" }));
    if ("fault" in read) throw new Error(read.fault);
    await giveKeys(here, { jwks: read.keys });
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const input = `${part({ alg, typ: "client-authentication+jwt" })}.${part(claimsOf(here))}`;
    const signature = cryptoSign(hash, Buffer.from(input), { key: privateKey, dsaEncoding: "ieee-p1363" });
    const { status } = await postAssertion(here.base, `${input}.${signature.toString("base64url")}`);
    expect(status).toBe(200);
  });
});

describe("RFC 7523 §3, an assertion", () => {
  it("is taken once: the same jti again is refused, at another replica too (T30)", async () => {
    const { here, pair } = await keyed();
    const claims = claimsOf(here);
    const another = await here.replica({ PUBLIC_BASE_URL: here.base });
    const first = await postAssertion(here.base, await sign(claims, pair));
    const again = await postAssertion(here.base, await sign(claims, pair));
    const there = await postAssertion(another.base, await sign(claims, pair));
    expect([first, again, there].map(({ status }) => status)).toEqual([200, 401, 401]);
    expect(again.body).toMatchObject({ error: "invalid_client", code: "invalid_client" });
    expect(here.lines.join("")).toContain("assertion_used_before");
  });

  it("whose aud is anything but the one string that is our issuer is refused, and told why (T13)", async () => {
    const { here, pair } = await keyed();
    const { base } = here;
    const audiences: Record<string, unknown> = {
      "the token endpoint": `${base}/oauth2/token`,
      "a list of two": [base, `${base}/oauth2/token`],
      "a list of one": [base],
      "a slash behind it": `${base}/`,
      "another case": base.toUpperCase(),
      nobody: undefined,
      "another issuer": "https://idp.example.com",
    };
    for (const [what, aud] of Object.entries(audiences)) {
      const claims = { ...claimsOf(here), aud: aud as string };
      const { status, body } = await postAssertion(base, await sign(claims, pair));
      expect([what, status, body.error]).toEqual([what, 401, "invalid_client"]);
      expect(body.error_description, what).toContain(`letter by letter ${base}`);
    }
    expect(here.lines.join("")).toContain("assertion_audience");
  });
});
