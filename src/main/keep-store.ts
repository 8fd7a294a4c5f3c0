import type { RestorePorts } from "../broker/restore/report.ts";
import { auditChain, readCheckpoint } from "../security/audit-chain.ts";
import { makeBackupMac } from "../security/backup-mac.ts";
import type { RootKeyset } from "../security/root-keyset.ts";
import { makeSigner } from "../security/signer.ts";
import type { Stores } from "./open-stores.ts";

/** What copies the store, and what is done where an older copy was put in its place. */
export async function keepStore(stores: Stores, rootKeyset: RootKeyset) {
  const restore: RestorePorts = {
    restores: stores.restores,
    grants: stores.grants,
    servers: stores.configuration,
    organisations: stores.configuration,
    verify: {
      chain: auditChain,
      readCheckpoint: readCheckpoint(await makeSigner(rootKeyset).publicKeys()),
    },
  };
  return { snapshot: stores.snapshot, backupMac: makeBackupMac(rootKeyset), restore };
}
