import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { RootKeyWrapper } from "../broker/keys/ports.ts";
import type { Settings, WrapperSettings } from "../config/settings.ts";
import { type Milliseconds, minutes, seconds } from "../domain/instant.ts";
import { KmsError } from "../kms/kms-error.ts";
import { VaultTransit } from "../kms/vault-transit.ts";
import type { RootKeysetSeen } from "../ops/key-access.ts";
import type { OperatorLog } from "../ops/log.ts";
import { systemRandom } from "../security/random.ts";
import {
  createRootKeyset,
  loadRootKeyset,
  type RootKeyset,
  RootKeysetError,
} from "../security/root-keyset.ts";

/** In production the file that the operator names; otherwise one of the work folder's own, made when it is missing. */
export async function rootKeysetOf(settings: Settings, log?: OperatorLog): Promise<RootKeyset> {
  const { production, path } = whereOf(settings);
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

const whereOf = (settings: Settings) => ({
  production: settings.NODE_ENV === "production",
  path: settings.ROOT_KEYSET_FILE ?? ".data/root-keyset.json",
});

/** Between two looks: each asks the service that wraps the keys. */
const LOOK_MS = minutes(1);
const LOOK_PATIENCE_MS = seconds(3);

/**
 * Looks whether the keyset that this process has read can be read again: the file, its mode, and the service that wraps its
 * keys. Answers at once with what the last look brought, and looks again behind that.
 */
export function rootKeysetLook(
  settings: Settings,
  held: RootKeyset,
  monotonicMs: () => number,
): () => RootKeysetSeen {
  let seen: RootKeysetSeen = { opened: true, sameKeys: true };
  let lookedAt = monotonicMs();
  return () => {
    if (monotonicMs() - lookedAt >= LOOK_MS) {
      lookedAt = monotonicMs();
      void lookAtRootKeyset(settings, held).then((found) => {
        seen = found;
      });
    }
    return seen;
  };
}

export async function lookAtRootKeyset(
  settings: Settings,
  held: RootKeyset,
  patienceMs: Milliseconds = LOOK_PATIENCE_MS,
): Promise<RootKeysetSeen> {
  const { production, path } = whereOf(settings);
  const names = ({ primary, ids }: RootKeyset): string => [primary, ...[...ids].sort()].join();
  try {
    const wrapper = await rootKeyWrapperOf(settings, patienceMs);
    const found = await loadRootKeyset(path, { production, wrapper });
    return { opened: true, sameKeys: names(found) === names(held) };
  } catch (error) {
    const told = error instanceof KmsError || error instanceof RootKeysetError;
    return { opened: false, why: told ? error.message : "Reading it failed." };
  }
}

/** The service that wraps the root keys; undefined: they lie bare in their file. */
export async function rootKeyWrapperOf(
  settings: WrapperSettings,
  patienceMs?: Milliseconds,
): Promise<RootKeyWrapper | undefined> {
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
    ...(patienceMs !== undefined && { patienceMs }),
  });
}
