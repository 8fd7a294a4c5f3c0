import { CompactSign, generateKeyPair } from "jose";
import { describe, expect, it } from "vitest";
import { systemRandom } from "../../src/security/random.ts";
import {
  addRootKey,
  parseRootKeyset,
  promoteRootKey,
  retireRootKey,
} from "../../src/security/root-keyset.ts";
import { makeSigner, verifySigned } from "../../src/security/signer.ts";
import { NOW, newKeysetText } from "./kit.ts";

const CHECKPOINT = { sequence: 7, hash: "abc" };

describe("what the broker signs", () => {
  it("is believed by whoever has the public keys alone, from any process with the same root keyset", async () => {
    const text = newKeysetText();
    const jws = await makeSigner(parseRootKeyset(text)).sign("audit-checkpoint+jws", CHECKPOINT);
    const keys = await makeSigner(parseRootKeyset(text)).publicKeys();
    expect(JSON.stringify(keys)).not.toContain('"d"');
    expect(await verifySigned(jws, "audit-checkpoint+jws", keys)).toEqual(CHECKPOINT);
  });

  it("is not believed once a letter is changed, as another thing, under another keyset, or unsigned (T38)", async () => {
    const signer = makeSigner(parseRootKeyset(newKeysetText()));
    const keys = await signer.publicKeys();
    const jws = await signer.sign("audit-checkpoint+jws", CHECKPOINT);
    const verify = (
      text: string,
      type: "audit-checkpoint+jws" | "shred-certificate+jws" = "audit-checkpoint+jws",
    ) => verifySigned(text, type, keys);
    const [header, , signature] = jws.split(".");
    const other = Buffer.from(JSON.stringify({ sequence: 8 })).toString("base64url");
    const none = Buffer.from('{"alg":"none","typ":"audit-checkpoint+jws"}').toString("base64url");
    expect(await verify(`${header}.${other}.${signature}`)).toBeUndefined();
    expect(await verify(`${none}.${other}.`)).toBeUndefined();
    expect(await verify(jws, "shred-certificate+jws")).toBeUndefined();
    expect(
      await verifySigned(
        jws,
        "audit-checkpoint+jws",
        await makeSigner(parseRootKeyset(newKeysetText())).publicKeys(),
      ),
    ).toBeUndefined();
    const { privateKey } = await generateKeyPair("EdDSA");
    const theirs = new CompactSign(Buffer.from(JSON.stringify(CHECKPOINT))).setProtectedHeader({
      alg: "EdDSA",
      typ: "audit-checkpoint+jws",
      kid: keys.keys[0]!.kid,
    });
    expect(await verify(await theirs.sign(privateKey))).toBeUndefined();
    expect(await verify(jws)).toEqual(CHECKPOINT);
  });

  it("stands after the root key was rotated, until the old one is retired", async () => {
    const before = newKeysetText();
    const jws = await makeSigner(parseRootKeyset(before)).sign("audit-checkpoint+jws", CHECKPOINT);
    const { text, id } = addRootKey(before, systemRandom, NOW);
    const promoted = promoteRootKey(text.reveal(), id).reveal();
    const verifiedBy = async (keyset: string) =>
      verifySigned(jws, "audit-checkpoint+jws", await makeSigner(parseRootKeyset(keyset)).publicKeys());
    expect(await verifiedBy(promoted)).toEqual(CHECKPOINT);
    const old = parseRootKeyset(before).primary;
    expect(await verifiedBy(retireRootKey(promoted, old).reveal())).toBeUndefined();
  });
});
