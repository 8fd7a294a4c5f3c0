import { timing } from "../../src/domain/access-policy.ts";
import { days, type Milliseconds, minutes } from "../../src/domain/instant.ts";
import { EVENTS_KEPT_MS } from "../../src/events/trim-events.ts";

export const KEPT_FILE = "config/papers/personal-data.md";

/** What lies under one kind of key in Redis. A kind is a key without what differs from one key to the next: `…` stands for that. */
interface Kept {
  readonly holds: string;
  /** Of a person; undefined: nothing. */
  readonly person: string | undefined;
  /** How long, where nobody ends it before. */
  readonly until: string;
  /** Besides the broker itself and whoever can read Redis. */
  readonly readBy: string;
}

const NOBODY = undefined;
const NONE = "nobody";

/** Lengths as the code has them, so that the sheet follows. */
const lasts = (ms: Milliseconds): string =>
  ms < minutes(120)
    ? `${ms / minutes(1)} minutes`
    : ms < days(2)
      ? `${ms / minutes(60)} hours`
      : `${ms / days(1)} days`;

const kept = (holds: string, person: string | undefined, until: string, readBy: string): Kept => ({
  ...{ holds, person, until, readBy },
});

const WITH_ORGANISATION = "the organisation is shredded";
const WITH_GRANT = "its authorization ends";
const AUDIT =
  "`AUDIT_RETENTION_DAYS` (30 unless set) once it is exported, and `AUDIT_KEPT_MAX_ENTRIES` at most";
const CLIENT_ID = "the id by which an application knows the person";
const IMANAGE_ID = "iManage customer id and user id";
const CLIENTS = "the application, operators";
const ADMINS = "the firm's organisation admin, operators, support of this firm";

/**
 * Everything under an organisation's prefix, `b1:{o:…}:`. Who adds a kind of key to `src/store/keys.ts` adds it here; a test compares.
 */
export const KEPT_OF_ORGANISATIONS: Readonly<Record<string, Kept>> = {
  organisation: kept(
    "name, settings, who is a member",
    `where members are listed: ${CLIENT_ID}; where they are claimed: names of groups`,
    WITH_ORGANISATION,
    ADMINS,
  ),
  gate: kept("counters and switches", NOBODY, `${WITH_ORGANISATION}; the number of the audit for good`, NONE),
  members: kept("who is a member", "digest of the same ids and groups", WITH_ORGANISATION, NONE),
  audit: kept(
    "what was handed out and changed, and by whom",
    `${IMANAGE_ID}, or ${CLIENT_ID}, or an operator's account; the address of the request; the purpose in the caller's words`,
    AUDIT,
    "the firm's organisation admin, operators; support with names masked; applications with the action `audit`",
  ),
  "imports:…": kept(
    "which refresh tokens came in from another system, by fingerprint",
    "keyed digests of tokens",
    WITH_ORGANISATION,
    NONE,
  ),
  "imported:…": kept(
    "the list of authorizations that came in so, or were handed over",
    NOBODY,
    WITH_ORGANISATION,
    NONE,
  ),
  "export:…": kept(
    "what operators want to hand over, and to whose key",
    "the accounts of the operators who asked and confirmed",
    "an hour",
    NONE,
  ),
  "audit-head": kept("how far the audit is exported", NOBODY, "for good", NONE),
  ended: kept("which authorizations ended when", NOBODY, AUDIT, NONE),
  events: kept(
    "what happened to authorizations, syncs, libraries, servers",
    CLIENT_ID,
    `${lasts(EVENTS_KEPT_MS)}`,
    "applications with the action `events`, each its own persons alone; operators",
  ),
  "containment:…": kept(
    "what tokens were stopped for, by whom, why, and what became of it",
    `where a person was named: ${IMANAGE_ID}, or ${CLIENT_ID}; who did it; the reason in his words`,
    WITH_ORGANISATION,
    "operators, applications with the action `contain`",
  ),
  "containment:…:…": kept(
    "beside it: what it stops, the authorizations found, what was counted, receipts of revoked tokens",
    "digests of the ids of whom it concerned",
    "what it stops, until it is lifted; receipts, until the organisation is shredded",
    "operators, applications with the action `contain`",
  ),
  containments: kept("the list of these", NOBODY, WITH_ORGANISATION, NONE),
  "containments:open": kept("those of them under work", NOBODY, "they are finished", NONE),
  stops: kept(
    "what is stopped now",
    "where a person was named, digest of his ids",
    "the containment is lifted",
    NONE,
  ),
  "rate:…": kept("how fast an application asks", NOBODY, "minutes", NONE),
  "grants-had:…": kept("of which authorizations an application got tokens", NOBODY, "an hour", NONE),
  "policy:…": kept(
    "what an application may do",
    `where users are listed: ${CLIENT_ID}`,
    "it is deleted",
    "operators, the application",
  ),
  "server:…": kept(
    "an iManage server: addresses, settings, certificate authorities",
    NOBODY,
    WITH_ORGANISATION,
    ADMINS,
  ),
  servers: kept("names of the servers", NOBODY, WITH_ORGANISATION, ADMINS),
  "server-gate:…": kept(
    "how the server does, and how much it may be asked",
    NOBODY,
    WITH_ORGANISATION,
    ADMINS,
  ),
  "diagnosis:…": kept(
    "the last look at a server and the last good one",
    NOBODY,
    "the next one takes its place",
    ADMINS,
  ),
  "sign-ins:…": kept(
    "how the last sign-ins at a server ended",
    NOBODY,
    "the next one takes its place",
    ADMINS,
  ),
  "registration:…": kept(
    "the application at iManage; its client secrets sealed",
    NOBODY,
    WITH_ORGANISATION,
    ADMINS,
  ),
  registrations: kept("names of these", NOBODY, WITH_ORGANISATION, ADMINS),
  "data-keys": kept("the firm's data keys, wrapped by a root key", NOBODY, "rotation, or shredding", NONE),
  "data-keys:rotation": kept("how far their rotation is", NOBODY, WITH_ORGANISATION, "operators"),
  shredded: kept("that the organisation was shredded, when, and which keys", NOBODY, "for good", "operators"),
  "grant:…": kept(
    "one authorization: refresh and access token, both sealed; states, times, fingerprints",
    `${IMANAGE_ID}, name and e-mail as iManage gave them; tokens that act for the person`,
    "it is ended by the person, his application or an operator, or nobody is bound to it for an hour; a containment may take its tokens before",
    "the person, applications bound to it (no token, but for access tokens), operators",
  ),
  "grant-bindings:…": kept(
    "who uses an authorization",
    CLIENT_ID,
    WITH_GRANT,
    "the person, the application, operators",
  ),
  grants: kept("the list of authorizations", NOBODY, WITH_GRANT, NONE),
  "grants-in:…": kept("those in one state", NOBODY, WITH_GRANT, NONE),
  "grant-ends": kept("when their refresh tokens end", NOBODY, WITH_GRANT, NONE),
  "consent:…": kept("which authorization is whose", "digest of the iManage ids", WITH_GRANT, NONE),
  "binding:…": kept("which authorization an application's person uses", "digest of his id", WITH_GRANT, NONE),
  "timeline:…": kept(
    "what happened to one authorization, some 200 entries",
    `who did it: ${IMANAGE_ID}, or ${CLIENT_ID}, or an operator's account`,
    `${WITH_GRANT}, and then as the audit`,
    CLIENTS,
  ),
  "story:…": kept(
    "what happened to one authorization, some 200 entries",
    `who did it: ${IMANAGE_ID}, or ${CLIENT_ID}, or an operator's account`,
    `${WITH_GRANT}, and then as the audit`,
    CLIENTS,
  ),
  "libraries:…": kept(
    "which library was lent by whom",
    `the library admin's ${IMANAGE_ID}, name and e-mail`,
    "the library is taken back or lent by another",
    "library admins of the server, the firm's organisation admin, operators",
  ),
  "standing:…": kept("whether he still administers it", NOBODY, "the library is taken back", CLIENTS),
  "library-uses": kept(
    "when an application last got a token for a library",
    NOBODY,
    WITH_ORGANISATION,
    "library admins",
  ),
  "library-names:…": kept(
    "what iManage calls its libraries",
    NOBODY,
    "shown for 90 days, kept longer",
    "library admins",
  ),
  "library-rights:…:…": kept(
    "what a library admin may administer, sealed",
    "in the key, digest of his iManage ids",
    "5 minutes",
    "the library admin",
  ),
  "library-admins:…": kept(
    "who was seen to administer a library",
    "digest of his iManage ids",
    "iManage says otherwise at his next visit",
    "library admins: how many, and names where their authorization is there",
  ),
  parked: kept("libraries that are put aside, and why", NOBODY, "they work again", CLIENTS),
  "due:refresh": kept("when to look at which authorization", NOBODY, WITH_GRANT, NONE),
  unbound: kept("authorizations that nobody uses", NOBODY, lasts(timing.unboundGrantMs), NONE),
  "due:expiry": kept("when to warn that one ends", NOBODY, WITH_GRANT, NONE),
  revocations: kept(
    "tokens, sealed, of which iManage is still to be told that they are over",
    "tokens that acted for the person",
    "iManage has been told; one of a containment is given up after a day of refusals",
    NONE,
  ),
  "revocations:later": kept("the same, not before a time", "the same", "the same", NONE),
  "outlived:…": kept(
    "until when the tokens of an ended authorization are left alone",
    NOBODY,
    "an hour or so",
    NONE,
  ),
  "connect-session:…": kept(
    "a sign-in under way, and how it ended",
    `${CLIENT_ID}; the sign-in name, where the application gave it`,
    lasts(timing.connectRecordMs),
    "the application",
  ),
  "connect-start:…": kept("its link, by digest", NOBODY, lasts(timing.connectSessionMs), NONE),
  "authorization-request:…": kept(
    "a redirect to iManage: the PKCE verifier sealed",
    "on our own pages: iManage ids, name and e-mail of who signs in",
    lasts(timing.authorizationRequestMs),
    NONE,
  ),
  "pending-completion:…": kept("a code that came back, sealed", NOBODY, "at most 1 minute", NONE),
  "page-session:…": kept(
    "a library admin's visit to our pages",
    `${IMANAGE_ID}, name and e-mail`,
    lasts(timing.pageSessionMs),
    "himself",
  ),
  "portal-link:…": kept(
    "a one-use link to our pages",
    `${CLIENT_ID}, the name shown to him, his iManage user where the application knows it`,
    lasts(timing.portalLinkMs),
    NONE,
  ),
  "portal-visit:…": kept("the visit that it opened", "the same", lasts(timing.pageSessionMs), "himself"),
  "calendar:…": kept(
    "a link to a calendar of renewals, by digest",
    IMANAGE_ID,
    "he revokes or replaces it",
    "whoever has the link sees what it tells: libraries and days",
  ),
  "calendar-of:…": kept("which link is whose", "in the key, digest of his iManage ids", "the same", NONE),
  "idempotency:…:…": kept(
    "the answer to a request that may be repeated, without secrets",
    "what that answer told, for example the id of a connect session",
    "24 hours",
    "the application",
  ),
  "sync:…": kept("an application's sync of a library", NOBODY, "it is deleted", CLIENTS),
  syncs: kept("the list of syncs", NOBODY, "they are deleted", NONE),
  "syncs-parked": kept("those that wait for somebody", NOBODY, "they go on", NONE),
  "sync-objects:…": kept(
    "which objects of the library were told in which version",
    "iManage ids of documents, workspaces, folders, users and groups; of the rest a keyed digest",
    "the sync is deleted",
    NONE,
  ),
  "sync-changes:…": kept(
    "changes that were told, sealed",
    "what iManage says of documents and of users: names, authors, e-mail, as far as the sync asked for them",
    "7 days",
    "the application",
  ),
  "sync-changes-copy:…:…": kept(
    "the same while data keys are rotated, sealed",
    "the same",
    "the rotation ends",
    NONE,
  ),
  "sync-space": kept("how much syncs keep", NOBODY, WITH_ORGANISATION, CLIENTS),
  "due:sync": kept("when to look at which sync", NOBODY, "it is deleted", NONE),
  "snapshots:…": kept("how many snapshots an application reads now", NOBODY, "minutes", NONE),
  "subscription:…": kept(
    "where an application is called; its secrets sealed",
    NOBODY,
    "it is deleted",
    CLIENTS,
  ),
  subscriptions: kept("the list of these", NOBODY, "they are deleted", NONE),
  "event-tests:…": kept("test events of late", NOBODY, "10 minutes", NONE),
  "delivery:…": kept("how far a receiver was told", NOBODY, "the subscription is deleted", CLIENTS),
  "delivery-lane:…:…": kept("numbers of events that wait", NOBODY, "they are told", NONE),
  "delivery-lanes:…": kept("when each lane goes on", NOBODY, "the subscription is deleted", NONE),
  "delivery-heads:…": kept("how often each was tried", NOBODY, "the subscription is deleted", NONE),
  "delivery-log:…": kept("numbers of the last 2,000 events", NOBODY, "the subscription is deleted", CLIENTS),
  "delivery-records:…": kept("what became of these", NOBODY, "the subscription is deleted", CLIENTS),
  "delivery-dead:…": kept(
    "numbers of events that were given up",
    NOBODY,
    "the subscription is deleted",
    CLIENTS,
  ),
  "due:delivery": kept("when to deliver next", NOBODY, "the subscription is deleted", NONE),
  "starts:…": kept("work that never ended in order", NOBODY, "a day", NONE),
};

/** What belongs to no organisation, `b1:{s:<noun>}:`, and the work queues, `b1:{q:<queue>}:`. */
export const KEPT_SHARED: Readonly<Record<string, Kept>> = {
  "{s:organisation}names": kept("names of the organisations", NOBODY, WITH_ORGANISATION, "operators"),
  "{s:client}…": kept(
    "an application: names, digests of its secrets, public keys, return URLs",
    NOBODY,
    "for good",
    "operators, the application",
  ),
  "{s:client}names": kept("names of the applications", NOBODY, "for good", "operators"),
  "{s:client}…:organisations": kept(
    "in which organisations it has a policy",
    NOBODY,
    "the policy is deleted",
    NONE,
  ),
  "{s:client}assertion:…": kept(
    "that a signed assertion was used, by digest",
    NOBODY,
    "the assertion ends",
    NONE,
  ),
  "{s:client}failures:…": kept(
    "proofs that did not fit",
    "digest of application and address",
    "minutes",
    NONE,
  ),
  "{s:client}failures-from:…": kept("the same for an address", "digest of the address", "minutes", NONE),
  "{s:client}idempotency:…:…": kept("as in an organisation", "the same", "24 hours", "the application"),
  "{s:client}audit": kept(
    "changes of applications, and by whom",
    "an operator's account; the address of the request",
    AUDIT,
    "operators",
  ),
  "{s:client}gate": kept("counters", NOBODY, "for good", NONE),
  "{s:client}audit-head": kept("how far the audit is exported", NOBODY, "for good", NONE),
  "{s:client}containment:…": kept(
    "containments of an application everywhere",
    "who did it; the reason in his words",
    "for good",
    "operators",
  ),
  "{s:client}containment:…:…": kept(
    "beside it, the same as in an organisation",
    NOBODY,
    "for good",
    "operators",
  ),
  "{s:client}containments": kept("the list of these", NOBODY, "for good", NONE),
  "{s:client}containments:open": kept("those of them under work", NOBODY, "they are finished", NONE),
  "{s:client}stops": kept(
    "which applications are stopped everywhere",
    NOBODY,
    "the containment is lifted",
    NONE,
  ),
  "{s:registration}…": kept(
    "an application at iManage that firms share; secrets sealed",
    NOBODY,
    "for good",
    "operators",
  ),
  "{s:registration}names": kept("names of these", NOBODY, "for good", "operators"),
  "{s:registration}…:data-keys": kept("their data keys, wrapped by a root key", NOBODY, "rotation", NONE),
  "{s:registration}…:data-keys:rotation": kept("how far their rotation is", NOBODY, "for good", "operators"),
  "{s:registration}audit": kept("changes of these, and by whom", "an operator's account", AUDIT, "operators"),
  "{s:registration}gate": kept("counters", NOBODY, "for good", NONE),
  "{s:registration}audit-head": kept("how far the audit is exported", NOBODY, "for good", NONE),
  "{s:queues}audit": kept("what operators did to work queues", "an operator's account", AUDIT, "operators"),
  "{s:queues}gate": kept("counters", NOBODY, "for good", NONE),
  "{s:queues}audit-head": kept("how far the audit is exported", NOBODY, "for good", NONE),
  "{s:operators}session:…": kept(
    "an operator's or supporter's session, by the digest of its cookie",
    "issuer, subject and name at the identity provider",
    lasts(timing.operatorSessionMs),
    "himself",
  ),
  "{s:census}newest": kept("counts of authorizations by state", NOBODY, "5 minutes", "operators"),
  "{s:census}lead": kept("who counts next", NOBODY, "half a minute", NONE),
  "{s:data-keys}rotating": kept("whose data keys are rotated now", NOBODY, "the rotation ends", NONE),
  "{s:due}refresh": kept("which organisation has work when", NOBODY, "the work is done", NONE),
  "{s:due}sync": kept("the same for syncs", NOBODY, "the work is done", NONE),
  "{s:due}delivery": kept("the same for events", NOBODY, "the work is done", NONE),
  "{s:store}format": kept("format of the records", NOBODY, "for good", "operators"),
  "{s:store}processes": kept(
    "which processes are at work: host name, process id, version",
    NOBODY,
    "they end",
    "operators",
  ),
  "{s:store}migration:…": kept("how far a migration is", NOBODY, "for good", "operators"),
  "{q:…}": kept(
    "jobs: ids of authorizations, syncs and subscriptions",
    NOBODY,
    "the job is done",
    "operators",
  ),
};

/** As the sheet has them; a test compares the two. */
export function keptTables(): string {
  const of = (entries: Readonly<Record<string, Kept>>) => {
    const rows = Object.entries(entries).map(
      ([key, { holds, person, until, readBy }]) =>
        `| \`${key}\` | ${holds} | ${person ?? "—"} | ${until} | ${readBy} |`,
    );
    return [
      "| Key | Holds | Of a person | Kept until, or for | Read by |",
      "| --- | --- | --- | --- | --- |",
      ...rows,
    ].join("\n");
  };
  return [
    "### Of an organisation: `b1:{o:…}:`",
    of(KEPT_OF_ORGANISATIONS),
    "### Of no organisation: `b1:{s:…}`, and work queues",
    of(KEPT_SHARED),
  ].join("\n\n");
}
