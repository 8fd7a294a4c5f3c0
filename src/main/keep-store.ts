import type { Clock } from "../broker/ports.ts";
import type { RestorePorts } from "../broker/restore/report.ts";
import { StoreWatch } from "../broker/restore/store-watch.ts";
import type { Settings } from "../config/settings.ts";
import type { OperatorLog } from "../ops/log.ts";
import { makeWitnessFile } from "../ops/witness-file.ts";
import { auditChain, readCheckpoint } from "../security/audit-chain.ts";
import { makeBackupMac } from "../security/backup-mac.ts";
import type { RootKeyset } from "../security/root-keyset.ts";
import { makeSigner } from "../security/signer.ts";
import type { StoreSurroundings, Stores } from "./open-stores.ts";

/** What copies the store, notices an older copy in its place, and is done then. */
export async function keepStore(by: {
  readonly settings: Settings;
  readonly stores: Stores;
  readonly rootKeyset: RootKeyset;
  readonly clock: Clock;
  readonly log: OperatorLog;
  readonly given: StoreSurroundings;
}) {
  const { stores, rootKeyset, settings, clock, log } = by;
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
  const file = witnessFile(settings);
  const storeWatch = new StoreWatch({
    clock,
    log,
    restores: stores.restores,
    // Their names alone: whether a record opens is for another check to say.
    organisations: { listOrganisations: () => stores.configuration.listOrganisationNames() },
    markMs: by.given.storeMarkMs,
    witness: file === undefined ? undefined : makeWitnessFile(file, log),
  });
  stores.onAnother(() => storeWatch.look());
  /** What waits for an operator since it was put back, by name. */
  const restoring = async () => {
    const names = new Map<string, string>();
    for (const { id, name } of await stores.configuration.listOrganisationNames()) names.set(id, name);
    return (await storeWatch.restoring()).map(({ journal, mode }) => ({
      name: names.get(journal) ?? `the audit of ${journal}`,
      mode,
    }));
  };
  return { restoring, snapshot: stores.snapshot, backupMac: makeBackupMac(rootKeyset), restore, storeWatch };
}

/** Beside the audit file, unless it is said: what is kept there is kept. */
const witnessFile = ({ STORE_WITNESS_FILE, AUDIT_SINK, AUDIT_FILE }: Settings): string | undefined =>
  STORE_WITNESS_FILE ?? (AUDIT_SINK === "file" ? `${AUDIT_FILE}.witness` : undefined);
