import type { OrganisationId, RegistrationId } from "../../domain/id.ts";
import type { KeyOwner } from "../../domain/sealed.ts";
import type { ClientSecrets } from "../clients/ports.ts";
import type { ConfigurationStore } from "../organisations/ports.ts";
import type { AuditNote } from "../ports.ts";
import type { RecordSeals } from "../records/ports.ts";
import { rewrapRecords, rootKeysOfRecords } from "../records/seal-records.ts";
import { organisationOwner, registrationOwner } from "../seal-contexts.ts";
import type { DataKeyring, KeyStore } from "./ports.ts";

export interface RootKeyPorts {
  readonly keys: KeyStore;
  readonly keyring: DataKeyring;
  readonly store: OwnerNames & Pick<ConfigurationStore, "listClients">;
  readonly clientSecrets: Pick<ClientSecrets, "rootKeyOf">;
  readonly recordSeals: RecordSeals;
}

/** Names and ids alone: whoever has a record that is not believed at the moment has keys all the same, which must not be lost. */
export interface OwnerNames {
  listOrganisationNames(): Promise<readonly { readonly id: OrganisationId; readonly name: string }[]>;
  listSharedRegistrationNames(): Promise<readonly { readonly id: RegistrationId; readonly name: string }[]>;
}

/** Whose keys they are, by the name that operators know. */
export interface NamedOwner {
  readonly owner: KeyOwner;
  readonly name: string;
}

/** Everybody who has data keys. */
export async function keyOwners(ports: Pick<RootKeyPorts, "store">): Promise<readonly NamedOwner[]> {
  const organisations = await ports.store.listOrganisationNames();
  const shared = await ports.store.listSharedRegistrationNames();
  return [
    ...organisations.map(({ id, name }) => ({ owner: organisationOwner(id), name: `organisation ${name}` })),
    ...shared.map(({ id, name }) => ({ owner: registrationOwner(id), name: `registration ${name}` })),
  ];
}

/** What cannot be opened or checked without one root key. It is retired when all are 0. */
export interface RootKeyUse {
  readonly rootKey: string;
  /** Owners whose data keys it wraps. */
  readonly dataKeys: number;
  /** Clients that have a secret which is compared under it. */
  readonly clientSecrets: readonly string[];
  readonly records: number;
}

/** How much names each root key. */
export async function rootKeyUses(ports: RootKeyPorts): Promise<readonly RootKeyUse[]> {
  const dataKeys = new Map<string, number>();
  for (const { owner } of await keyOwners(ports)) {
    const { keys } = await ports.keys.read(owner);
    for (const id of keys === undefined ? [] : ports.keyring.rootKeysOf(keys))
      dataKeys.set(id, (dataKeys.get(id) ?? 0) + 1);
  }
  const clients = new Map<string, string[]>();
  for (const { name, secrets } of await ports.store.listClients()) {
    for (const id of new Set(secrets.map(({ hmac }) => ports.clientSecrets.rootKeyOf(hmac))))
      clients.set(id, [...(clients.get(id) ?? []), name]);
  }
  const records = await rootKeysOfRecords(ports.recordSeals);
  const ids = new Set([...ports.keyring.ids, ...dataKeys.keys(), ...clients.keys(), ...records.keys()]);
  return [...ids].map((rootKey) => ({
    rootKey,
    dataKeys: dataKeys.get(rootKey) ?? 0,
    clientSecrets: clients.get(rootKey) ?? [],
    records: records.get(rootKey) ?? 0,
  }));
}

/**
 * Wraps by the primary root key what another one wrapped: data keys, and the seals of records. What is done is not done again, so it
 * may be killed and run again.
 */
export async function rewrapAll(
  ports: RootKeyPorts,
  note: AuditNote,
): Promise<{ readonly owners: number; readonly records: number }> {
  let owners = 0;
  for (const { owner } of await keyOwners(ports)) {
    for (;;) {
      const read = await ports.keys.read(owner);
      if (read.keys === undefined) break;
      const keys = ports.keyring.rewrap(owner, read.keys);
      if (keys === read.keys) break;
      const audited = { what: "rewrapped", key: ports.keyring.primary, note } as const;
      if (await ports.keys.change(owner, read, { keys, audited })) owners += 1;
    }
  }
  const { rewrapped } = await rewrapRecords(ports.recordSeals);
  return { owners, records: rewrapped };
}
