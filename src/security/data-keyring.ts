import type { DataKeyring } from "../broker/keys/ports.ts";
import type { Random } from "../broker/ports.ts";
import { addDataKey, FINGERPRINT, rewrapDataKeys, rootKeysNamedBy } from "./data-keys.ts";
import type { RootKeyset } from "./root-keyset.ts";

/** Data keys are made and wrapped here, and what knows when does not see them. */
export function makeDataKeyring(parts: {
  readonly rootKeyset: RootKeyset;
  readonly random: Random;
}): DataKeyring {
  return {
    primary: parts.rootKeyset.primary,
    ids: parts.rootKeyset.known,
    dataKeysOf: ({ wrapped }) => Object.keys(wrapped).filter((name) => name !== FINGERPRINT),
    add: (owner, keys) => addDataKey(parts, owner, keys),
    rewrap: (owner, keys) => rewrapDataKeys(parts, owner, keys),
    rootKeysOf: rootKeysNamedBy,
  };
}
