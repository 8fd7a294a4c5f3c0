import { hash } from "node:crypto";
import type { AuditJournal } from "../domain/audit-entry.ts";
import type { GrantState } from "../domain/grant.ts";
import type {
  ClientId,
  ConnectSessionId,
  ContainmentId,
  GrantId,
  OrganisationId,
  RegistrationId,
  Route,
  ServerId,
  SubscriptionId,
  SyncId,
} from "../domain/id.ts";
import { findRoute, routeOf } from "../domain/id.ts";
import type { MemberClaim } from "../domain/members.ts";
import type { KeyOwner } from "../domain/sealed.ts";
import type { Subject } from "../domain/subject.ts";

/**
 * Every key of the product. `b1` is the layout's version. What belongs to an organisation carries its hash tag, so it
 * lies in one slot and changes in one script; what belongs to none lies under `{s:<noun>}`. Personal names never stand
 * in a key: they go in by digest.
 */
const organisation = (route: Route): string => `b1:{o:${route}}:`;
const shared = (noun: string): string => `b1:{s:${noun}}:`;

/** What stands in front of every key of an organisation. Scripts derive further keys of the same slot from it. */
export const organisationPrefix = (id: OrganisationId): string => organisation(routeOf(id));

/** JSON of an `Organisation`. */
export const organisationKey = (id: OrganisationId): string => `${organisationPrefix(id)}organisation`;

/**
 * Hash, read by every token request: `enabled` 0|1, `policies` (generation of the organisation's policies), `audit`
 * (number of the newest audit entry), `acked` (of the newest that is exported), `events` (of the newest event), `members` (`some` where not everyone is one), `expiry_seen` (up to which
 * end grants were looked for that end soon), `epoch` (how many times it was put back), `restore` (JSON of a `RestoreMode`, while it is: `lua/restore.lua`).
 */
export const gateKey = (id: OrganisationId): string => `${organisationPrefix(id)}gate`;

/** Set, where not everyone is a member: who is, by digest (`memberDigest`, `claimDigest`). */
export const membersKey = (id: OrganisationId): string => `${organisationPrefix(id)}members`;
export const memberDigest = (subject: string): string => digest("member", subject);
export const claimDigest = ({ name, value }: MemberClaim): string => digest("claim", name, value);

/** Beside shared records there is a journal as well, with its number in a `gate` of its own. */
const auditPrefix = (journal: AuditJournal): string =>
  journal === "clients"
    ? shared("client")
    : journal === "registrations"
      ? shared("registration")
      : journal === "queues"
        ? shared("queues")
        : organisationPrefix(journal);
/** Stream of audit entries, `<number>-0`, numbers contiguous; trimmed once they are exported and old. */
export const auditKey = (journal: AuditJournal): string => `${auditPrefix(journal)}audit`;
export const auditGateKey = (journal: AuditJournal): string => `${auditPrefix(journal)}gate`;
/** Hash: `sequence` and `hash` up to which the journal is chained and exported; `owner`, `until`, `fence`: who is at it. */
export const auditHeadKey = (journal: AuditJournal): string => `${auditPrefix(journal)}audit-head`;

/** Stream of an organisation's events, `<number>-0`, numbers contiguous from the gate's `events`; trimmed at its beginning. */
export const eventsKey = (id: OrganisationId): string => `${organisationPrefix(id)}events`;

/**
 * Hash of one containment: `record` and `lifted` (JSON), `cursor` and `counted` of the work, and its counts. Beside it, with
 * `:selectors`, `:tally`, `:grants`, `:receipts`, `:tries`, `:why`: see `lua/README.md`.
 */
export const containmentKey = (id: ContainmentId): string =>
  `${containmentsPrefix(findRoute(id))}containment:${id}`;
/** Of what belongs to no organisation, a client everywhere, they lie beside the clients. */
const containmentsPrefix = (route: Route | undefined): string =>
  route === undefined ? shared("client") : organisation(route);
/** Hash that holds the audit's number, of whichever journal a containment's entries go to. */
export const containmentGateKey = (id: ContainmentId): string => `${containmentsPrefix(findRoute(id))}gate`;
/** Hash: fingerprint of each refresh token that came in from another system → the grant that it became. */
export const importsKey = (server: ServerId): string => `${organisation(routeOf(server))}imports:${server}`;
/** Hash, an hour: `record` (JSON of what is to be exported, and to whose key), `by`, `confirmed_by`. */
export const exportKey = (server: ServerId, id: string): string =>
  `${organisation(routeOf(server))}export:${id}`;
/** Sorted set: grants that came in so, by when. */
export const importedKey = (server: ServerId): string => `${organisation(routeOf(server))}imported:${server}`;

/** Sorted set: containments by beginning, and the set of those whose grants have not all been found. */
export const containmentsKey = (id: OrganisationId | undefined): string =>
  `${id === undefined ? shared("client") : organisationPrefix(id)}containments`;
export const openContainmentsKey = (id: OrganisationId | undefined): string => `${containmentsKey(id)}:open`;
/** Hash: selector → ids of the containments that name it (`lua/containment.lua`). */
export const stopsKey = (id: OrganisationId | undefined): string =>
  `${id === undefined ? shared("client") : organisationPrefix(id)}stops`;

/** GCRA's theoretical arrival time of one client in one organisation; lives as long as it matters. */
export const rateKey = (id: OrganisationId, client: ClientId): string =>
  `${organisationPrefix(id)}rate:${client}`;

/** Sorted set: grants of which one client got tokens, by when last; and beside it when that was too many. Both live an hour. */
export const grantBudgetKey = (id: OrganisationId, client: ClientId): string =>
  `${organisationPrefix(id)}grants-had:${client}`;

/** JSON of a `Policy`. */
export const policyKey = (id: OrganisationId, client: ClientId): string =>
  `${organisationPrefix(id)}policy:${client}`;

/** JSON of a `Server`, and the hash of server names. */
export const serverKey = (id: ServerId): string => `${organisation(routeOf(id))}server:${id}`;
export const serverNamesKey = (id: OrganisationId): string => `${organisationPrefix(id)}servers`;

/** Hash: what one server may be asked now, and what its answers have taught (`lua/gate.lua`). */
export const serverGateKey = (id: ServerId): string => `${organisation(routeOf(id))}server-gate:${id}`;

/** Hash: the last diagnosis of a server and the last good one (JSON), and who is at it (`lua/diagnosis-begin.lua`). */
export const diagnosisKey = (id: ServerId): string => `${organisation(routeOf(id))}diagnosis:${id}`;
/** Hash: how the last sign-ins at a server ended; no names in it. */
export const signInsKey = (id: ServerId): string => `${organisation(routeOf(id))}sign-ins:${id}`;

/** JSON of a `Registration`; a shared one belongs to no organisation. */
export function registrationKey(id: RegistrationId): string {
  const route = findRoute(id);
  return route === undefined ? `${shared("registration")}${id}` : `${organisation(route)}registration:${id}`;
}
export const registrationNamesKey = (id: OrganisationId | undefined): string =>
  id === undefined ? `${shared("registration")}names` : `${organisationPrefix(id)}registrations`;

/** JSON of `WrappedDataKeys`. */
export function dataKeysKey(owner: KeyOwner): string {
  const name = owner.slice(2);
  return owner.startsWith("o:") ? `b1:{${owner}}:data-keys` : `${shared("registration")}${name}:data-keys`;
}

/** JSON of the `DataKeyRotation` under way, or the last one. */
export const dataKeyRotationKey = (owner: KeyOwner): string => `${dataKeysKey(owner)}:rotation`;
/** Set of owners whose rotation has not come to its end. Written before the rotation: a member may have none. */
export const rotatingKey = (): string => `${shared("data-keys")}rotating`;

/** JSON of an organisation's `Shredding`: of what it was this alone stays, and its audit. Nothing is stored under its route again. */
export const shreddedKey = (id: OrganisationId): string => `${organisationPrefix(id)}shredded`;

/** Hash of one grant; its fields are listed in `lua/README.md`. */
export const grantKey = (id: GrantId): string => `${organisation(routeOf(id))}grant:${id}`;
/** Sorted set: grants by creation. */
export const grantsKey = (id: OrganisationId): string => `${organisationPrefix(id)}grants`;
/** Set, for each state but `active`: the grants in it; and the sorted set of those that live, by when their refresh token ends. */
export const grantsInKey = (id: OrganisationId, state: GrantState): string =>
  `${organisationPrefix(id)}grants-in:${state}`;
export const grantEndsKey = (id: OrganisationId): string => `${organisationPrefix(id)}grant-ends`;
/** JSON of a `SharedCensus`, a few minutes; and beside it who takes the next one. */
export const censusKey = (): string => `${shared("census")}newest`;
export const censusLeadKey = (): string => `${shared("census")}lead`;
/** Hash: binding digest → JSON of who uses this grant. */
export const grantBindingsKey = (id: GrantId): string => `${organisation(routeOf(id))}grant-bindings:${id}`;
/** String: the grant of one iManage user at one server. */
export const consentKey = (server: ServerId, customerId: string, userId: string): string =>
  `${organisation(routeOf(server))}consent:${consentDigest(server, customerId, userId)}`;
export const consentDigest = (server: ServerId, customerId: string, userId: string): string =>
  digest(server, customerId, userId.toLowerCase());
/** String: the grant that one subject of a client, or a library, is bound to. */
export const bindingKey = (id: OrganisationId, bindingDigest: string): string =>
  `${organisationPrefix(id)}binding:${bindingDigest}`;
/** Hash: library → JSON of who lent it since when. */
export const librariesKey = (server: ServerId): string =>
  `${organisation(routeOf(server))}libraries:${server}`;

/** Hash: library → JSON of what the last looks at its owner's role said. */
export const standingsKey = (server: ServerId): string =>
  `${organisation(routeOf(server))}standing:${server}`;
/** Hash: `<binding digest> <client>` → when that client last got a token for the library; noted once per quarter of a token's life. */
export const libraryUsesKey = (id: OrganisationId): string => `${organisationPrefix(id)}library-uses`;
/** Hash: library → JSON of what iManage calls it and of what kind it is. */
export const libraryNamesKey = (server: ServerId): string =>
  `${organisation(routeOf(server))}library-names:${server}`;
/** String, a few minutes: what a user may administer, sealed. */
export const libraryRightsKey = (server: ServerId, userDigest: string): string =>
  `${organisation(routeOf(server))}library-rights:${server}:${userDigest}`;
/** Hash: `<digest of a user> <library>` → JSON of the grant of a user who was seen to administer it, and when. */
export const libraryAdminsKey = (server: ServerId): string =>
  `${organisation(routeOf(server))}library-admins:${server}`;
/** Hash: binding digest → why tokens for that library are refused although its grant lives. */
export const parkedKey = (id: OrganisationId): string => `${organisationPrefix(id)}parked`;

/** Sorted set: when to look at which grant again. The schedule of record (design §3.9). */
export const dueKey = (id: OrganisationId): string => `${organisationPrefix(id)}due:refresh`;
/** Sorted set across organisations: the earliest due time of each. A hint; the reconciler rebuilds it. */
export const dueHintKey = (): string => `${shared("due")}refresh`;

/** Sorted set: grants that nothing is bound to, by the time they end. */
export const unboundKey = (id: OrganisationId): string => `${organisationPrefix(id)}unbound`;

/** String of one grant: what happened to it, a JSON list a line, the newest two hundred or so. */
export const storyKey = (id: GrantId): string => `${organisation(routeOf(id))}story:${id}`;
/** Stream: the same, as it was written until November 2026. */
export const timelineKey = (id: GrantId): string => `${organisation(routeOf(id))}timeline:${id}`;
/** Sorted set: when to warn next that a grant's refresh token ends, of those that end within thirty days. */
export const expiryKey = (id: OrganisationId): string => `${organisationPrefix(id)}due:expiry`;

/** Stream: sealed tokens that wait to be revoked at iManage. */
export const revocationsKey = (id: OrganisationId): string => `${organisationPrefix(id)}revocations`;

/** Sorted set: the same, not before the score: what was handed out of a grant that another took the place of lives so long. */
export const laterRevocationsKey = (id: OrganisationId): string =>
  `${organisationPrefix(id)}revocations:later`;
/** String: until when an ended grant's tokens are left alone; for a refresh that is under way as it ends. */
export const outlivedKey = (id: GrantId): string => `${organisation(routeOf(id))}outlived:${id}`;

/** JSON of a `ConnectSession`; ends by itself. */
export const connectSessionKey = (id: ConnectSessionId): string =>
  `${organisation(routeOf(id))}connect-session:${id}`;
/** Keyed by digests, so whoever lists Redis learns no usable link, state, completion or session. Each is taken once. */
export const connectStartKey = (route: Route, startDigest: string): string =>
  `${organisation(route)}connect-start:${startDigest}`;
export const authorizationRequestKey = (route: Route, stateDigest: string): string =>
  `${organisation(route)}authorization-request:${stateDigest}`;
export const pendingCompletionKey = (route: Route, completionDigest: string): string =>
  `${organisation(route)}pending-completion:${completionDigest}`;
export const pageSessionKey = (route: Route, sessionDigest: string): string =>
  `${organisation(route)}page-session:${sessionDigest}`;
/** A client's link for its person, taken once, and the visit of the browser that opened it. */
export const portalLinkKey = (route: Route, linkDigest: string): string =>
  `${organisation(route)}portal-link:${linkDigest}`;
export const portalVisitKey = (route: Route, cookieDigest: string): string =>
  `${organisation(route)}portal-visit:${cookieDigest}`;
/** Hash of one calendar link, by the digest of its handle: whose, and what it has been told (`lua/calendar-fetch.lua`). */
export const calendarKey = (route: Route, handleDigest: string): string =>
  `${organisation(route)}calendar:${handleDigest}`;
/** String: the digest of the one calendar link of an iManage user at a server. */
export const calendarOfKey = (server: ServerId, customerId: string, userId: string): string =>
  `${organisation(routeOf(server))}calendar-of:${digest(server, customerId, userId.toLowerCase())}`;
/** Hash: digest of the request that came with an Idempotency-Key, and the answer to it; lives 24 h. */
export const idempotencyKey = (id: OrganisationId | undefined, client: ClientId, keyDigest: string): string =>
  `${id === undefined ? shared("client") : organisationPrefix(id)}idempotency:${client}:${keyDigest}`;

/** JSON of an `OperatorSession`, by the digest of its cookie. */
export const operatorSessionKey = (digest: string): string => `${shared("operators")}session:${digest}`;

/** Hash: organisation name → id. Authoritative list of organisations. */
export const organisationNamesKey = (): string => `${shared("organisation")}names`;
/** Hash of a client: `record` and `standing` (state and generation), each sealed; and the hash of client names. */
export const clientKey = (id: ClientId): string => `${shared("client")}${id}`;
/** String, until it could not be shown again: a `jti` that a client has used. */
export const assertionUseKey = (id: ClientId, jti: string): string =>
  `${shared("client")}assertion:${digest(id, jti)}`;
/** GCRA's theoretical arrival time of proofs that did not fit: of one client id from one address, and of the address. */
export const failuresKey = (id: string, address: string): string =>
  `${shared("client")}failures:${digest(id, address)}`;
export const failuresFromKey = (address: string): string =>
  `${shared("client")}failures-from:${digest(address)}`;
export const clientNamesKey = (): string => `${shared("client")}names`;
/** Set: organisations whose policies name the client. Written after the policy; a repeated write repairs it. */
export const clientOrganisationsKey = (id: ClientId): string => `${shared("client")}${id}:organisations`;

/** Hash of one sync: its record and cursor. */
export const syncKey = (id: SyncId): string => `${organisation(routeOf(id))}sync:${id}`;
export const syncsKey = (id: OrganisationId): string => `${organisationPrefix(id)}syncs`;
/** Hash: object → digest of the version last told. */
export const syncObjectsKey = (id: SyncId): string => `${organisation(routeOf(id))}sync-objects:${id}`;
/** Stream of sealed changes, read by cursor. */
export const syncChangesKey = (id: SyncId): string => `${organisation(routeOf(id))}sync-changes:${id}`;
/** The same, sealed with another data key: what is to take its place. */
export const syncChangesCopyKey = (id: SyncId, dataKey: string): string =>
  `${organisation(routeOf(id))}sync-changes-copy:${id}:${dataKey}`;
/** Hash: sync → bytes that it takes, as last measured, and `total` of all the organisation's. */
export const syncSpaceKey = (id: OrganisationId): string => `${organisationPrefix(id)}sync-space`;
export const syncDueKey = (id: OrganisationId): string => `${organisationPrefix(id)}due:sync`;
export const syncDueHintKey = (): string => `${shared("due")}sync`;

/** Sorted set: who of a client reads a snapshot now, by until when; ends by itself. */
export const snapshotSlotsKey = (id: OrganisationId, client: ClientId): string =>
  `${organisationPrefix(id)}snapshots:${client}`;
/** JSON of an `EventSubscription`, and the hash of an organisation's: id → client. */
export const subscriptionKey = (id: SubscriptionId): string =>
  `${organisation(routeOf(id))}subscription:${id}`;
export const subscriptionsKey = (id: OrganisationId): string => `${organisationPrefix(id)}subscriptions`;
/** Sorted set: test events that a client has asked for of late, by when each counts no more; ends by itself. */
export const eventTestsKey = (id: OrganisationId, client: ClientId): string =>
  `${organisationPrefix(id)}event-tests:${client}`;
/** Hash: how far a subscription has been told, how its receiver does, and who is at it (`lua/README.md`). */
export const deliveryKey = (id: SubscriptionId): string => `${organisation(routeOf(id))}delivery:${id}`;
/**
 * Beside it: `lanes` (sorted set, lane → when its head is sent), `heads` (hash, lane → attempts at its head), `log` and `records`
 * (sorted set and hash: what became of events, by number), `dead` (sorted set of dead letters). The lanes: `delivery-lane:<id>:<lane>`.
 */
export const deliveryPartKey = (
  id: SubscriptionId,
  part: "lanes" | "heads" | "log" | "records" | "dead",
): string => `${organisation(routeOf(id))}delivery-${part}:${id}`;
export const deliveryDueKey = (id: OrganisationId): string => `${organisationPrefix(id)}due:delivery`;
export const deliveryDueHintKey = (): string => `${shared("due")}delivery`;

/** Hash: `starts` of jobs on a grant or sync that never ended in order, and `until` when it is put aside. Ends by itself. */
export const startsKey = (id: GrantId | SyncId): string => `${organisation(routeOf(id))}starts:${id}`;

/** Tags of what no backup holds: hints that are rebuilt, and sessions of people who sign in again. Queues are not among them: they have tags of their own. */
export const NOT_BACKED_UP: readonly string[] = ["s:due", "s:operators"];
/** Hash: newest `format` of records that may lie here, `since`, `by`; and, by id, JSON of the processes at work (`lua/process.lua`). */
export const storeFormatKey = (): string => `${shared("store")}format`;
export const processesKey = (): string => `${shared("store")}processes`;
/** Hash: how far a migration of records has come. */
export const migrationKey = (name: string): string => `${shared("store")}migration:${name}`;

/** Channel on which the outcome of a refresh is announced: `<grant> <outcome>`. Losing a message costs time, nothing else. */
export const REFRESH_CHANNEL = "b1:refresh-outcome";

/** Names a binding without telling whose it is. */
export function bindingDigest(server: ServerId, client: ClientId | undefined, subject: Subject): string {
  return subject.type === "library"
    ? digest("library", server, subject.id)
    : digest("user", server, client ?? "", subject.issuer, subject.id);
}

/** SHA-256 over length-prefixed parts, base64url: no two lists of parts run together. */
const digest = (...parts: readonly string[]): string =>
  hash("sha256", parts.map((part) => `${Buffer.byteLength(part)}:${part}`).join(""), "base64url");
