import type { DataKeyRotation } from "../../domain/data-key-rotation.ts";
import type { EventSubscription } from "../../domain/event-subscription.ts";
import type {
  GrantId,
  OrganisationId,
  RegistrationId,
  ServerId,
  SubscriptionId,
  SyncId,
} from "../../domain/id.ts";
import type { Instant } from "../../domain/instant.ts";
import type { KeyOwner, Sealed } from "../../domain/sealed.ts";
import type { AuditNote, RecordWrite, WrappedDataKeys } from "../ports.ts";

/** Makes and wraps data keys. None leaves it. */
export interface DataKeyring {
  /** Id of the root key that wraps what is new. */
  readonly primary: string;
  /** Every root key of the keyset, the retired ones included. */
  readonly ids: readonly string[];
  /** Data keys among an owner's keys: all but the one that makes fingerprints, which stays for ever. */
  dataKeysOf(keys: WrappedDataKeys): readonly string[];
  /** One more data key, not yet the one that seals. */
  add(owner: KeyOwner, keys: WrappedDataKeys): { readonly keys: WrappedDataKeys; readonly id: string };
  /** All wrapped by the primary root key; the same object where they are. */
  rewrap(owner: KeyOwner, keys: WrappedDataKeys): WrappedDataKeys;
  /** Root keys without which they do not open. */
  rootKeysOf(keys: WrappedDataKeys): readonly string[];
}

/** What is stored of an owner's keys. */
export interface OwnerKeyRecords {
  readonly keys: WrappedDataKeys | undefined;
  readonly rotation: DataKeyRotation | undefined;
}

export interface KeyChange {
  /** Undefined: as they are. */
  readonly keys?: WrappedDataKeys;
  readonly rotation?: DataKeyRotation;
  readonly audited?: {
    readonly what: "added" | "promoted" | "retired" | "rewrapped";
    readonly key: string;
    readonly note: AuditNote;
  };
}

export interface KeyStore {
  read(owner: KeyOwner): Promise<OwnerKeyRecords>;
  /**
   * Writes keys, rotation and audit entry in one step, only if both are what was read. MUST be atomic. False: somebody else
   * has changed them meanwhile.
   */
  change(owner: KeyOwner, read: OwnerKeyRecords, change: KeyChange): Promise<boolean>;
  /** Owners with a rotation that has not come to its end. */
  rotating(): Promise<readonly KeyOwner[]>;
  now(): Promise<Instant>;
}

/** A place in the store whose secrets name one of the data keys that were asked for. */
export type SealedPlace =
  | {
      readonly kind: "grant";
      readonly grant: GrantId;
      readonly server: ServerId;
      readonly consentGeneration: number;
      readonly texts: readonly {
        readonly kind: "refresh-token" | "access-token";
        readonly attempt: number;
        readonly sealed: Sealed;
      }[];
    }
  | {
      readonly kind: "revocation";
      /** Names it for {@link SealedStore.replaceRevocation}. */
      readonly entry: string;
      readonly waits: boolean;
      readonly grant: GrantId;
      readonly server: ServerId;
      readonly consentGeneration: number;
      readonly token: "refresh-token" | "access-token";
      readonly attempt: number;
      readonly sealed: Sealed;
    }
  | { readonly kind: "registration"; readonly registration: RegistrationId }
  | { readonly kind: "subscription"; readonly subscription: SubscriptionId }
  | {
      readonly kind: "changes";
      readonly sync: SyncId;
      /** Undefined: the sync is gone, and a copy of its changes was left behind. */
      readonly server: ServerId | undefined;
    }
  | { readonly kind: "fleeting"; readonly key: string }
  | { readonly kind: "unknown"; readonly key: string };

export interface SealedPage {
  readonly places: readonly SealedPlace[];
  /** Undefined: that was the last. */
  readonly next: string | undefined;
  /** Which life of which Redis answered. */
  readonly store: string;
}

/** Records of subscriptions to events, as far as a rotation is about them. */
export interface SealedSubscriptions {
  find(id: SubscriptionId): Promise<EventSubscription | undefined>;
  put(to: EventSubscription, write: RecordWrite<EventSubscription>): Promise<void>;
}

/** One change of a sync on its way into the copy that takes the place of what is stored. */
export interface StoredChange {
  readonly id: string;
  readonly at: string;
  readonly sealed: Sealed;
}

/**
 * Looks through everything an owner has, in an order in which nothing slips behind the one who looks: what moves from one
 * record to another moves forward. Replaces a sealed text only where it is still the one that was read.
 */
export interface SealedStore {
  /** @param position undefined: from the beginning */
  find(owner: KeyOwner, keys: readonly string[], position: string | undefined): Promise<SealedPage>;
  /** Answers how many were replaced; `fresh` where a consent was stored a moment ago and is left alone. */
  replaceInGrant(
    grant: GrantId,
    texts: readonly (readonly [before: Sealed, after: Sealed])[],
  ): Promise<number | "fresh">;
  /** False: it has left its place, or has just come. */
  replaceRevocation(
    organisation: OrganisationId,
    entry: { readonly entry: string; readonly waits: boolean; readonly sealed: Sealed },
    after: Sealed,
  ): Promise<boolean>;
  /** Changes that the copy for data key `to` lacks yet, oldest first. */
  changesToCopy(sync: SyncId, to: string, limit: number): Promise<readonly StoredChange[]>;
  copyChanges(sync: SyncId, to: string, changes: readonly StoredChange[]): Promise<void>;
  /** Puts the copy in the place of what is stored. False: something came meanwhile, and the copy lacks it. */
  takeCopy(sync: SyncId, to: string): Promise<boolean>;
}

/**
 * Wraps root keys by a key that never leaves its service (KMS). Asked when a process starts and by operators' commands, never on
 * the way to a token: a service that is away harms nobody whose broker runs.
 */
export interface RootKeyWrapper {
  /** For operators: which service and which key of it. */
  readonly name: string;
  /** @param context what opens it again must name the same */
  wrap(key: Uint8Array, context: string): Promise<string>;
  /** @throws an error that says in a sentence who must act */
  unwrap(wrapped: string, context: string): Promise<Uint8Array>;
}

/** What stays of an organisation whose keys were destroyed. */
export interface Shredding {
  readonly v: 1;
  readonly organisation: OrganisationId;
  readonly name: string;
  readonly at: Instant;
  readonly by: string;
  readonly dataKeys: readonly string[];
  /** While one of these exists anywhere, a backup that is older than `at` can be opened by it. */
  readonly rootKeys: readonly string[];
  /** Keys of Redis by their noun, as they were before. */
  readonly counts: Readonly<Record<string, number>>;
  /** What was still to be revoked at iManage. Undefined: that was not asked for. */
  readonly unrevoked?: number;
}

export interface ShredStore {
  /** The organisation of that name, also where only its tombstone is left. */
  findShredding(name: string): Promise<Shredding | undefined>;
  count(organisation: OrganisationId): Promise<Readonly<Record<string, number>>>;
  /** Destroys the keys and leaves the tombstone, in one step. MUST be atomic. False: somebody has done it. */
  destroyKeys(shredding: Shredding, note: AuditNote): Promise<boolean>;
  /** Removes everything but tombstone and audit, and the names that lead there. May be repeated. */
  removeRecords(shredding: Shredding): Promise<void>;
  now(): Promise<Instant>;
}
