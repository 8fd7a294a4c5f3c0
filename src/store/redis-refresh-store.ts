import type {
  AttemptId,
  BeginAnswer,
  RefreshReason,
  RefreshResult,
  RefreshStore,
} from "../broker/refresh/ports.ts";
import type { Grant } from "../domain/grant.ts";
import { type GrantId, organisationOf, type RegistrationId, type ServerId } from "../domain/id.ts";
import { type Milliseconds, seconds } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import type { FailureVerdict } from "../domain/refresh-failure.ts";
import type { Sealed } from "../domain/sealed.ts";
import { type RotationProfile, survivesReuse } from "../domain/server.ts";
import type { GateReason } from "../domain/server-gate.ts";
import { CommitEcho, type EchoOptions } from "./commit-echo.ts";
import { dueKey, grantKey, revocationsKey } from "./keys.ts";
import type { OutcomeListener } from "./outcome-listener.ts";
import type { RedisStore, ScriptName } from "./redis-store.ts";

/** As long as a command of the fast connection may take. */
const ECHO_WAIT_MS: Milliseconds = 900;
const AGAIN_MAX_MS: Milliseconds = seconds(1);

/**
 * Asking is fast or fails; what has arrived is stored however long Redis is away. So this store has two connections:
 * `fast` for everything before the point of no return, `durable` for everything behind it.
 */
export class RedisRefreshStore implements RefreshStore {
  readonly #fast: RedisStore;
  readonly #durable: RedisStore;
  readonly #outcomes: OutcomeListener;
  readonly #echo: CommitEcho;

  constructor(
    stores: { fast: RedisStore; durable: RedisStore; outcomes: OutcomeListener },
    echo: EchoOptions = {},
  ) {
    this.#fast = stores.fast;
    this.#durable = stores.durable;
    this.#outcomes = stores.outcomes;
    this.#echo = new CommitEcho(stores.fast, echo);
  }

  async begin(
    grant: GrantId,
    attempt: AttemptId,
    reason: RefreshReason,
    terms: Parameters<RefreshStore["begin"]>[3],
  ): Promise<BeginAnswer> {
    // Where Redis is away this fails by itself, and at once.
    if (this.#fast.connection.status === "ready" && !(await this.#echo.through(ECHO_WAIT_MS)))
      return this.#notYet(grant, attempt);
    const lives = this.#echo.lives;
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
    // It may have been on its way when the connection was lost, and have begun in a Redis that has forgotten the newest token.
    if (kind === "begun" && (!(await this.#echo.through(ECHO_WAIT_MS)) || lives !== this.#echo.lives))
      return this.#notYet(grant, attempt);
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
      case "unverified":
        return {
          kind,
          consentGeneration: Number(rest[0]),
          accessToken: rest[1] as Sealed,
          attempt: Number(rest[2]),
        };
      case "state":
        return { kind, state: rest[0] as Grant["state"] };
      default:
        return { kind };
    }
  }

  /** Whoever asks waits a moment and asks again. What this attempt may have begun meanwhile, on this connection, is given back. */
  async #notYet(grant: GrantId, attempt: AttemptId): Promise<BeginAnswer> {
    await this.#fast.run("refresh-release", [grantKey(grant)], [grant, attempt]);
    return { kind: "held", remainingMs: 250 };
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
    const keys = [grantKey(grant), dueKey(organisation), revocationsKey(organisation)];
    const args = [
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
    ];
    const as = (await this.#untilStored("refresh-commit", keys, args)) as "committed" | "spare" | "orphaned";
    const { receivedAt } = result;
    if (as !== "orphaned")
      this.#echo.remember(attempt, { grant, keys: keys.slice(0, 2), args, as, receivedAt });
    return as;
  }

  async fail(
    grant: GrantId,
    attempt: AttemptId,
    verdict: FailureVerdict,
    terms: Parameters<RefreshStore["fail"]>[3],
  ): Promise<FailureVerdict["state"] | "disbelieved"> {
    const state = await this.#untilStored(
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

  /**
   * What has arrived is stored whatever stands in the way: a lost connection (the durable one sends again by itself), and a
   * Redis that answers and refuses, because its disk is full (F31) or its replicas are gone.
   */
  async #untilStored(
    script: ScriptName,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    for (let again = 1; ; again++) {
      try {
        return await this.#durable.run(script, keys, args);
      } catch (error) {
        const ended = this.#durable.connection.status === "end";
        if (ended || !(error instanceof Problem) || error.code !== "store_unavailable") throw error;
        await new Promise((resolve) => setTimeout(resolve, Math.min(50 * again, AGAIN_MAX_MS)));
      }
    }
  }

  async release(grant: GrantId, attempt: AttemptId): Promise<void> {
    await this.#durable.run("refresh-release", [grantKey(grant)], [grant, attempt]);
  }

  outcome(of: GrantId | ServerId, timeoutMs: Milliseconds, since?: number): Promise<"announced" | "timeout"> {
    return this.#outcomes.next(of, timeoutMs, since);
  }

  get heard(): number {
    return this.#outcomes.heard;
  }
}

const pinned = (rotation: RotationProfile): "survives" | "not" | "unknown" =>
  rotation === "unknown" ? "unknown" : survivesReuse(rotation) ? "survives" : "not";
