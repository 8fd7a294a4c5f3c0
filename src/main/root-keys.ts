import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { RootKeyWrapper } from "../broker/keys/ports.ts";
import type { Settings, WrapperSettings } from "../config/settings.ts";
import { KmsError } from "../kms/kms-error.ts";
import { VaultTransit } from "../kms/vault-transit.ts";
import type { OperatorLog } from "../ops/log.ts";
import { systemRandom } from "../security/random.ts";
import { createRootKeyset, loadRootKeyset, type RootKeyset } from "../security/root-keyset.ts";

/** In production the file that the operator names; otherwise one of the work folder's own, made when it is missing. */
export async function rootKeysetOf(settings: Settings, log?: OperatorLog): Promise<RootKeyset> {
  const production = settings.NODE_ENV === "production";
  const path = settings.ROOT_KEYSET_FILE ?? ".data/root-keyset.json";
  if (!production && !existsSync(path)) {
    await mkdir(dirname(path), { recursive: true });
    // `wx`: of two processes that start together one makes it, the other reads it.
    await writeFile(path, createRootKeyset(systemRandom, Date.now()).reveal(), {
      mode: 0o600,
      flag: "wx",
    }).catch(() => {});
    log?.warn(
      { code: "root_keyset_made", detail: path },
      "a root keyset was made: lost with it is every authorization",
    );
  }
  return loadRootKeyset(path, { production, wrapper: await rootKeyWrapperOf(settings) });
}

/** The service that wraps the root keys; undefined: they lie bare in their file. */
export async function rootKeyWrapperOf(settings: WrapperSettings): Promise<RootKeyWrapper | undefined> {
  const { VAULT_ADDR: address, VAULT_TRANSIT_KEY: key, VAULT_TOKEN_FILE: tokenFile, VAULT_CACERT } = settings;
  if (address === undefined || key === undefined || tokenFile === undefined) return undefined;
  const ca =
    VAULT_CACERT &&
    (await readFile(VAULT_CACERT, "utf8").catch((error: NodeJS.ErrnoException) => {
      throw new KmsError(
        `VAULT_CACERT ${VAULT_CACERT} cannot be read (${error.code}): name the authority's certificates.`,
      );
    }));
  return new VaultTransit({
    address,
    mount: settings.VAULT_TRANSIT_MOUNT,
    key,
    namespace: settings.VAULT_NAMESPACE,
    tokenFile,
    ...(ca !== undefined && { ca }),
  });
}
