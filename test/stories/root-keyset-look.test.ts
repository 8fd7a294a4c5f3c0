import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { readSettings } from "../../src/config/settings.ts";
import { VaultTransit } from "../../src/kms/vault-transit.ts";
import { lookAtRootKeyset, rootKeysetOf } from "../../src/main/root-keys.ts";
import { systemRandom } from "../../src/security/random.ts";
import { createRootKeyset, wrapRootKeyset } from "../../src/security/root-keyset.ts";
import { vaultServer } from "../kms/vault-server.ts";

it("a process sees that it could not start again: Vault sealed, its file gone, or another's keys in it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "keyset-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const [file, tokenFile] = [join(folder, "keyset.json"), join(folder, "token")];
  const vault = await vaultServer();
  vault.addKey("broker");
  await writeFile(
    tokenFile,
    vault.addToken({ "transit/encrypt/broker": ["update"], "transit/decrypt/broker": ["update"] }),
  );
  const transit = new VaultTransit({ address: vault.address, mount: "transit", key: "broker", tokenFile });
  const wrapped = async () =>
    (await wrapRootKeyset(createRootKeyset(systemRandom, Date.now()).reveal(), transit)).reveal();
  const mine = await wrapped();
  await writeFile(file, mine, { mode: 0o600 });
  const settings = readSettings({
    NODE_ENV: "test",
    REDIS_URL: "redis://127.0.0.1:6379",
    PUBLIC_BASE_URL: "http://127.0.0.1:8080",
    ROOT_KEYSET_FILE: file,
    VAULT_ADDR: vault.address,
    VAULT_TRANSIT_KEY: "broker",
    VAULT_TOKEN_FILE: tokenFile,
  });
  const held = await rootKeysetOf(settings);
  const look = () => lookAtRootKeyset(settings, held, 20);
  expect(await look()).toEqual({ opened: true, sameKeys: true });
  vault.state.sealed = true;
  expect(await look()).toEqual({ opened: false, why: expect.stringMatching(/sealed/) });
  vault.state.sealed = false;
  await writeFile(file, await wrapped());
  expect(await look()).toEqual({ opened: true, sameKeys: false });
  await rm(file);
  expect(await look()).toEqual({ opened: false, why: expect.stringContaining("cannot be read") });
});
