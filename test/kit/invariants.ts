import { createHash } from "node:crypto";
import { accessTokenContext, refreshTokenContext } from "../../src/broker/seal-contexts.ts";
import { auditFault } from "../../src/domain/audit-actions.ts";
import type { GrantId, OrganisationId, ServerId } from "../../src/domain/id.ts";
import type { Sealed } from "../../src/domain/sealed.ts";
import type { FamilyTruth } from "../../src/simulator/start-simulator.ts";
import {
  auditKey,
  dueKey,
  gateKey,
  grantsKey,
  organisationPrefix,
  unboundKey,
} from "../../src/store/keys.ts";
import { fieldsOf } from "../../src/store/redis-grant-store.ts";
import { keysOf } from "./redis.ts";
import type { World } from "./world.ts";

/** How a grant stands, by what the broker stores and what iManage knows. */
export type Verdict =
  /** Its primary refresh token is iManage's current one. */
  | "healthy"
  /** Not that, but something that is stored still works: a spare, or the primary while iManage's leeway lasts. */
  | "recoverable"
  /** iManage rotated and nobody has the successor. */
  | "lost"
  /** The successor was stored, or presented, and an older one stands in its place: never to happen. */
  | "older-over-newer"
  /** It works, and the broker says that a person must act: an avoidable re-authorization. */
  | "falsely-ended"
  /** iManage ended it for a reason of its own: expiry, an administrator, a newer consent. */
  | "ended"
  | "session-only"
  /** What is stored does not open. */
  | "unreadable";

export interface GrantFinding {
  readonly grant: string;
  readonly owner: string;
  readonly state: string;
  readonly verdict: Verdict;
  /** Of a lost one: does its intent, or the journal that was given, say how it came about? */
  readonly explained: boolean;
  readonly sentence: string;
}

/** What a test did to the one who held a refresh; the explanation of a loss. */
export interface JournalEntry {
  readonly grant: string;
  /** For example `killed at answer-received`, `the answer was dropped`. */
  readonly what: string;
}

export interface Findings {
  readonly grants: readonly GrantFinding[];
  /** Every other invariant that does not hold, as a sentence. Empty: all is well. */
  readonly broken: readonly string[];
  with(verdict: Verdict): readonly GrantFinding[];
  /** All sentences, for whoever reads the output of a run. */
  readonly sentences: readonly string[];
}

type Record_ = Readonly<Record<string, string>>;
interface Spare {
  readonly sealed: Sealed;
  readonly fp: string;
  readonly att: string;
}

/**
 * Compares everything an organisation stores with iManage's truth. Ask when no refresh is under way: between an answer
 * and its commit every grant looks lost.
 */
export async function checkInvariants(
  world: Pick<World, "broker" | "simulator" | "organisation">,
  options: { readonly organisation?: string; readonly journal?: readonly JournalEntry[] } = {},
): Promise<Findings> {
  const organisation = (options.organisation ?? world.organisation) as OrganisationId;
  const stored = await readStore(world, organisation);
  const families = world.simulator.truth().families;
  const grants: GrantFinding[] = [];
  for (const [id, record] of stored.grants) {
    grants.push(await judge(world, families, id, record, options.journal ?? []));
  }
  const broken = [
    ...listedOnce(
      stored,
      (await world.broker.grantStore.listGrants(organisation, undefined, 100_000)).map(({ id }) => id),
    ),
    ...dueHolds(stored),
    ...bindingsFit(stored),
    ...consentsFit(stored),
    ...tokensAreOfOneGrant(stored),
    ...attemptsFit(stored),
    ...auditIsContiguous(stored),
  ];
  return {
    grants,
    broken,
    with: (verdict) => grants.filter((grant) => grant.verdict === verdict),
    sentences: [...grants.map(({ sentence }) => sentence), ...broken],
  };
}

async function judge(
  { broker, simulator }: Pick<World, "broker" | "simulator">,
  families: readonly FamilyTruth[],
  id: string,
  record: Record_,
  journal: readonly JournalEntry[],
): Promise<GrantFinding> {
  const { userId } = JSON.parse(record.owner ?? "{}") as { userId?: string };
  const owner = userId ?? "?";
  const state = record.state ?? "?";
  const found = (verdict: Verdict, because: string, explained = false): GrantFinding => ({
    grant: id,
    owner,
    state,
    verdict,
    explained,
    sentence: `${id} of ${owner} (${state}) is ${verdict}: ${because}.`,
  });
  if (record.rt === undefined) return found("session-only", "it has no refresh token");

  const open = async (
    sealed: string,
    attempt: string,
    contextOf = refreshTokenContext,
  ): Promise<string | undefined> => {
    const server = await broker.configuration.findServer(record.server as ServerId);
    if (server === undefined) return undefined;
    const context = contextOf({
      grant: id as GrantId,
      server,
      consentGeneration: Number(record.gen),
      attempt: Number(attempt),
    });
    return broker.sealer.open(sealed as Sealed, context).then(
      (secret) => secret.reveal(),
      () => undefined,
    );
  };
  const primary = await open(record.rt, record.rt_att ?? "");
  if (primary === undefined) return found("unreadable", "its refresh token does not open");
  const spares: string[] = [];
  for (const spare of JSON.parse(record.spares ?? "[]") as Spare[]) {
    const opened = await open(spare.sealed, spare.att);
    if (opened === undefined) return found("unreadable", "a spare does not open");
    spares.push(opened);
  }

  const name = fingerprintOf(primary);
  const family = families.find(({ refresh_tokens }) =>
    refresh_tokens.some(({ fingerprint }) => fingerprint === name),
  );
  const at = family?.refresh_tokens.findIndex(({ fingerprint }) => fingerprint === name) ?? -1;
  const token = family?.refresh_tokens[at];
  if (token?.state === "current") {
    return state === "active" || state === "suspect"
      ? found("healthy", "iManage's current token is its primary")
      : found("falsely-ended", "iManage's current token is its primary, and yet a person is asked to act");
  }

  const newer = family?.refresh_tokens.slice(at + 1) ?? [];
  const spareNames = spares.map(fingerprintOf);
  const known =
    newer.find(({ fingerprint }) => spareNames.includes(fingerprint)) ??
    newer.find(({ presented }) => presented > 0);
  if (known !== undefined) {
    return found(
      "older-over-newer",
      `its primary was superseded at ${token!.superseded_at}, and the one issued at ${known.issued_at} was here already`,
    );
  }
  // An access token that is stored came in one answer with a refresh token: was that the successor?
  const access =
    record.at === undefined ? undefined : await open(record.at, record.at_att ?? "", accessTokenContext);
  const brought = family?.access_tokens.find(
    ({ fingerprint }) => fingerprint === fingerprintOf(access ?? ""),
  );
  if (newer.length > 0 && brought !== undefined && brought.issued_at! >= token!.superseded_at!) {
    return found(
      "older-over-newer",
      `attempt ${record.at_att} brought its access token, and left the refresh token of attempt ${record.rt_att}`,
    );
  }
  if (spares.some((spare) => simulator.isRefreshTokenLive(spare))) {
    return found("recoverable", "a spare still works");
  }
  if (token?.live === true)
    return found("recoverable", "its primary is superseded, and iManage's leeway lasts");

  if (family !== undefined && newer.length === 0 && family.ended_because !== "reuse_detected") {
    return found("ended", family.ended_because ?? "its refresh token has expired");
  }
  const noted = journal.filter(({ grant }) => grant === id).map(({ what }) => what);
  const intent =
    record.intent === "sent" && record.intent_parent === record.rt_fp
      ? [`intent sent at ${new Date(Number(record.sent_at)).toISOString()}, never answered`]
      : [];
  const explanations = [...noted, ...intent];
  const rotated =
    token?.superseded_at == null ? "iManage does not know it" : `rotated at ${token.superseded_at}`;
  return found(
    "lost",
    `${rotated}${family?.ended_because == null ? "" : `, ${family.ended_because}`}; ${explanations.join("; ") || "nothing says how"}`,
    explanations.length > 0,
  );
}

interface Stored {
  readonly organisation: OrganisationId;
  readonly grants: ReadonlyMap<string, Record_>;
  /** Grant → binding digest → descriptor. */
  readonly bindingsOf: ReadonlyMap<string, Record_>;
  /** Binding digest → grant. */
  readonly bindings: ReadonlyMap<string, string>;
  /** Consent digest → grant. */
  readonly consents: ReadonlyMap<string, string>;
  /** Server → library → JSON. */
  readonly libraries: ReadonlyMap<string, Record_>;
  readonly listed: readonly string[];
  readonly due: ReadonlyMap<string, number>;
  readonly unbound: readonly string[];
  readonly audit: readonly number[];
  readonly auditFaults: readonly string[];
  readonly lastAudit: number;
}

async function readStore({ broker }: Pick<World, "broker">, organisation: OrganisationId): Promise<Stored> {
  const store = broker.stores.fast;
  const redis = store.connection;
  const prefix = organisationPrefix(organisation);
  const keys = await keysOf(redis, prefix);
  const named = (noun: string) =>
    keys
      .filter((key) => key.startsWith(`${prefix}${noun}:`))
      .map((key) => [key.slice(prefix.length + noun.length + 1), key] as const);
  const hashes = async (noun: string) =>
    new Map(
      await Promise.all(
        named(noun).map(async ([id, key]) => [id, (await redis.hgetall(key)) as Record_] as const),
      ),
    );
  const strings = async (noun: string) =>
    new Map(
      await Promise.all(named(noun).map(async ([id, key]) => [id, (await redis.get(key)) ?? ""] as const)),
    );
  const dueFlat = await redis.zrange(dueKey(organisation), "0", "-1", "WITHSCORES");
  const entries = await redis.xrange(auditKey(organisation), "-", "+");
  const due = new Map<string, number>();
  for (let i = 0; i + 1 < dueFlat.length; i += 2) due.set(dueFlat[i]!, Number(dueFlat[i + 1]));
  return {
    organisation,
    grants: await hashes("grant"),
    bindingsOf: await hashes("grant-bindings"),
    bindings: await strings("binding"),
    consents: await strings("consent"),
    libraries: await hashes("libraries"),
    listed: await redis.zrange(grantsKey(organisation), "0", "-1"),
    due,
    unbound: await redis.zrange(unboundKey(organisation), "0", "-1"),
    audit: entries.map(([id]) => Number(id.split("-")[0])),
    auditFaults: entries.map(([, flat]) => auditFault(fieldsOf(flat)) ?? "").filter((fault) => fault !== ""),
    lastAudit: Number((await redis.hget(gateKey(organisation), "audit")) ?? "0"),
  };
}

/** The list of grants names every grant once, and nothing else; so does what callers page through. */
function listedOnce({ grants, listed }: Stored, paged: readonly string[]): string[] {
  return [
    ...[...grants.keys()]
      .filter((id) => !listed.includes(id))
      .map((id) => `${id} is not in the list of grants.`),
    ...listed.filter((id) => !grants.has(id)).map((id) => `${id} is listed, and does not exist.`),
    ...[...grants.keys()]
      .filter((id) => paged.filter((one) => one === id).length !== 1)
      .map((id) => `${id} is answered ${paged.filter((one) => one === id).length} times by the list.`),
  ];
}

const refreshable = (record: Record_): boolean =>
  record.rt !== undefined && (record.state === "active" || record.state === "suspect");

/** The schedule of record holds what can be refreshed, at the time that the grant says, and nothing else. */
function dueHolds({ grants, due }: Stored): string[] {
  return [
    ...[...grants]
      .filter(([id, record]) => refreshable(record) && !due.has(id))
      .map(([id]) => `${id} can be refreshed, and is never due.`),
    ...[...due]
      .filter(([id, at]) => grants.has(id) && Number(grants.get(id)!.due_at) !== at)
      .map(([id, at]) => `${id} is due at ${at}, and says ${grants.get(id)!.due_at}.`),
    ...[...due.keys()]
      .filter(
        (id) => grants.get(id)?.rt === undefined || grants.get(id)?.state === "reauthorization_required",
      )
      .map((id) => `${id} is due, and cannot be refreshed.`),
  ];
}

/** Whoever is bound finds the grant, and the grant knows who is bound; what nobody is bound to waits for its end. */
function bindingsFit({ grants, bindingsOf, bindings, libraries, unbound }: Stored): string[] {
  const broken: string[] = [];
  for (const [grant, known] of bindingsOf) {
    if (!grants.has(grant)) broken.push(`${grant} does not exist, and has bindings.`);
    for (const [digest, text] of Object.entries(known)) {
      if (bindings.get(digest) !== grant) {
        broken.push(`${grant} knows binding ${digest}, which leads to ${bindings.get(digest) ?? "nothing"}.`);
      }
      const { type, library } = JSON.parse(text) as { type: string; library?: string };
      const lent = libraries.get(grants.get(grant)?.server ?? "")?.[library ?? ""];
      if (type === "library" && (lent === undefined || JSON.parse(lent).grant !== grant)) {
        broken.push(`${grant} is lent for ${library}, and the server's list of libraries says otherwise.`);
      }
    }
  }
  for (const [digest, grant] of bindings) {
    if (bindingsOf.get(grant)?.[digest] === undefined) {
      broken.push(`Binding ${digest} leads to ${grant}, which does not know it.`);
    }
  }
  for (const [id] of grants) {
    const bound = Object.keys(bindingsOf.get(id) ?? {}).length > 0;
    if (bound === unbound.includes(id)) {
      broken.push(
        bound ? `${id} is in use, and waits for its end.` : `${id} is of no use to anybody, for ever.`,
      );
    }
  }
  return broken;
}

/** One grant for one person at one server. */
function consentsFit({ grants, consents }: Stored): string[] {
  return [
    ...[...grants]
      .filter(([id, record]) => consents.get(record.consent ?? "") !== id)
      .map(([id]) => `${id} is not the grant that its owner's consent leads to.`),
    ...[...consents.values()]
      .filter((id) => !grants.has(id))
      .map((id) => `A consent leads to ${id}, which does not exist.`),
  ];
}

/** No token stands in two grants. */
function tokensAreOfOneGrant({ grants }: Stored): string[] {
  const holders = new Map<string, string>();
  const broken: string[] = [];
  for (const [id, record] of grants) {
    for (const kind of ["at_fp", "rt_fp"]) {
      const token = record[kind];
      if (token === undefined) continue;
      const other = holders.get(token);
      if (other !== undefined) broken.push(`${id} and ${other} store one and the same token.`);
      holders.set(token, id);
    }
  }
  return broken;
}

/** Attempts are numbered as they begin; nothing was brought by one that never began. */
function attemptsFit({ grants }: Stored): string[] {
  return [...grants]
    .filter(
      ([, { att, rt_att = "0", at_att = "0" }]) => Math.max(Number(rt_att), Number(at_att)) > Number(att),
    )
    .map(
      ([id, { att, rt_att, at_att }]) =>
        `${id} has begun ${att} attempts, and stores tokens of ${rt_att} and ${at_att}.`,
    );
}

function auditIsContiguous({ audit, auditFaults, lastAudit }: Stored): string[] {
  const broken: string[] = [...auditFaults];
  audit.forEach((number, i) => {
    if (i > 0 && number !== audit[i - 1]! + 1)
      broken.push(`After audit entry ${audit[i - 1]} comes ${number}.`);
  });
  if (audit.length > 0 && audit.at(-1) !== lastAudit) {
    broken.push(`The newest audit entry is ${audit.at(-1)}, and the count says ${lastAudit}.`);
  }
  return broken;
}

/** As iManage's truth names tokens. */
const fingerprintOf = (token: string): string =>
  createHash("sha256").update(token).digest("hex").slice(0, 16);
