/**
 * The refresh protocol's scripts, line by line as `src/store/lua/` has them: hold the two side by side. Each function is
 * pure and answers the store after it; `now` is the time Redis would have told. `conformance.test.ts` drives the real
 * ones beside these and compares every field, so neither can move alone.
 */

/** The fields of `grant:<id>` that the protocol reads or writes. Absent is undefined; Redis holds them as text. */
export interface GrantHash {
  readonly state: "active" | "suspect" | "reauthorization_required";
  readonly gen: number;
  readonly received_at: number;
  readonly rt: string | undefined;
  readonly rt_fp: string | undefined;
  readonly rt_att: number | undefined;
  readonly rt_exp: number | undefined;
  readonly at: string | undefined;
  readonly at_fp: string | undefined;
  readonly at_att: number | undefined;
  readonly at_exp: number | undefined;
  readonly at_life: number | undefined;
  readonly soft: number | undefined;
  readonly spares: readonly Spare[] | undefined;
  readonly att: number;
  readonly lease: string | undefined;
  readonly lease_until: number | undefined;
  readonly intent: "planned" | "sent" | undefined;
  readonly intent_parent: string | undefined;
  readonly sent_at: number | undefined;
  /** The last eight attempts that were stored, newest first. */
  readonly done: readonly (readonly [attempt: string, as: CommitAnswer])[] | undefined;
  readonly retry_at: number | undefined;
  readonly problem: string | undefined;
  readonly problem_at: number | undefined;
  readonly refusals: number | undefined;
  readonly refused_at: number | undefined;
  /** Requests that left since the last good answer. */
  readonly calls: number | undefined;
  readonly used_at: number | undefined;
  readonly refreshed_at: number | undefined;
  readonly due_at: number | undefined;
  readonly forced_at: number | undefined;
}

export interface Spare {
  readonly sealed: string;
  readonly fp: string;
  readonly att: number;
  readonly at: number;
}

/** One entry of the revocation outbox. */
export interface Revocation {
  readonly kind: "access-token" | "refresh-token";
  readonly sealed: string;
  readonly gen: number;
  readonly att: number;
}

export interface Store {
  readonly grant: GrantHash | undefined;
  /** The grant's score in the due set. */
  readonly due: number | undefined;
  readonly revocations: readonly Revocation[];
}

export interface BeginArgs {
  readonly attempt: string;
  readonly leaseMs: number;
  readonly providerDeadlineMs: number;
  readonly why: "expired" | "rejected" | "due";
  /** Min ttl (ms) where expired, the fingerprint where rejected. */
  readonly detail: number | string;
  readonly survivesReuse: boolean;
}

export interface Material {
  readonly gen: number;
  readonly att: number;
  readonly rt: string;
  readonly rt_att: number;
  readonly parent: string;
  readonly refusals: number;
  readonly refused_at: number | undefined;
}

export type BeginAnswer =
  | { readonly kind: "begun"; readonly material: Material }
  | { readonly kind: "fresh" | "not_refreshable" | "gone" }
  | { readonly kind: "held"; readonly ms: number }
  | { readonly kind: "cooling"; readonly ms: number; readonly problem: string }
  | { readonly kind: "state"; readonly state: string };

export interface CommitArgs {
  readonly attempt: string;
  readonly att: number;
  readonly gen: number;
  readonly parent: string;
  readonly rt: string | undefined;
  readonly rt_fp: string | undefined;
  readonly rtLifeMs: number;
  readonly extendsLife: boolean;
  readonly at: string | undefined;
  readonly at_fp: string | undefined;
  readonly atLifeMs: number;
  readonly softMs: number;
  readonly keepAliveMs: number;
  readonly jitter: number;
}

export type CommitAnswer = "committed" | "spare" | "orphaned";

export interface FailArgs {
  readonly attempt: string;
  readonly state: "unchanged" | "suspect" | "reauthorization_required";
  readonly coolMs: number;
  readonly problem: string;
  readonly unknown: boolean;
}

export interface ConsentArgs {
  readonly gen: number;
  readonly rt: string | undefined;
  readonly rt_fp: string | undefined;
  readonly rtLifeMs: number;
  readonly at: string;
  readonly at_fp: string;
  readonly atLifeMs: number;
  readonly softMs: number;
  readonly keepAliveMs: number;
  readonly receivedAgoMs: number;
}

export interface Ran<Answer> {
  readonly store: Store;
  readonly answer: Answer;
}

/** All scripts together, so that a mutation or a repair can put its own beside the others. */
export interface Scripts {
  refreshBegin(store: Store, a: BeginArgs, now: number): Ran<BeginAnswer>;
  refreshMarkSent(store: Store, attempt: string, leaseMs: number, now: number): Ran<0 | 1>;
  refreshRenew(store: Store, attempt: string, leaseMs: number, now: number): Ran<0 | 1>;
  refreshCommit(store: Store, a: CommitArgs, now: number): Ran<CommitAnswer>;
  refreshFail(store: Store, a: FailArgs, now: number): Ran<0 | 1>;
  refreshRelease(store: Store, attempt: string, now: number): Ran<0 | 1>;
  putConsent(store: Store, a: ConsentArgs, now: number): Ran<"stored" | "stale">;
  deleteGrant(store: Store, now: number): Ran<0 | 1>;
  reencrypt(store: Store, seen: Store, reseal: (sealed: string) => string): Ran<0 | 1>;
}

export const NO_LEASE = { lease: undefined, lease_until: undefined } as const;
export const NO_INTENT = { intent: undefined, intent_parent: undefined, sent_at: undefined } as const;
const SPARES_MAX = 3;
const DONE_MAX = 8;
const CALLS_MAX = 9;
const DUE_AFTER_FAILURE_MIN_MS = 5_000;

export const asWritten: Scripts = {
  /** refresh-begin.lua */
  refreshBegin(store, a, now) {
    const g = store.grant;
    const unchanged = (answer: BeginAnswer) => ({ store, answer });
    if (g === undefined) return unchanged({ kind: "gone" });
    if (g.lease === a.attempt) return unchanged(begun(g, g.att));
    if (g.state !== "active" && g.state !== "suspect") return unchanged({ kind: "state", state: g.state });
    if (g.rt === undefined) return unchanged({ kind: "not_refreshable" });

    if (a.why === "expired" && g.at !== undefined && g.at_exp! - now >= Number(a.detail))
      return unchanged({ kind: "fresh" });
    if (a.why === "rejected" && g.at_fp !== a.detail) return unchanged({ kind: "fresh" });
    if (a.why === "due" && (g.due_at ?? 0) > now) return unchanged({ kind: "fresh" });

    if (g.lease !== undefined && g.lease_until! > now)
      return unchanged({ kind: "held", ms: g.lease_until! - now });
    if (g.intent === "sent" && !a.survivesReuse) {
      const wait = g.sent_at! + a.providerDeadlineMs - now;
      if (wait > 0) return unchanged({ kind: "cooling", ms: wait, problem: "refresh_pending" });
    }
    if (g.retry_at !== undefined && g.retry_at > now)
      return unchanged({ kind: "cooling", ms: g.retry_at - now, problem: g.problem ?? "" });

    const att = g.att + 1;
    const grant: GrantHash = {
      ...g,
      att,
      lease: a.attempt,
      lease_until: now + a.leaseMs,
      intent: "planned",
      intent_parent: g.rt_fp,
      sent_at: undefined,
      forced_at: a.why === "rejected" ? now : g.forced_at,
    };
    return { store: { ...store, grant }, answer: begun(g, att) };
  },

  /** refresh-mark-sent.lua */
  refreshMarkSent(store, attempt, leaseMs, now) {
    const g = store.grant;
    if (g === undefined || g.lease !== attempt) return { store, answer: 0 };
    if (g.intent_parent !== g.rt_fp)
      return { store: { ...store, grant: { ...g, ...NO_LEASE, ...NO_INTENT } }, answer: 0 };
    const grant: GrantHash = {
      ...g,
      intent: "sent",
      sent_at: now,
      lease_until: now + leaseMs,
      calls: (g.calls ?? 0) + 1,
    };
    return { store: { ...store, grant }, answer: 1 };
  },

  /** refresh-renew.lua */
  refreshRenew(store, attempt, leaseMs, now) {
    const g = store.grant;
    if (g === undefined || g.lease !== attempt) return { store, answer: 0 };
    return { store: { ...store, grant: { ...g, lease_until: now + leaseMs } }, answer: 1 };
  },

  /** refresh-commit.lua */
  refreshCommit(store, a, now) {
    const g = store.grant;
    if (g === undefined || g.gen !== a.gen) {
      if (store.revocations.some(({ sealed }) => sealed === a.at || sealed === a.rt))
        return { store, answer: "orphaned" };
      const tokens: Revocation[] = [];
      if (a.at !== undefined) tokens.push({ kind: "access-token", sealed: a.at, gen: a.gen, att: a.att });
      if (a.rt !== undefined) tokens.push({ kind: "refresh-token", sealed: a.rt, gen: a.gen, att: a.att });
      const grant = g !== undefined && g.lease === a.attempt ? { ...g, ...NO_LEASE, ...NO_INTENT } : g;
      return {
        store: { ...store, grant, revocations: [...store.revocations, ...tokens] },
        answer: "orphaned",
      };
    }
    const known = g.done?.find(([attempt]) => attempt === a.attempt);
    if (known !== undefined) return { store, answer: known[1] };

    let spares = g.spares ?? [];
    if (a.rt_fp !== undefined) spares = spares.filter(({ fp }) => fp !== a.rt_fp);
    let grant: GrantHash = g;
    let due = store.due;
    let as: CommitAnswer = "committed";
    if (
      g.rt_fp === a.parent ||
      (a.rt_fp !== undefined && g.rt_fp === a.rt_fp) ||
      g.state === "reauthorization_required"
    ) {
      if (a.rt !== undefined) {
        grant = { ...grant, rt: a.rt, rt_fp: a.rt_fp, rt_att: a.att };
        if (a.extendsLife) grant = { ...grant, rt_exp: now + a.rtLifeMs };
      }
      if (a.at !== undefined && a.att > (g.at_att ?? 0)) {
        const expires = now + a.atLifeMs;
        const used = g.used_at ?? 0;
        due =
          used > 0 && now - used <= 2 * a.atLifeMs
            ? expires - a.softMs
            : now + a.keepAliveMs * (1 - a.jitter / 10);
        grant = {
          ...grant,
          at: a.at,
          at_fp: a.at_fp,
          at_att: a.att,
          at_exp: expires,
          at_life: a.atLifeMs,
          soft: a.softMs,
          refreshed_at: now,
          due_at: due,
        };
      } else if (a.at === undefined) {
        due = now;
        grant = { ...grant, due_at: due };
      }
      grant = {
        ...grant,
        state: "active",
        retry_at: undefined,
        problem: undefined,
        problem_at: undefined,
        refusals: undefined,
        refused_at: undefined,
        calls: undefined,
      };
    } else {
      as = "spare";
      if (a.rt !== undefined) {
        spares = [{ sealed: a.rt, fp: a.rt_fp!, att: a.att, at: now }, ...spares].slice(0, SPARES_MAX);
      }
    }
    const done = [[a.attempt, as] as const, ...(g.done ?? [])].slice(0, DONE_MAX);
    grant = { ...grant, spares: spares.length > 0 ? spares : undefined, done };
    if (g.lease === a.attempt) grant = { ...grant, ...NO_LEASE, ...NO_INTENT };
    return { store: { ...store, grant, due }, answer: as };
  },

  /** refresh-fail.lua */
  refreshFail(store, a, now) {
    const g = store.grant;
    if (g === undefined || g.lease !== a.attempt) return { store, answer: 0 };
    if (g.intent_parent !== g.rt_fp || (g.sent_at !== undefined && (g.refreshed_at ?? 0) >= g.sent_at))
      return {
        store: { ...store, grant: { ...g, ...NO_LEASE, ...(a.unknown ? {} : NO_INTENT) } },
        answer: 0,
      };
    let { state, coolMs } = a;
    let grant: GrantHash = { ...g, retry_at: now + coolMs, problem: a.problem, problem_at: now };
    if (state !== "unchanged") {
      const first = g.refused_at === undefined;
      if (first) state = "suspect";
      grant = { ...grant, refusals: first ? 1 : (g.refusals ?? 0) + 1, refused_at: g.refused_at ?? now };
      const calls = g.calls ?? 0;
      if (calls >= CALLS_MAX) state = "reauthorization_required";
      const [spare, ...others] = g.spares ?? [];
      if (state === "reauthorization_required" && spare !== undefined && calls < CALLS_MAX) {
        grant = {
          ...grant,
          rt: spare.sealed,
          rt_fp: spare.fp,
          rt_att: spare.att,
          spares: others.length > 0 ? others : undefined,
          refusals: 1,
          refused_at: now,
          retry_at: now,
        };
        state = "suspect";
        coolMs = 0;
      }
      grant = { ...grant, state };
    }
    grant = { ...grant, ...NO_LEASE };
    if (!a.unknown) grant = { ...grant, ...NO_INTENT };
    const due =
      state === "reauthorization_required" ? undefined : now + Math.max(coolMs, DUE_AFTER_FAILURE_MIN_MS);
    return { store: { ...store, grant: { ...grant, due_at: due }, due }, answer: 1 };
  },

  /** refresh-release.lua (`sent_at` is not there while the intent is `planned`) */
  refreshRelease(store, attempt) {
    const g = store.grant;
    if (g === undefined || g.lease !== attempt || g.intent !== "planned") return { store, answer: 0 };
    const grant: GrantHash = { ...g, ...NO_LEASE, intent: undefined, intent_parent: undefined };
    return { store: { ...store, grant }, answer: 1 };
  },

  /** put-consent.lua, of one person's grant: bindings, indexes and the audit entry are other tests' business */
  putConsent(store, a, now) {
    const g = store.grant;
    const gen = g?.gen ?? 0;
    if (gen === a.gen && g?.at === a.at) return { store, answer: "stored" };
    if (gen + 1 !== a.gen) return { store, answer: "stale" };
    const received = now - a.receivedAgoMs;
    const overtaken =
      g !== undefined &&
      (g.state === "active" || g.state === "suspect") &&
      g.rt !== undefined &&
      received < g.received_at;
    if (overtaken) return { store, answer: "stored" };
    const due = a.rt === undefined ? undefined : now + a.keepAliveMs;
    const grant: GrantHash = {
      ...NO_LEASE,
      ...NO_INTENT,
      ...NO_PAST,
      state: "active",
      gen: a.gen,
      att: g?.att ?? 0,
      received_at: received,
      used_at: g?.used_at,
      refreshed_at: g?.refreshed_at,
      at: a.at,
      at_fp: a.at_fp,
      at_att: 0,
      at_exp: received + a.atLifeMs,
      at_life: a.atLifeMs,
      soft: a.softMs,
      rt: a.rt,
      rt_fp: a.rt === undefined ? undefined : a.rt_fp,
      rt_att: a.rt === undefined ? undefined : 0,
      rt_exp: a.rt === undefined ? undefined : received + a.rtLifeMs,
      due_at: due,
    };
    return { store: { ...store, grant, due }, answer: "stored" };
  },

  /** delete-grant.lua and `drop_grant` of prelude.lua */
  deleteGrant(store) {
    const g = store.grant;
    if (g === undefined) return { store, answer: 0 };
    const tokens: Revocation[] = [];
    if (g.at !== undefined) tokens.push({ kind: "access-token", sealed: g.at, gen: g.gen, att: g.at_att! });
    if (g.rt !== undefined) tokens.push({ kind: "refresh-token", sealed: g.rt, gen: g.gen, att: g.rt_att! });
    for (const spare of g.spares ?? [])
      tokens.push({ kind: "refresh-token", sealed: spare.sealed, gen: g.gen, att: spare.att });
    return {
      store: { grant: undefined, due: undefined, revocations: [...store.revocations, ...tokens] },
      answer: 1,
    };
  },

  /** No script yet, as design §5 has it: everything sealed is sealed anew, unless anything changed since it was read. */
  reencrypt(store, seen, reseal) {
    const g = store.grant;
    if (sealedOf(store).join() !== sealedOf(seen).join()) return { store, answer: 0 };
    const grant = g && {
      ...g,
      rt: g.rt && reseal(g.rt),
      at: g.at && reseal(g.at),
      spares: g.spares?.map((spare) => ({ ...spare, sealed: reseal(spare.sealed) })),
    };
    const revocations = store.revocations.map((entry) => ({ ...entry, sealed: reseal(entry.sealed) }));
    return { store: { ...store, grant, revocations }, answer: 1 };
  },
};

/** Everything sealed that the store holds. */
export function sealedOf(store: Store): readonly string[] {
  const g = store.grant;
  return [
    ...(g?.rt === undefined ? [] : [g.rt]),
    ...(g?.at === undefined ? [] : [g.at]),
    ...(g?.spares ?? []).map(({ sealed }) => sealed),
    ...store.revocations.map(({ sealed }) => sealed),
  ];
}

/** What put-consent.lua deletes beside lease and intent. */
const NO_PAST = {
  retry_at: undefined,
  problem: undefined,
  problem_at: undefined,
  refusals: undefined,
  refused_at: undefined,
  calls: undefined,
  spares: undefined,
  done: undefined,
  forced_at: undefined,
} as const;

const begun = (g: GrantHash, att: number): BeginAnswer => ({
  kind: "begun",
  material: {
    gen: g.gen,
    att,
    rt: g.rt!,
    rt_att: g.rt_att!,
    parent: g.rt_fp!,
    refusals: g.refusals ?? 0,
    refused_at: g.refused_at,
  },
});
