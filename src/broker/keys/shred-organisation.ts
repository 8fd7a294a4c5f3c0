import type { OrganisationId } from "../../domain/id.ts";
import { type Instant, type Milliseconds, rfc3339 } from "../../domain/instant.ts";
import { Problem } from "../../domain/problem.ts";
import type { AuditBuffer } from "../audit/ports.ts";
import type { GrantStore, RevocationOutbox } from "../grants/ports.ts";
import type { ConfigurationStore } from "../organisations/ports.ts";
import type { AuditNote, Clock, Signer, Timers } from "../ports.ts";
import { organisationOwner } from "../seal-contexts.ts";
import type { DataKeyring, KeyStore, Shredding, ShredStore } from "./ports.ts";

export interface ShredPorts {
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly timers: Pick<Timers, "after">;
  readonly store: Pick<ConfigurationStore, "findOrganisationByName" | "putOrganisation">;
  readonly keys: Pick<KeyStore, "read">;
  readonly keyring: DataKeyring;
  readonly shreds: ShredStore;
  readonly grants: Pick<GrantStore, "listGrants" | "deleteGrant">;
  readonly outbox: Pick<RevocationOutbox, "pending">;
  readonly revoke: (organisation: OrganisationId) => Promise<void>;
  readonly audit: Pick<AuditBuffer, "backlog">;
  readonly signer: Signer;
  readonly forgetKeys: (owner: ReturnType<typeof organisationOwner>) => void;
}

export interface ShredPreview {
  readonly organisation: OrganisationId;
  readonly dataKeys: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

const GRANTS_AT_ONCE = 200;
const PENDING_SHOWN = 10_000;
const EXPORT_WAIT_MS: Milliseconds = 30_000;

/** What shredding would destroy. @throws Problem("not_found") */
export async function previewShredding(
  ports: Pick<ShredPorts, "store" | "shreds" | "keys" | "keyring">,
  name: string,
): Promise<ShredPreview> {
  const organisation = await ports.store.findOrganisationByName(name);
  if (organisation === undefined) throw noneNamed(name);
  const { keys } = await ports.keys.read(organisationOwner(organisation.id));
  return {
    organisation: organisation.id,
    dataKeys: keys === undefined ? [] : ports.keyring.dataKeysOf(keys),
    counts: await ports.shreds.count(organisation.id),
  };
}

/**
 * Destroys an organisation: no token from here on, its data keys go, its records after them. Interrupted, it is begun again and goes on.
 * @param revokeForMs how long its tokens are revoked at iManage before their keys go; undefined: they are not
 * @returns the certificate, signed. @throws Problem("not_found")
 */
export async function shredOrganisation(
  ports: ShredPorts,
  name: string,
  { revokeForMs, note }: { readonly revokeForMs?: Milliseconds | undefined; readonly note: AuditNote },
): Promise<{ readonly certificate: string; readonly shredding: Shredding }> {
  const begun = await ports.shreds.findShredding(name);
  const shredding = begun ?? (await destroyKeys(ports, name, { revokeForMs, note }));
  ports.forgetKeys(organisationOwner(shredding.organisation));
  const certificate = await ports.signer.sign("shred-certificate+jws", certify(shredding));
  await exported(ports, shredding.organisation);
  await ports.shreds.removeRecords(shredding);
  return { certificate, shredding };
}

async function destroyKeys(
  ports: ShredPorts,
  name: string,
  { revokeForMs, note }: { readonly revokeForMs?: Milliseconds | undefined; readonly note: AuditNote },
): Promise<Shredding> {
  const { organisation: id, dataKeys, counts } = await previewShredding(ports, name);
  const organisation = (await ports.store.findOrganisationByName(name))!;
  if (organisation.enabled)
    await ports.store.putOrganisation(
      { ...organisation, enabled: false },
      { before: organisation, fields: ["enabled"], note },
    );
  const unrevoked = revokeForMs === undefined ? undefined : await revokeAll(ports, id, revokeForMs, note);
  const { keys } = await ports.keys.read(organisationOwner(id));
  const shredding: Shredding = {
    v: 1,
    organisation: id,
    name,
    at: await ports.shreds.now(),
    by: note.actor,
    dataKeys: keys === undefined ? dataKeys : ports.keyring.dataKeysOf(keys),
    // Backups may hold them as an earlier root key wrapped them: every one that still lies in the keyset counts.
    rootKeys: [
      ...new Set([...(keys === undefined ? [] : ports.keyring.rootKeysOf(keys)), ...ports.keyring.ids]),
    ],
    counts,
    ...(unrevoked !== undefined && { unrevoked }),
  };
  if (await ports.shreds.destroyKeys(shredding, note)) return shredding;
  return (await ports.shreds.findShredding(name)) ?? shredding;
}

/** The audit is exported of organisations that are there: so it goes first. */
async function exported(ports: ShredPorts, id: OrganisationId): Promise<void> {
  const until = ports.clock.monotonicMs() + EXPORT_WAIT_MS;
  while ((await ports.audit.backlog(id)) > 0) {
    if (ports.clock.monotonicMs() >= until)
      throw new Problem("audit_backlog", {
        detail:
          "The keys are destroyed. The records stay until the worker has exported the audit: see that it runs, then run this again.",
      });
    await ports.timers.after(250).elapsed;
  }
}

/** Through the outbox, as any revocation: answers how many tokens are left there. */
async function revokeAll(
  ports: ShredPorts,
  id: OrganisationId,
  forMs: Milliseconds,
  note: AuditNote,
): Promise<number> {
  const until = ports.clock.monotonicMs() + forMs;
  for (;;) {
    const grants = await ports.grants.listGrants(id, undefined, GRANTS_AT_ONCE);
    for (const grant of grants) await ports.grants.deleteGrant(grant.id, note);
    if (grants.length === 0) break;
  }
  for (;;) {
    await ports.revoke(id);
    const left = (await ports.outbox.pending(id, PENDING_SHOWN)).length;
    if (left === 0 || ports.clock.monotonicMs() >= until) return left;
    await ports.timers.after(1_000).elapsed;
  }
}

/** What is signed: understood without the product. */
export const certify = ({ at, dataKeys, rootKeys, ...of }: Shredding) => ({
  organisation: of.organisation,
  name: of.name,
  shredded_at: rfc3339(at as Instant),
  shredded_by: of.by,
  data_keys_destroyed: dataKeys,
  keys_of_redis_deleted: of.counts,
  ...(of.unrevoked !== undefined && { tokens_left_unrevoked: of.unrevoked }),
  root_keys_to_destroy: rootKeys,
  backups:
    "A backup made before shredded_at can be opened by whoever has one of root_keys_to_destroy, until every copy of all of them is destroyed.",
});

const noneNamed = (name: string): Problem =>
  new Problem("not_found", { detail: `There is no organisation named ${name}.` });
