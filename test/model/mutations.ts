import { asWritten, type GrantHash, type Scripts, type Store } from "./scripts.ts";
import { PRODUCT, type Rules } from "./world.ts";

/** A guard taken away, and what must then be seen to break. */
export interface Mutation {
  readonly guard: string;
  readonly breaks: string;
  readonly configuration: string;
  readonly rules: Rules;
}

const whole = asWritten;
const mutant = (change: (scripts: Scripts) => Partial<Scripts>): Rules => ({
  ...PRODUCT,
  scripts: { ...whole, ...change(whole) },
});
const having = (store: Store, change: Partial<GrantHash>): Store =>
  store.grant === undefined ? store : { ...store, grant: { ...store.grant, ...change } };

/** mark-sent that asks whose lease it is, and not whether the token is still the one. */
const withoutTokenCheck =
  (s: Scripts): Scripts["refreshMarkSent"] =>
  (store, attempt, leaseMs, now) => {
    const ran = s.refreshMarkSent(
      having(store, { intent_parent: store.grant?.rt_fp }),
      attempt,
      leaseMs,
      now,
    );
    return { ...ran, store: having(ran.store, { intent_parent: store.grant?.intent_parent }) };
  };

export const MUTATIONS: readonly Mutation[] = [
  {
    guard: "mark-sent asks whether the token is still primary",
    breaks: "supersededIsNeverSent",
    configuration: "strict, two faults",
    rules: mutant((s) => ({ refreshMarkSent: withoutTokenCheck(s) })),
  },
  {
    guard: "an overtaken failure keeps `sent` where the outcome is not known",
    breaks: "answerIsWaitedFor",
    configuration: "rotate",
    rules: mutant((s) => ({
      refreshFail(store, a, now) {
        const g = store.grant;
        const overtaken = g !== undefined && g.intent_parent !== g.rt_fp;
        return s.refreshFail(store, overtaken ? { ...a, unknown: false } : a, now);
      },
    })),
  },
  {
    guard: "commit keeps the access token of a later attempt",
    breaks: "olderNeverOverNewer",
    configuration: "same",
    rules: mutant((s) => ({
      refreshCommit: (store, a, now) =>
        s.refreshCommit(a.at === undefined ? store : having(store, { at_att: 0 }), a, now),
    })),
  },
  {
    guard: "commit knows the primary token when it comes back",
    breaks: "receivedIsInOnePlace",
    configuration: "leeway",
    rules: mutant((s) => ({
      refreshCommit(store, a, now) {
        const again = store.grant !== undefined && a.rt_fp === store.grant.rt_fp && a.parent !== a.rt_fp;
        return s.refreshCommit(store, again ? { ...a, rt_fp: `${a.rt_fp}, unknown` } : a, now);
      },
    })),
  },
  {
    guard: "commit remembers more than the last attempt",
    breaks: "commitIsIdempotent",
    configuration: "rotate",
    rules: mutant((s) => ({
      refreshCommit: (store, a, now) =>
        s.refreshCommit(having(store, { done: store.grant?.done?.slice(0, 1) }), a, now),
    })),
  },
  {
    guard: "begin leaves a lease that has not lapsed alone",
    breaks: "oneCallPerLease",
    configuration: "leeway",
    rules: mutant((s) => ({
      refreshBegin: (store, a, now) =>
        store.grant?.lease === a.attempt
          ? s.refreshBegin(store, a, now)
          : s.refreshBegin(having(store, { lease: undefined }), a, now),
    })),
  },
  {
    guard: "begin waits out a request that was sent, unless the server survives reuse",
    breaks: "answerIsWaitedFor",
    configuration: "strict",
    rules: mutant((s) => ({
      refreshBegin: (store, a, now) => s.refreshBegin(store, { ...a, survivesReuse: true }, now),
    })),
  },
  {
    guard: "begin waits out a request that was sent: seen as a lost grant",
    breaks: "lossIsExplained",
    configuration: "strict",
    rules: mutant((s) => ({
      refreshBegin: (store, a, now) => s.refreshBegin(store, { ...a, survivesReuse: true }, now),
    })),
  },
  {
    guard: "mark-sent asks whose lease it is",
    breaks: "sentOnlyWithLease",
    configuration: "strict",
    rules: mutant((s) => ({
      refreshMarkSent: (store, attempt, leaseMs, now) =>
        s.refreshMarkSent(having(store, { lease: attempt }), attempt, leaseMs, now),
    })),
  },
  {
    guard: "a process sends only after mark-sent",
    breaks: "deletedStaysDeleted",
    configuration: "strict, deleted",
    rules: { ...PRODUCT, scripts: whole, asksBeforeSending: false },
  },
  {
    guard: "commit asks whether its parent is still primary",
    breaks: "olderNeverOverNewer",
    configuration: "leeway",
    rules: mutant((s) => ({
      refreshCommit: (store, a, now) =>
        s.refreshCommit(store, { ...a, parent: store.grant?.rt_fp ?? a.parent }, now),
    })),
  },
  {
    guard: "commit asks for the generation of consent",
    breaks: "earlierConsentStaysOut",
    configuration: "leeway, consent keeps",
    rules: mutant((s) => ({
      refreshCommit: (store, a, now) => s.refreshCommit(store, { ...a, gen: store.grant?.gen ?? a.gen }, now),
    })),
  },
  {
    guard: "commit knows what it has done already",
    breaks: "commitIsIdempotent",
    configuration: "rotate",
    rules: mutant((s) => ({
      refreshCommit: (store, a, now) => s.refreshCommit(having(store, { done: undefined }), a, now),
    })),
  },
  {
    guard: "commit keeps the refresh token when none comes back",
    breaks: "receivedIsKept",
    configuration: "none",
    rules: mutant((s) => ({
      refreshCommit(store, a, now) {
        const ran = s.refreshCommit(store, a, now);
        const drops = ran.answer === "committed" && a.rt === undefined;
        return drops ? { ...ran, store: having(ran.store, { rt: undefined, rt_fp: undefined }) } : ran;
      },
    })),
  },
  {
    guard: "commit keeps a late refresh token as a spare",
    breaks: "receivedIsKept",
    configuration: "leeway",
    rules: mutant((s) => ({
      refreshCommit(store, a, now) {
        const ran = s.refreshCommit(store, a, now);
        return { ...ran, store: having(ran.store, { spares: undefined }) };
      },
    })),
  },
  {
    guard: "commit puts what belongs to no grant into the revocation outbox",
    breaks: "receivedIsKept",
    configuration: "strict, deleted",
    rules: mutant((s) => ({
      refreshCommit(store, a, now) {
        const ran = s.refreshCommit(store, a, now);
        return { ...ran, store: { ...ran.store, revocations: store.revocations } };
      },
    })),
  },
  {
    guard: "commit does not bring a deleted grant back",
    breaks: "deletedStaysDeleted",
    configuration: "leeway, deleted",
    rules: mutant((s) => ({
      refreshCommit(store, a, now) {
        const ran = s.refreshCommit(store, a, now);
        if (ran.answer !== "orphaned" || store.grant !== undefined || a.rt === undefined) return ran;
        const consent = { gen: 1, rt: a.rt, rt_fp: a.rt_fp, at: a.at!, at_fp: a.at_fp!, receivedAgoMs: 0 };
        return { ...ran, store: s.putConsent(store, { ...a, ...consent }, now).store };
      },
    })),
  },
  {
    guard: "fail keeps `sent` where the outcome is not known",
    breaks: "answerIsWaitedFor",
    configuration: "strict",
    rules: mutant((s) => ({
      refreshFail: (store, a, now) => s.refreshFail(store, { ...a, unknown: false, coolMs: 0 }, now),
    })),
  },
  {
    guard: "release does nothing once the request has left",
    breaks: "answerIsWaitedFor",
    configuration: "strict",
    rules: mutant((s) => ({
      refreshRelease: (store, attempt, now) =>
        s.refreshRelease(having(store, { intent: "planned" }), attempt, now),
    })),
  },
  {
    guard: "new consent ends the lease of the earlier one, and mark-sent asks for the token",
    breaks: "supersededIsNeverSent",
    configuration: "strict, consent ends",
    rules: mutant((s) => ({
      refreshMarkSent: withoutTokenCheck(s),
      putConsent(store, a, now) {
        const ran = s.putConsent(store, a, now);
        const { lease, lease_until } = store.grant ?? {};
        return { ...ran, store: having(ran.store, { lease, lease_until }) };
      },
    })),
  },
  {
    guard: "fail asks whose lease it is",
    breaks: "answerIsWaitedFor",
    configuration: "strict",
    rules: mutant((s) => ({
      refreshFail: (store, a, now) => s.refreshFail(having(store, { lease: a.attempt }), a, now),
    })),
  },
  {
    guard: "fail does not believe bad news of a token that was replaced meanwhile",
    breaks: "badNewsIsOfThePrimary",
    configuration: "rotate",
    rules: mutant((s) => ({
      refreshFail: (store, a, now) =>
        s.refreshFail(having(store, { intent_parent: store.grant?.rt_fp, refreshed_at: undefined }), a, now),
    })),
  },
  {
    guard: "of two sign-ins that cross, the later one's tokens stay",
    breaks: "lossIsExplained",
    configuration: "rotate, sign-ins cross",
    rules: mutant((s) => ({
      putConsent: (store, a, now) => s.putConsent(having(store, { received_at: 0 }), a, now),
    })),
  },
  {
    guard: "delete puts the grant's tokens into the revocation outbox",
    breaks: "deletedIsRevoked",
    configuration: "strict, deleted",
    rules: mutant((s) => ({
      deleteGrant(store, now) {
        const ran = s.deleteGrant(store, now);
        return { ...ran, store: { ...ran.store, revocations: store.revocations } };
      },
    })),
  },
  {
    guard: "a lease ends at all",
    breaks: "recovery",
    configuration: "same",
    rules: mutant((s) => ({
      refreshBegin: (store, a, now) =>
        s.refreshBegin(having(store, { lease_until: Number.MAX_SAFE_INTEGER }), a, now),
    })),
  },
  {
    guard: "re-encryption writes only over what it has read",
    breaks: "olderNeverOverNewer",
    configuration: "leeway, keys",
    rules: mutant((s) => ({
      reencrypt(store, seen, reseal) {
        const g = seen.grant;
        if (store.grant === undefined || g === undefined) return { store, answer: 0 as const };
        return s.reencrypt(having(store, g), having(store, g), reseal);
      },
    })),
  },
  {
    guard: "a key is retired only when nothing stored names it",
    breaks: "sealedCanBeOpened",
    configuration: "leeway, keys",
    rules: { ...PRODUCT, scripts: whole, retireCountsStore: false },
  },
  {
    guard: "a key is retired only when no process seals with it or holds an answer sealed with it",
    breaks: "sealedCanBeOpened",
    configuration: "strict, keys, deleted",
    rules: { ...PRODUCT, scripts: whole, retireCountsHands: false },
  },
];
