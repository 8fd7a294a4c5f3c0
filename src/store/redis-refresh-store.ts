import type {
  AttemptId,
  BeginAnswer,
  RefreshReason,
  RefreshResult,
  RefreshStore,
} from "../broker/refresh/ports.ts";
import type { Grant } from "../domain/grant.ts";
import { type GrantId, organisationOf, type RegistrationId, type ServerId } from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";
import type { FailureVerdict } from "../domain/refresh-failure.ts";
import type { Sealed } from "../domain/sealed.ts";
import { type RotationProfile, survivesReuse } from "../domain/server.ts";
import type { GateReason } from "../domain/server-gate.ts";
import { dueKey, grantKey, revocationsKey } from "./keys.ts";
import type { OutcomeListener } from "./outcome-listener.ts";
import type { RedisStore } from "./redis-store.ts";

/**
 * Asking is fast or fails; what has arrived is stored however long Redis is away. So this store has two connections:
 * `fast` for everything before the point of no return, `durable` for everything behind it.
 */
export class RedisRefreshStore implements RefreshStore {
  readonly #fast: RedisStore;
  readonly #durable: RedisStore;
  readonly #outcomes: OutcomeListener;

  constructor(stores: { fast: RedisStore; durable: RedisStore; outcomes: OutcomeListener }) {
    this.#fast = stores.fast;
    this.#durable = stores.durable;
    this.#outcomes = stores.outcomes;
  }

  async begin(
    grant: GrantId,
    attempt: AttemptId,
    reason: RefreshReason,
    terms: Parameters<RefreshStore["begin"]>[3],
  ): Promise<BeginAnswer> {
    const detail =
      reason.why === "expired" ? reason.minTtlMs : reason.why === "rejected" ? reason.fingerprint : "";
    const answer = (await this.#fast.run(
      "refresh-begin",
      [grantKey(grant)],
      [
        attempt,
        terms.leaseMs,
        terms.providerDeadlineMs,
        reason.why,
        detail,
        pinned(terms.rotation),
        terms.configurationGeneration,
        terms.limits.concurrency,
        terms.limits.backgroundConcurrency,
        terms.limits.callsPerSecond,
        terms.limits.burst,
        terms.limits.lapseMs,
        terms.limits.lapseWarningMs,
        terms.limits.retryTokens,
      ],
    )) as [BeginAnswer["kind"], ...(string | number)[]];
    const [kind, ...rest] = answer;
    switch (kind) {
      case "begun": {
        const [
          server,
          registration,
          gen,
          number,
          token,
          tokenAttempt,
          parent,
          refusals,
          refusedAt,
          usedAt,
          now,
        ] = rest;
        return {
          kind,
          material: {
            server: server as ServerId,
            registration: registration as RegistrationId,
            consentGeneration: Number(gen),
            attempt: Number(number),
            refreshToken: token as Sealed,
            refreshTokenAttempt: Number(tokenAttempt),
            parent: String(parent),
            refusals: { count: Number(refusals), firstAt: refusedAt === "" ? undefined : Number(refusedAt) },
            lastUsedAt: usedAt === "" ? undefined : Number(usedAt),
            begunAt: Number(now),
          },
        };
      }
      case "held":
        return { kind, remainingMs: Number(rest[0]) };
      case "cooling":
        return { kind, remainingMs: Number(rest[0]), problem: String(rest[1]) };
      case "gated":
        return { kind, remainingMs: Number(rest[0]), why: rest[1] as GateReason };
      case "state":
        return { kind, state: rest[0] as Grant["state"] };
      default:
        return { kind };
    }
  }

  async markSent(grant: GrantId, attempt: AttemptId, leaseMs: Milliseconds): Promise<boolean> {
    return (await this.#fast.run("refresh-mark-sent", [grantKey(grant)], [attempt, leaseMs])) === 1;
  }

  async renew(grant: GrantId, attempt: AttemptId, leaseMs: Milliseconds): Promise<boolean> {
    return (await this.#fast.run("refresh-renew", [grantKey(grant)], [attempt, leaseMs])) === 1;
  }

  async commit(
    grant: GrantId,
    attempt: AttemptId,
    result: RefreshResult,
  ): Promise<"committed" | "spare" | "orphaned"> {
    const organisation = organisationOf(grant);
    const as = await this.#durable.run(
      "refresh-commit",
      [grantKey(grant), dueKey(organisation), revocationsKey(organisation)],
      [
        grant,
        attempt,
        result.attempt,
        result.consentGeneration,
        result.parent,
        result.refreshToken ?? "",
        result.refreshTokenFingerprint ?? "",
        result.refreshTokenLifeMs,
        result.refreshExtendsLife ? 1 : 0,
        result.accessToken ?? "",
        result.accessTokenFingerprint ?? "",
        result.accessTokenLifeMs,
        result.softMarginMs,
        result.keepAliveMs,
        result.jitter,
        result.server,
        result.registration,
      ],
    );
    return as as "committed" | "spare" | "orphaned";
  }

  async fail(
    grant: GrantId,
    attempt: AttemptId,
    verdict: FailureVerdict,
    terms: Parameters<RefreshStore["fail"]>[3],
  ): Promise<FailureVerdict["state"] | "disbelieved"> {
    const state = await this.#durable.run(
      "refresh-fail",
      [grantKey(grant), dueKey(organisationOf(grant))],
      [
        grant,
        attempt,
        verdict.state,
        verdict.coolDownMs,
        verdict.problem,
        verdict.outcomeUnknown ? 1 : 0,
        verdict.class,
        terms.configurationGeneration,
        pinned(terms.rotation),
      ],
    );
    return state as FailureVerdict["state"] | "disbelieved";
  }

  async release(grant: GrantId, attempt: AttemptId): Promise<void> {
    await this.#durable.run("refresh-release", [grantKey(grant)], [grant, attempt]);
  }

  outcome(
    of: GrantId | ServerId,
    timeoutMs: Milliseconds,
    lookBackMs?: Milliseconds,
  ): Promise<"announced" | "timeout"> {
    return this.#outcomes.next(of, timeoutMs, lookBackMs);
  }
}

const pinned = (rotation: RotationProfile): "survives" | "not" | "unknown" =>
  rotation === "unknown" ? "unknown" : survivesReuse(rotation) ? "survives" : "not";
