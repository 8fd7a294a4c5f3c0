/** Whose numbers an entry takes, and so who reads it: an organisation's admins and the operators, or operators alone. */
export type AuditKept = "organisation" | "shared" | "both";

interface AuditActionKind {
  /** What has happened, as the page says it. */
  readonly means: string;
  readonly kept: AuditKept;
  /** What its entry may tell, besides {@link EVERY_ENTRY}. */
  readonly fields: readonly AuditField[];
}

/** Fields of entries, in words. Never a secret; of what was changed its name, and no value. */
export const AUDIT_FIELDS = {
  at: "when, in milliseconds since 1970, by the store's clock",
  action: "what has happened: one of this list",
  actor:
    "who did it: `client:<id>`, `user:<customer>/<user id>` at iManage, `person:<client>/<id>`, `operator:<account>`, `cli:<account>`, `worker`: the product by itself",
  request: "id of the request, as its answer and the log have it",
  address: "where the request came from",
  client: "the application",
  server: "the iManage server",
  grant: "the authorization",
  token: "fingerprint of the access token, from which nobody gets the token",
  subject: "`user` or `library`: for what kind of subject a token was",
  purpose: "why, in the caller's words",
  library: "the library",
  lent_by: "the iManage user who lent the library, `<customer>/<user id>`",
  replaced: "the iManage user whose place was taken, empty where the library was free",
  why: "what is wrong with the library's owner, or with what was imported, as a code",
  generation: "how many times this person has authorised at this server",
  sync: "the sync",
  subscription: "the subscription to events",
  containment: "the containment",
  target: "what kind of thing tokens were stopped for",
  effect: "`stop`, or `revoke`: at iManage too",
  tokens: "how many tokens were to be revoked",
  given_up: "how many of them could not be",
  stale: "how many authorizations had been given another refresh token since, or been ended",
  epoch: "how many times the organisation was put back",
  registration: "the registration at iManage",
  name: "name of the record in configuration files",
  record: "key name of the record",
  key: "id of the data key, of the root key by which data keys are wrapped now, or thumbprint of an export's key",
  queue: "the work queue",
  job: "the job; `failed`, `completed`, `delayed`: every job in this state",
  fields: "names of what is another now, separated by blanks; no value",
} as const satisfies Record<string, string>;

export type AuditField = keyof typeof AUDIT_FIELDS;

export const EVERY_ENTRY: readonly AuditField[] = ["at", "action", "actor", "request", "address"];

const action = (
  means: string,
  fields: readonly AuditField[],
  kept: AuditKept = "organisation",
): AuditActionKind => ({ means, fields, kept });

/**
 * Everything that the audit can say. Whatever changes what somebody may reach, or hands something out, has its action here,
 * and its entry is written in the script that does it. An action is never reused and never changes its meaning.
 */
export const AUDIT_ACTIONS = {
  // Tokens and authorizations
  "token.issued": action("An application got an access token.", [
    "client",
    "server",
    "grant",
    "token",
    "subject",
    "purpose",
    "library",
    "lent_by",
  ]),
  "grant.authorized": action("A person authorised at iManage.", ["server", "grant", "generation"]),
  "grant.rotated": action("iManage gave another refresh token for an authorization.", [
    "server",
    "grant",
    "generation",
  ]),
  "grant.revoked": action("An authorization was ended for everyone who used it.", [
    "server",
    "grant",
    "containment",
  ]),
  "grant.imported": action("A refresh token that another system kept was brought in, and is held.", [
    "server",
    "grant",
    "generation",
  ]),
  "grant.import_opened": action("An imported authorization is this broker's from now on, and is refreshed.", [
    "server",
    "grant",
  ]),
  "grant.import_undone": action("An imported authorization was taken out again, unused.", [
    "server",
    "grant",
  ]),
  "grant.verified": action("iManage says that an imported authorization is the person's whose it is here.", [
    "server",
    "grant",
  ]),
  "grant.quarantined": action(
    "An imported authorization was put aside: by what iManage says it is not this person's alone.",
    ["server", "grant", "why"],
  ),
  "grant.exported": action("An authorization was handed over to another system, and is used here no more.", [
    "server",
    "grant",
  ]),
  "export.requested": action("An operator asked for an export of authorizations, sealed to an offline key.", [
    "server",
    "key",
    "purpose",
  ]),
  "export.confirmed": action("Another operator confirmed an export.", ["server", "key"]),
  "grant.reaped": action("An authorization that nobody used was ended.", ["server", "grant"]),
  "binding.withdrawn": action("One use of an authorization was ended: an application's, or a library's.", [
    "server",
    "grant",
    "library",
  ]),

  "binding.moved": action("An application knows a person by another id from now on.", [
    "client",
    "server",
    "grant",
  ]),

  // Containment
  "containment.begun": action(
    "Tokens were stopped.",
    ["containment", "target", "effect", "client", "server", "grant", "purpose"],
    "both",
  ),
  "containment.lifted": action("Tokens flow again.", ["containment", "purpose"], "both"),
  "containment.revoked": action("iManage has been told of every token of a containment.", [
    "containment",
    "tokens",
    "given_up",
  ]),

  // Libraries
  "library.authorized": action("A library was lent to background services.", [
    "server",
    "grant",
    "library",
    "replaced",
  ]),
  "library.parked": action("A library was put aside: its owner may not lend it any more.", [
    "server",
    "grant",
    "library",
    "why",
  ]),
  "library.lifted": action("A library that was put aside works again.", [
    "server",
    "grant",
    "library",
    "why",
  ]),

  // Calendars and syncs
  "calendar.created": action("A calendar link was made.", ["server"]),
  "calendar.revoked": action("A calendar link was revoked.", ["server"]),
  "sync.created": action("A sync of a library was begun.", ["client", "server", "sync"]),
  "sync.paused": action("A sync was paused.", ["client", "server", "sync"]),
  "sync.resumed": action("A sync was resumed.", ["client", "server", "sync"]),
  "sync.deletions_released": action("Deletions that a sync held back are told.", [
    "client",
    "server",
    "sync",
  ]),
  "sync.deletions_discarded": action("Deletions that a sync held back are not told.", [
    "client",
    "server",
    "sync",
  ]),
  "sync.reset": action("A sync was told to look at everything again.", ["client", "server", "sync"]),
  "sync.changed": action("The interval of a sync was changed.", ["client", "server", "sync"]),
  "sync.deleted": action("A sync was deleted with what it had stored.", ["client", "server", "sync"]),

  // Events
  "subscription.created": action("An application subscribed to events.", [
    "client",
    "subscription",
    "fields",
  ]),
  "subscription.changed": action(
    "A subscription to events was changed; by `worker`: its receiver said that it is gone.",
    ["client", "subscription", "fields"],
  ),
  "subscription.secret_rotated": action("A subscription got another secret to sign with.", [
    "client",
    "subscription",
    "fields",
  ]),
  "subscription.deleted": action("A subscription to events was deleted with what waited for it.", [
    "client",
    "subscription",
    "fields",
  ]),
  "event.replayed": action("Events are sent to a subscription once more.", ["client", "subscription"]),

  // Records that operators and admins manage
  "organisation.created": action("The organisation was set up.", ["name", "fields"]),
  "organisation.changed": action("Settings of the organisation were changed.", ["name", "fields"]),
  "server.created": action("An iManage server was added.", ["server", "name", "fields"]),
  "server.changed": action("Settings of an iManage server were changed.", ["server", "name", "fields"]),
  "registration.created": action(
    "A registration at iManage was added.",
    ["registration", "name", "fields"],
    "both",
  ),
  "registration.changed": action(
    "A registration at iManage was changed.",
    ["registration", "name", "fields"],
    "both",
  ),
  "policy.budget_exceeded": action(
    "An application asked for more different authorizations within an hour than it is allowed. Told once an hour.",
    ["client", "server", "grant"],
  ),
  "policy.created": action("An application was allowed something.", ["client", "fields"]),
  "policy.changed": action("What an application may do was changed.", ["client", "fields"]),
  "policy.deleted": action("An application was allowed nothing any more.", ["client", "fields"]),
  "client.created": action("An application was added.", ["client", "name", "fields"], "shared"),
  "client.changed": action("An application was changed.", ["client", "name", "fields"], "shared"),
  "client.secret_added": action("A client got a further secret.", ["client", "name", "fields"], "shared"),
  "client.secret_removed": action(
    "A secret of a client was made void.",
    ["client", "name", "fields"],
    "shared",
  ),
  "record.sealed": action(
    "An operator took over a record that no broker of this version had written, or that was altered.",
    ["record"],
    "both",
  ),
  "record.migrated": action(
    "A record was written anew in the form of this version; it means what it meant.",
    ["record"],
    "both",
  ),

  "store.restored": action(
    "Records that had been put back to an earlier state were looked at, and are in use again.",
    ["stale", "epoch"],
    "both",
  ),
  // Work queues: asked for by hand. The entry is written before, so that nothing is done without it
  "queue.retried": action("An operator had jobs that failed run once more.", ["queue", "job"], "shared"),
  "queue.promoted": action("An operator had jobs run before their time.", ["queue", "job"], "shared"),
  "queue.removed": action("An operator removed jobs.", ["queue", "job"], "shared"),

  // Keys
  "data_key.added": action("A new key for stored secrets was made.", ["registration", "key"], "both"),
  "data_key.promoted": action("New secrets are sealed with the new key.", ["registration", "key"], "both"),
  "data_key.retired": action(
    "A key with which nothing is sealed any more was destroyed.",
    ["registration", "key"],
    "both",
  ),
  "data_key.rewrapped": action(
    "The keys for stored secrets are wrapped by another root key.",
    ["registration", "key"],
    "both",
  ),
  "organisation.shredded": action(
    "The keys of an organisation were destroyed, and its records deleted.",
    ["name", "key"],
    "both",
  ),
} as const satisfies Record<string, AuditActionKind>;

export type AuditAction = keyof typeof AUDIT_ACTIONS;

export const isAuditAction = (word: string): word is AuditAction => Object.hasOwn(AUDIT_ACTIONS, word);

/** What an entry tells against this list, as a sentence; undefined where it keeps to it. */
export function auditFault(fields: Readonly<Record<string, string>>): string | undefined {
  const name = fields.action ?? "";
  if (!isAuditAction(name)) return `The audit has no action ${JSON.stringify(name)}.`;
  const may: readonly string[] = [...EVERY_ENTRY, ...AUDIT_ACTIONS[name].fields];
  const stranger = Object.keys(fields).find((field) => !may.includes(field));
  return stranger && `An entry of ${name} may not have ${stranger}.`;
}

/** As the README has it; a test compares the two. */
export function auditActionTable(): string {
  const who = { organisation: "its admins, operators", shared: "operators", both: "its admins, operators" };
  const rows = Object.entries(AUDIT_ACTIONS).map(
    ([name, { means, fields, kept }]) =>
      `| \`${name}\` | ${means} | ${fields.map((field) => `\`${field}\``).join(" ")} | ${who[kept]} |`,
  );
  return ["| Action | Means | Tells | Read by |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

/** As the README has it; a test compares the two. */
export function auditFieldTable(): string {
  const rows = Object.entries(AUDIT_FIELDS).map(([name, words]) => `| \`${name}\` | ${words} |`);
  return ["| Field | Is |", "| --- | --- |", ...rows].join("\n");
}
