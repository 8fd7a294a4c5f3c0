import type { ClientSecrets } from "../broker/clients/ports.ts";
import type { Revoker } from "../broker/grants/revoke-pending.ts";
import type { RotationPorts } from "../broker/keys/rotate-data-keys.ts";
import type { Clock, Random, Signer, Timers } from "../broker/ports.ts";
import type { OrganisationId } from "../domain/id.ts";
import type { OperatorLog } from "../ops/log.ts";
import { makeDataKeyring } from "../security/data-keyring.ts";
import type { RootKeyset } from "../security/root-keyset.ts";
import type { makeSealer } from "../security/sealer.ts";
import type { Stores } from "./open-stores.ts";

/** What becomes of keys: data keys rotate, root keys are retired, an organisation's are destroyed. */
export function keepKeys(by: {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: OperatorLog;
  readonly rootKeyset: RootKeyset;
  readonly sealer: ReturnType<typeof makeSealer>;
  readonly clientSecrets: ClientSecrets;
  readonly signer: Signer;
  readonly revoker: Revoker;
  readonly stores: Stores;
}) {
  const { clock, timers, sealer, stores } = by;
  const { configuration: store, dataKeys: keys } = stores;
  const keyring = makeDataKeyring(by);
  const rotations: RotationPorts = {
    clock,
    log: by.log,
    sealer,
    keyring,
    keys,
    sealed: stores.sealed,
    servers: store,
    subscriptions: stores.subscriptions,
    forgetKeys: sealer.forget,
  };
  const rootKeys = { keys, keyring, store, clientSecrets: by.clientSecrets, recordSeals: stores.recordSeals };
  const shredding = {
    clock,
    timers,
    store,
    keys,
    keyring,
    shreds: stores.shreds,
    grants: stores.grants,
    outbox: stores.grants,
    audit: stores.auditBuffer,
    revoke: (organisation: OrganisationId) => by.revoker.revokeOf(organisation),
    signer: by.signer,
    forgetKeys: sealer.forget,
  };
  return { rotations, rootKeys, shredding };
}
