import { survivesReuse } from "../../src/domain/server.ts";
import { accepts, familyOf, numberOf } from "./authorization-server.ts";
import type { Invariant, Model } from "./explore.ts";
import { type Store, sealedOf } from "./scripts.ts";
import {
  type Configuration,
  canonicalWorld,
  deadlinesPass,
  firstWorld,
  isLost,
  keyOf,
  opened,
  type Process,
  type Rules,
  stepsOf,
  type World,
  type WorldStep,
} from "./world.ts";

type Rule = Invariant<World, WorldStep>;

const isRefreshToken = (sealed: string): boolean => opened(sealed).startsWith("r");
const mayHaveSent = (p: Process): boolean => p.phase === "marked" || p.phase === "calling";
const who = (step: WorldStep) => (step.process === undefined ? undefined : step.to.processes[step.process]!);

export const INVARIANTS: Record<string, (configuration: Configuration) => Rule> = {
  olderNeverOverNewer: () => ({
    name: "olderNeverOverNewer",
    sentence: "An older result never overwrites a newer one.",
    check(from, { to }) {
      const before = from.store.grant;
      const after = to.store.grant;
      if (before === undefined || after === undefined || before.gen !== after.gen) return undefined;
      if ((after.at_att ?? 0) < (before.at_att ?? 0))
        return `the access token of attempt ${after.at_att} overwrote that of attempt ${before.at_att}`;
      if (
        before.rt_fp !== undefined &&
        after.rt_fp !== undefined &&
        numberOf(after.rt_fp) < numberOf(before.rt_fp)
      )
        return `refresh token ${after.rt_fp} overwrote ${before.rt_fp}`;
      return undefined;
    },
  }),

  sentOnlyWithLease: () => ({
    name: "sentOnlyWithLease",
    sentence: "Nobody sends without having held the lease when it marked its request as sent.",
    check(from, step) {
      const p = who(step);
      if (step.kind !== "mark-sent" || p?.phase !== "marked") return undefined;
      const holder = from.store.grant?.lease;
      return holder === p.attempt ? undefined : `${p.attempt} may send while the lease is ${holder}'s`;
    },
  }),

  supersededIsNeverSent: ({ profile }) => ({
    name: "supersededIsNeverSent",
    sentence:
      "A refresh token that the store knows as superseded is never presented to a server that is not known to survive it.",
    check(from, step) {
      const p = who(step);
      if (survivesReuse(profile) || step.kind !== "mark-sent" || p?.phase !== "marked") return undefined;
      const { parent, gen } = p.material!;
      const g = from.store.grant;
      return g !== undefined && (g.gen !== gen || g.rt_fp !== parent)
        ? `${p.attempt} may send ${parent} although the store has ${g.rt_fp} by now`
        : undefined;
    },
  }),

  answerIsWaitedFor: ({ profile }) => ({
    name: "answerIsWaitedFor",
    sentence:
      "A server that is not known to survive reuse is not asked while an answer to an earlier request can still come.",
    check(from, step) {
      const p = who(step);
      if (survivesReuse(profile) || step.kind !== "mark-sent" || p?.phase !== "marked") return undefined;
      const family = familyOf(p.material!.parent);
      const open =
        from.calls.find((call) => familyOf(call.token) === family && !call.overDeadline) ??
        from.processes.find(
          (q) => q.phase === "marked" && !q.overDeadline && familyOf(q.material!.parent) === family,
        );
      return open && `${p.attempt} may send while the answer to ${open.attempt} can still come`;
    },
  }),

  receivedIsKept: () => ({
    name: "receivedIsKept",
    sentence:
      "A refresh token that was received is primary, spare or in the revocation outbox until it is spent; only new consent drops the earlier consent's.",
    check(from, step) {
      const before = refreshTokensOf(from.store);
      const after = new Set(refreshTokensOf(step.to.store));
      const spent = spentBy(from, step);
      if (step.kind === "commit") {
        const p = from.processes[step.process!]!;
        const token = p.command!.rt_fp;
        if (token !== undefined && !p.ran && !after.has(token)) return `${token} was received and is nowhere`;
      }
      if (step.kind === "consent") return undefined;
      const gone = before.find((token) => token !== spent && !after.has(token));
      return gone && `${gone} was stored and is nowhere`;
    },
  }),

  receivedIsInOnePlace: () => ({
    name: "receivedIsInOnePlace",
    // In the outbox one may stand twice, when a commit was asked again: revoking twice does no harm.
    sentence: "A refresh token of the grant is in one place only: primary or one spare.",
    check(_from, { to }) {
      const tokens = refreshTokensOf({ ...to.store, revocations: [] });
      const twice = tokens.find((token, i) => tokens.indexOf(token) !== i);
      return twice && `${twice} is stored twice`;
    },
  }),

  deletedStaysDeleted: () => ({
    name: "deletedStaysDeleted",
    sentence: "After delete has returned, the grant neither serves nor refreshes.",
    check(from, step) {
      if (step.to.deleted && step.to.store.grant !== undefined) return "the deleted grant is there again";
      if (!from.deleted) return undefined;
      const p = who(step);
      if (step.kind === "mark-sent" && p?.phase === "marked")
        return `${p.attempt} may send for a deleted grant`;
      return undefined;
    },
  }),

  deletedIsRevoked: () => ({
    name: "deletedIsRevoked",
    sentence: "Every token that a deleted grant held is in the revocation outbox.",
    check(from, step) {
      if (step.kind !== "delete") return undefined;
      const kept = step.to.store.revocations.map(({ sealed }) => sealed);
      const gone = sealedOf(from.store).find((sealed) => !kept.includes(sealed));
      return gone && `${opened(gone)} would live on at iManage`;
    },
  }),

  earlierConsentStaysOut: () => ({
    name: "earlierConsentStaysOut",
    sentence: "What a refresh of an earlier consent brings never enters the grant.",
    check(_from, { to }) {
      const g = to.store.grant;
      const stranger = [g?.rt_fp, g?.at_fp, ...(g?.spares ?? []).map(({ fp }) => fp)].find(
        (token) => token !== undefined && familyOf(token) !== to.consented,
      );
      return stranger && `${stranger} is in the grant of consent ${to.consented}`;
    },
  }),

  badNewsIsOfThePrimary: () => ({
    name: "badNewsIsOfThePrimary",
    sentence: "A refusal counts against a grant only where the refused token is still the one it holds.",
    check(from, step) {
      if (step.kind !== "fail") return undefined;
      const before = from.store.grant;
      const after = step.to.store.grant;
      if (before === undefined || after === undefined || (before.refusals ?? 0) === (after.refusals ?? 0))
        return undefined;
      const { parent } = from.processes[step.process!]!.material!;
      return parent === before.rt_fp
        ? undefined
        : `the refusal of ${parent} makes the grant ${after.state}, which holds ${before.rt_fp}`;
    },
  }),

  neverEndedWhileGood: ({ mode }) => ({
    name: "neverEndedWhileGood",
    sentence: "A grant is never declared ended while the server would accept its refresh token.",
    check(_from, { to }) {
      const g = to.store.grant;
      return g?.state === "reauthorization_required" &&
        g.rt_fp !== undefined &&
        accepts(to.families, mode, g.rt_fp)
        ? `a person is asked to sign in although ${g.rt_fp} works`
        : undefined;
    },
  }),

  lossIsExplained: (configuration) => ({
    name: "lossIsExplained",
    sentence:
      "No grant is lost on servers that do not rotate or have leeway; elsewhere only by an answer that nobody got, or a pause past the provider deadline.",
    check(from, step) {
      if (isLost(from, configuration) || !isLost(step.to, configuration)) return undefined;
      return explainLoss(from, step, configuration) === undefined
        ? `the grant is lost: ${step.to.store.grant!.rt_fp} does not work any more, and there is no other`
        : undefined;
    },
  }),

  commitIsIdempotent: () => ({
    name: "commitIsIdempotent",
    sentence: "A commit that is asked again has no second effect on the grant.",
    check(from, step) {
      if (step.kind !== "commit" || !from.processes[step.process!]!.ran) return undefined;
      return storeText(from) === storeText(step.to) ? undefined : "the second run changed the grant";
    },
  }),

  oneCallPerLease: () => ({
    name: "oneCallPerLease",
    sentence: "At most one process has a call under way whose lease has not lapsed.",
    check(_from, { to }) {
      const within = to.processes.filter((p) => mayHaveSent(p) && !p.overLease);
      return within.length > 1
        ? `${within.map(({ attempt }) => attempt).join(" and ")} call at once`
        : undefined;
    },
  }),

  sealedCanBeOpened: () => ({
    name: "sealedCanBeOpened",
    sentence: "Everything sealed that is stored can be opened with a key that is not retired.",
    check(_from, { to }) {
      if (to.keys !== "k1 retired") return undefined;
      const closed = sealedOf(to.store).find((sealed) => keyOf(sealed) === "k1");
      return closed && `${opened(closed)} is sealed with the retired k1`;
    },
  }),
};

/** Why a grant may be lost by this step, or undefined: then it must not be. */
export function explainLoss(
  from: World,
  step: WorldStep,
  { mode, leewayEnds }: Configuration,
): string | undefined {
  if (mode === "same" || mode === "none") return undefined;
  if (mode === "leeway" && !leewayEnds) return undefined;
  if (step.kind === "leeway-ends")
    return "the leeway ended before an answer that nobody got was asked for again";
  if (step.kind === "crash") return "a crash between the answer and its commit";
  if (step.kind === "cut") return "an answer dropped after the server acted";
  if (step.kind !== "act") return undefined;
  if (step.call!.owner === undefined) return "the server acted when nobody listened any more";
  const late =
    step.call!.afterPause ||
    from.processes.some((p) => p.phase !== "idle" && p.overDeadline) ||
    from.calls.some((call) => call.overDeadline);
  return late ? "a pause past the lease and the provider deadline" : undefined;
}

/** The refresh token that this step spends: the parent that a commit replaces. */
function spentBy(from: World, step: WorldStep): string | undefined {
  const before = from.store.grant?.rt_fp;
  const p = step.kind === "commit" ? from.processes[step.process!]! : undefined;
  return p !== undefined && p.command!.parent === before && p.command!.rt_fp !== undefined
    ? before
    : undefined;
}

const refreshTokensOf = (store: Store): string[] => sealedOf(store).filter(isRefreshToken).map(opened);

const storeText = ({ store }: World): string => JSON.stringify([store.grant, store.due]);

export function modelOf(configuration: Configuration, rules: Rules): Model<World, WorldStep> {
  return {
    initial: [firstWorld(configuration)],
    steps: (world) => stepsOf(world, configuration, rules, deadlinesPass),
    canonical: canonicalWorld,
    invariants: Object.values(INVARIANTS).map((rule) => rule(configuration)),
    recovery: {
      sentence: "unless a person has to act, a token can be had again from every state.",
      isGoal: (world) =>
        world.store.grant !== undefined &&
        world.store.grant.state !== "reauthorization_required" &&
        world.store.grant.at_exp! > world.now &&
        world.store.grant.at_att! > 0,
      mustReachGoal: (world) =>
        world.store.grant !== undefined &&
        world.store.grant.state !== "reauthorization_required" &&
        world.store.grant.att < configuration.attempts &&
        !isLost(world, configuration),
    },
  };
}
