import { renameSync, writeFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { VaultTransit } from "../../src/kms/vault-transit.ts";
import { systemRandom } from "../../src/security/random.ts";
import {
  addRootKey,
  createRootKeyset,
  openRootKeyset,
  parseRootKeyset,
  wrapRootKeyset,
} from "../../src/security/root-keyset.ts";
import { issue, makeAuthority } from "../kit/certificates.ts";
import { vaultServer } from "./vault-server.ts";

const BOTH = { "transit/encrypt/broker": ["update"], "transit/decrypt/broker": ["update"] } as const;
const KEY = Buffer.from(systemRandom.bytes(32));

async function vaultWith(tls?: { cert: string; key: string }) {
  const vault = await vaultServer(tls);
  vault.addKey("broker");
  const folder = await mkdtemp(join(tmpdir(), "vault-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const tokenFile = join(folder, "token");
  const token = vault.addToken(BOTH);
  await writeFile(tokenFile, `${token}\n`);
  const options = { address: vault.address, mount: "transit", key: "broker", tokenFile, patienceMs: 0 };
  return { vault, token, tokenFile, options, transit: new VaultTransit(options) };
}

describe("root keys wrapped by Vault's transit engine", () => {
  it("open again, under their own context alone", async () => {
    const { transit, vault } = await vaultWith();
    const wrapped = await transit.wrap(KEY, "imb/root-key/1/rk-1");
    expect(wrapped).toMatch(/^vault:v1:/);
    expect(Buffer.from(await transit.unwrap(wrapped, "imb/root-key/1/rk-1"))).toEqual(KEY);
    await expect(transit.unwrap(wrapped, "imb/root-key/1/rk-2")).rejects.toThrow(
      /does not decrypt with transit key broker/,
    );
    expect(vault.requests.map(({ path }) => path)).toEqual(
      ["encrypt", "decrypt", "decrypt"].map((it) => `transit/${it}/broker`),
    );
  });

  it("make a keyset of which the file alone opens nothing (T24)", async () => {
    const { transit, vault } = await vaultWith();
    const bare = createRootKeyset(systemRandom, Date.now()).reveal();
    const wrapped = (await wrapRootKeyset(bare, transit)).reveal();
    expect(wrapped).not.toContain(JSON.parse(bare).keys[0].key);
    expect(() => parseRootKeyset(wrapped)).toThrow(
      /is wrapped by vault-transit transit\/broker: set VAULT_ADDR/,
    );

    const [one, other] = [parseRootKeyset(bare), await openRootKeyset(wrapped, transit)];
    expect(other.primary).toBe(one.primary);
    expect(other.key("broker-token", other.primary).export()).toEqual(
      one.key("broker-token", one.primary).export(),
    );
    // Asked no more once it is open: whatever becomes of Vault.
    vault.state.sealed = true;
    expect(other.key("wrap-data-keys", other.primary).export()).toEqual(
      one.key("wrap-data-keys", one.primary).export(),
    );
    vault.state.sealed = false;
    vault.destroy("broker");
    await expect(openRootKeyset(wrapped, transit)).rejects.toThrow(/has no transit key broker at transit/);
  });

  it("do not open in another entry of the file", async () => {
    const { transit } = await vaultWith();
    const two = addRootKey(
      createRootKeyset(systemRandom, Date.now()).reveal(),
      systemRandom,
      Date.now(),
    ).text;
    const file = JSON.parse((await wrapRootKeyset(two.reveal(), transit)).reveal());
    [file.keys[0].wrapped, file.keys[1].wrapped] = [file.keys[1].wrapped, file.keys[0].wrapped];
    await expect(openRootKeyset(JSON.stringify(file), transit)).rejects.toThrow(/altered/);
  });

  it("are wrapped anew by the newest version of the transit key, and then the old version may go", async () => {
    const { transit, vault } = await vaultWith();
    const first = (
      await wrapRootKeyset(createRootKeyset(systemRandom, Date.now()).reveal(), transit)
    ).reveal();
    vault.rotate("broker");
    const anew = (await wrapRootKeyset(first, transit)).reveal();
    expect([first, anew].map((text) => JSON.parse(text).keys[0].wrapped.slice(0, 9))).toEqual([
      "vault:v1:",
      "vault:v2:",
    ]);
    vault.configure("broker", { min_decryption_version: 2 });
    const opened = await openRootKeyset(anew, transit);
    expect(opened.primary).toBe(JSON.parse(first).keys[0].id);
    await expect(openRootKeyset(first, transit)).rejects.toThrow(
      /too old\)\): whoever keeps Vault must lower its min_decryption_version/,
    );
  });

  it("are asked for in the namespace that is named, and nowhere else", async () => {
    const { vault, options, transit } = await vaultWith();
    vault.state.namespace = "firm/broker";
    await expect(transit.wrap(KEY, "c")).rejects.toThrow(/knows no transit\/encrypt\/broker/);
    const there = new VaultTransit({ ...options, namespace: "firm/broker" });
    expect(Buffer.from(await there.unwrap(await there.wrap(KEY, "c"), "c"))).toEqual(KEY);
    expect(there.name).toBe("vault-transit firm/broker/transit/broker");
  });
});

describe("a Vault that does not serve", () => {
  it("with a token that was renewed while it was asked, gets the new one", async () => {
    const { vault, token, tokenFile, options } = await vaultWith();
    const transit = new VaultTransit({ ...options, patienceMs: 5_000 });
    vault.endToken(token);
    const wrapping = transit.wrap(KEY, "c");
    // In one step, and before its answer can be here, as whoever renews tokens does it.
    writeFileSync(`${tokenFile}.new`, vault.addToken(BOTH));
    renameSync(`${tokenFile}.new`, tokenFile);
    expect(await wrapping).toMatch(/^vault:v1:/);
  });

  it("is waited for: connections that break and a seal that is lifted cost no start", async () => {
    const { vault, options } = await vaultWith();
    const transit = new VaultTransit({ ...options, patienceMs: 20_000 });
    vault.state.failures = 2;
    expect(await transit.wrap(KEY, "c")).toMatch(/^vault:/);
    vault.state.sealed = true;
    const before = vault.requests.length;
    const wrapping = transit.wrap(KEY, "c");
    while (vault.requests.length < before + 2) await new Promise((resolve) => setImmediate(resolve));
    vault.state.sealed = false;
    expect(await wrapping).toMatch(/^vault:/);
  });

  it.each<[string, RegExp, (kit: Awaited<ReturnType<typeof vaultWith>>) => unknown]>([
    [
      "is sealed",
      /is sealed or in maintenance \(Vault is sealed\): somebody who has its unseal keys/,
      ({ vault }) => {
        vault.state.sealed = true;
      },
    ],
    [
      "is away",
      /cannot be reached \(\w+\): start it/,
      ({ vault }) => {
        vault.state.failures = 9;
      },
    ],
    [
      "is a standby",
      /hands over to another address/,
      ({ vault }) => {
        vault.state.standby = "https://active.example";
      },
    ],
    [
      "has ended the token",
      /refuses the token of .*token: it has ended, or its policy/,
      ({ vault, token }) => vault.endToken(token),
    ],
    [
      "has no such key, which is not made by asking",
      /has no transit key broker at transit/,
      ({ vault }) => vault.destroy("broker"),
    ],
    [
      "has no token to be asked with",
      /VAULT_TOKEN_FILE .* cannot be read \(ENOENT\)/,
      ({ tokenFile }) => rm(tokenFile),
    ],
    [
      "is asked with a file that holds no token",
      /does not hold one token/,
      ({ tokenFile }) => writeFile(tokenFile, "{}\n{}\n"),
    ],
  ])(
    "that %s is told in a sentence that says who must act, without a token or a key",
    async (_, sentence, arrange) => {
      const kit = await vaultWith();
      await arrange(kit);
      const error = await kit.transit.wrap(KEY, "c").catch((it: unknown) => it);
      expect(String(error)).toMatch(sentence);
      const told = inspect(error, { showHidden: true, depth: 9 });
      expect(told).not.toContain(kit.token);
      expect(told).not.toContain(KEY.toString("base64"));
      // A redirect is not followed: it would carry the token along.
      expect(kit.vault.requests.length).toBeLessThanOrEqual(2);
    },
  );

  it("has to show a certificate of the authority that is named", async () => {
    const authority = makeAuthority("Vault CA");
    const { certificate, key } = issue(authority, { hosts: ["localhost"] });
    const { options } = await vaultWith({ cert: certificate, key });
    await expect(new VaultTransit(options).wrap(KEY, "c")).rejects.toThrow(
      /certificate that is not believed \(\w+\): name its authority's file in VAULT_CACERT/,
    );
    const known = new VaultTransit({ ...options, ca: authority.certificate });
    expect(Buffer.from(await known.unwrap(await known.wrap(KEY, "c"), "c"))).toEqual(KEY);
  });
});
