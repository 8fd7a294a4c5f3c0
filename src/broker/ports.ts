import type { GrantId, OrganisationId, Route, ServerId, SyncId } from "../domain/id.ts";
import type { Instant, Milliseconds } from "../domain/instant.ts";
import type { JobHistory } from "../domain/job-starts.ts";
import type { KeyOwner, SealContext, Sealed } from "../domain/sealed.ts";
import type { Secret } from "../domain/secret.ts";
import type { CallPriority, CallWait } from "../domain/server-gate.ts";

/** Time comes in from outside. `now` may jump with the wall clock; lengths are measured by `monotonicMs` alone. */
export interface Clock {
  now(): Instant;
  monotonicMs(): Milliseconds;
}

/** What has to happen again and again while something else is under way. */
export interface Timers {
  /** Calls `task` every `ms` until the answer is called. */
  every(ms: Milliseconds, task: () => void): () => void;
  /** Resolves after `ms`; `cancel` ends the wait without resolving. */
  after(ms: Milliseconds): { readonly elapsed: Promise<void>; cancel(): void };
}

/** Randomness comes in from outside. MUST be a cryptographic source (T05). */
export interface Random {
  bytes(count: number): Uint8Array;
}

/** Seals secrets for the store. */
export interface Sealer {
  seal(secret: Secret, context: SealContext): Promise<Sealed>;
  /**
   * MUST open only what was sealed with the same context; otherwise throws `Problem("integrity_failure")`, whichever
   * part was wrong, and nothing is sent anywhere (T15, T21, T22).
   */
  open(sealed: Sealed, context: SealContext): Promise<Secret>;
  /** Makes the owner's first data key if it has none. Idempotent. */
  prepare(owner: KeyOwner): Promise<void>;
  /**
   * Keyed digest of a token, the same for the same owner for ever: it names a token in answers, records and the audit
   * without giving it away. 22 characters, base64url.
   */
  fingerprint(owner: KeyOwner, token: Secret): Promise<string>;
  /**
   * The same for many texts at once, which are compared and never read again: a million of a library's documents. Another key
   * than that of tokens. 22 characters each, base64url, in their order.
   */
  digests(owner: KeyOwner, texts: readonly string[]): Promise<readonly string[]>;
}

/** Where the sealer keeps its data keys, wrapped by the root key. */
export interface DataKeyStore {
  find(owner: KeyOwner): Promise<WrappedDataKeys | undefined>;
  /** Writes only if the owner has none yet; answers what is stored afterwards. MUST be atomic. */
  insert(owner: KeyOwner, keys: WrappedDataKeys): Promise<WrappedDataKeys>;
}

export interface WrappedDataKeys {
  readonly v: 1;
  /** Id of the data key with which new secrets are sealed. */
  readonly current: string;
  /** Data keys by id, and `fingerprint`, each wrapped by the root key named in front of it. */
  readonly wrapped: Readonly<Record<string, string>>;
}

/**
 * Signs what is to be believed by somebody who has none of our keys: JWS (RFC 7515) with Ed25519, so that any JOSE library
 * checks it offline.
 */
export interface Signer {
  /** Compact JWS. @param type stands in `typ`, so that a signature for one thing is never taken for another's (RFC 8725 §3.11) */
  sign(type: SignedType, payload: Readonly<Record<string, unknown>>): Promise<string>;
  /** JWK set of every key whose signatures stand. */
  publicKeys(): Promise<{ readonly keys: readonly SignerPublicKey[] }>;
}

export type SignedType = "audit-checkpoint+jws" | "shred-certificate+jws";

export interface SignerPublicKey {
  readonly kty: "OKP";
  readonly crv: "Ed25519";
  readonly x: string;
  readonly kid: string;
  readonly alg: "EdDSA";
  readonly use: "sig";
}

/**
 * Ties what is stored readable to where it is stored, under a root key: whoever can write to the store and has no root key
 * can neither make up a record nor move one to another id, owner or noun (T25). He can put back an earlier text of the same
 * place; nothing in the store could tell.
 */
export interface RecordMac {
  /** @param place key name under which the result is stored; fields of a hash are places of their own */
  seal(place: string, text: string): string;
  /**
   * The text, or undefined: nothing that was sealed for this place.
   * @throws Problem("integrity_failure") that names the root key, where that one is not usable
   */
  open(place: string, stored: string): string | undefined;
  /** Id of the root key that `stored` needs; undefined: it is not sealed at all. */
  rootKeyOf(stored: string): string | undefined;
  /** Sealed under the primary root key. */
  isCurrent(stored: string): boolean;
}

/** What others publish for us at an https address that an operator named: their public keys. */
export interface PublicDocuments {
  /** JSON of bounded size, in bounded time, through the egress guard; redirects are not followed. `away`: why, one word. */
  read(
    url: string,
    deadlineMs: Milliseconds,
    bytesMax: number,
  ): Promise<{ readonly document: unknown } | { readonly away: string }>;
}

/** Secret handles: 256 random bits behind the route of their organisation. Stored by digest only. */
export interface Handles {
  make(route: Route): Secret;
  /** SHA-256, base64url. */
  digest(handle: Secret): string;
  /** Another value that only whoever has the handle can tell; it tells nothing of the handle. 43 characters, base64url. */
  derive(handle: Secret, purpose: string): string;
  /** The route in a handle somebody sent, or undefined where the shape is wrong. */
  findRoute(handle: Secret): Route | undefined;
}

/** What every audited act tells. Written in the same script as the act (design §3.9). */
export interface AuditNote {
  /** Who did it: `client:<id>`, `user:<customer>/<user id>`, `person:<client>/<id>`, `cli:<account>`, `worker`. */
  readonly actor: string;
  readonly requestId: string;
  /** Why, in the caller's words; at most 200 characters. */
  readonly purpose?: string;
  /** Where from. */
  readonly address?: string;
}

/** What a job works on, and by whose id it is known. */
export type JobSubject = GrantId | SyncId;

/** One run of a job: a name that no other has. */
export type JobRun = string;

/** What was taken of an organisation's schedule. */
export interface DueTaken {
  readonly taken: readonly DueGrant[];
  /** One that was running when a process died. It was not taken: it must run alone. */
  readonly suspect: GrantId | undefined;
  /** None is due, and some will be in a moment. */
  readonly soon: boolean;
}

export interface DueGrant {
  readonly grant: GrantId;
  /** Where it was given: what never changes of a grant. */
  readonly server: ServerId;
}

/** Starts of work that has not come to an orderly end: what is left behind by a process that died with it. */
export interface JobStarts {
  history(id: JobSubject): Promise<JobHistory>;
  /**
   * Counts a start, and makes it the one run of its subject for `lifeMs`. MUST be stored before the work begins. False:
   * another run is alive, and nothing was counted.
   */
  begun(id: JobSubject, run: JobRun, lifeMs: Milliseconds): Promise<boolean>;
  /**
   * Takes up to so many due grants of an organisation for one run, and counts a start of each, in one step; nobody else has
   * one of them for `lifeMs`. None of those in `not`, and none of which an earlier start did not end.
   */
  takeDue(
    organisation: OrganisationId,
    run: JobRun,
    lifeMs: Milliseconds,
    limit: number,
    not: ReadonlySet<GrantId>,
  ): Promise<DueTaken>;
  /** Its process lives: nobody else begins for another `lifeMs`. Of several at once they are of one organisation. */
  renewed(id: JobSubject | readonly GrantId[], run: JobRun, lifeMs: Milliseconds): Promise<void>;
  /** Something was kept: of all starts only the one under way counts. */
  progressed(id: JobSubject, run: JobRun, lifeMs: Milliseconds): Promise<void>;
  /** Forgets all starts, unless another run has begun since. Of several at once they are of one organisation. */
  ended(id: JobSubject | readonly GrantId[], run: JobRun): Promise<void>;
  /**
   * Takes the subject off the schedule for a long while, by itself again on it afterwards: a sync is parked, of a grant
   * only what nobody waits for. Answers `put_aside` the first time, `already` until the time is over.
   */
  putAside(id: JobSubject): Promise<"put_aside" | "already" | "gone">;
}

/** One rate budget per iManage server, for all replicas: which call of its REST API may leave when. */
export interface CallBudget {
  /** MUST be atomic, in one round trip. */
  ask(server: ServerId, wish: CallWish): Promise<CallAnswer>;
  /** How the call ended, and what iManage said of its limits. A pause holds every call and every refresh of this server. */
  tell(server: ServerId, call: CallId, said: RateLimitSaid): Promise<void>;
  /** A place that was taken and not used. */
  giveBack(server: ServerId, call: CallId): Promise<void>;
}

/** Names one call of one process. */
export type CallId = string;

export interface CallWish {
  readonly call: CallId;
  /** Whose call it is: of many with long scans each gets its turn. */
  readonly asker: string;
  readonly priority: CallPriority;
  /** How long the caller would wait: `go` is the answer if it may leave by then. */
  readonly patienceMs: Milliseconds;
  /** The call that it comes after, and that is still under way: it takes over its place. */
  readonly follows?: CallId | undefined;
}

export type CallAnswer =
  /** Its place is taken: it MUST be told of, however it ends. */
  | { readonly kind: "go"; readonly afterMs: Milliseconds }
  | { readonly kind: "wait"; readonly waitMs: Milliseconds; readonly why: CallWait };

/** What an answer says of iManage's rate limit; all undefined where it says nothing. */
export interface RateLimitSaid {
  /** A 429: nothing is to be sent for so long. */
  readonly waitMs?: Milliseconds | undefined;
  /** Calls that remain in the window, and when the next one begins. */
  readonly window?: { readonly remaining: number; readonly resetMs: Milliseconds } | undefined;
}

/** What operators read: one line per decision, fields by allow-list, never a secret. */
export interface Log {
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

export interface LogFields {
  /** Of what is under way unless it is said. */
  readonly requestId?: string;
  readonly organisation?: string;
  readonly server?: string;
  readonly client?: string;
  readonly grant?: string;
  readonly sync?: string;
  readonly subscription?: string;
  readonly code?: string;
  readonly outcome?: string;
  readonly detail?: string;
  readonly elapsedMs?: number;
  readonly count?: number;
}

/** What a record was when its change was planned, and who changes it. */
export interface RecordWrite<T> {
  /** As it was read. Undefined: there is none of this name yet. */
  readonly before: T | undefined;
  /** What changes, by name: values may be secrets, or persons. */
  readonly fields: readonly string[];
  /** What the audit calls it where that is neither *created*, *changed* nor *deleted*. */
  readonly act?: "secret_added" | "secret_removed" | "secret_rotated";
  readonly note: AuditNote;
}
