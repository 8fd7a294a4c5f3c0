import { decideKeepAlive, softMarginMs, timing } from "../../domain/access-policy.ts";
import type { GrantId, ServerId } from "../../domain/id.ts";
import { type Milliseconds, minutes } from "../../domain/instant.ts";
import { HELD_BACK, type HeldBack, type RefreshEnd } from "../../domain/outcomes.ts";
import { Problem } from "../../domain/problem.ts";
import type { ProblemCode } from "../../domain/problem-catalogue.ts";
import { judgeRefreshFailure, type TokenCallOutcome } from "../../domain/refresh-failure.ts";
import type { Server } from "../../domain/server.ts";
import { type GateReason, serverLimits } from "../../domain/server-gate.ts";
import { openCredentials } from "../authorization/open-credentials.ts";
import type { AuthorizationServer, ServerDirectory } from "../authorization/ports.ts";
import type { GrantStore } from "../grants/ports.ts";
import type { Meters } from "../meter-ports.ts";
import type { Clock, Log, Random, Sealer, Timers } from "../ports.ts";
import type { PreviousTokenCheck } from "../profile/previous-token-check.ts";
import { accessTokenContext, refreshTokenContext, serverOwner } from "../seal-contexts.ts";
import type {
  AttemptId,
  BeginAnswer,
  FailPoints,
  RefreshMaterial,
  RefreshReason,
  RefreshResult,
  RefreshStore,
} from "./ports.ts";
import { type VerifyIdentityPorts, verifyIdentity } from "./verify-identity.ts";

export interface RefreshPorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  readonly sealer: Sealer;
  readonly refreshes: RefreshStore;
  readonly grants: Pick<GrantStore, "findGrant">;
  readonly servers: ServerDirectory;
  readonly authorizationServer: Pick<AuthorizationServer, "refresh">;
  readonly previousTokens: Pick<PreviousTokenCheck, "before">;
  /** For grants that another system kept before. */
  readonly identity: Omit<VerifyIdentityPorts, "log" | "sealer">;
  readonly meters?: Pick<Meters, "refresh" | "refreshHeldBack">;
  /** Given by tests alone. */
  readonly failPoints?: FailPoints;
}

/** How one refresh ended, for whoever waited for it. */
export type RefreshOutcome =
  /** A usable access token is stored; read it. */
  | { readonly kind: "refreshed" }
  /** The reason no longer held, or another process took over: read again. */
  | { readonly kind: "fresh" }
  /** Another process has the lease. */
  | { readonly kind: "held"; readonly remainingMs: Milliseconds }
  /** Not now: an earlier failure is cooling down, or the outcome of an earlier call is not known yet. */
  | { readonly kind: "failed"; readonly code: ProblemCode; readonly retryAfterMs: Milliseconds }
  /** The server's gate did not let it through. `busy` passes in a moment; anything else is a failure to tell. */
  | { readonly kind: "gated"; readonly why: GateReason; readonly retryAfterMs: Milliseconds }
  | {
      readonly kind: "ended";
      readonly code: "authorization_required" | "reauthorization_required" | "grant_paused";
    };

/**
 * Spends a grant's refresh token once, however many ask at the same moment: one flight per grant in this process, one
 * lease across processes. Callers may leave at any time; a flight never ends early (design §3.6).
 */
export class GrantRefresher {
  readonly #ports: RefreshPorts;
  readonly #flights = new Map<GrantId, Promise<RefreshOutcome>>();

  constructor(ports: RefreshPorts) {
    this.#ports = ports;
  }

  /** @param at its server, where that is known. */
  refresh(grant: GrantId, reason: RefreshReason, at?: ServerId): Promise<RefreshOutcome> {
    const flying = this.#flights.get(grant);
    if (flying !== undefined) return flying;
    // A promise that never settles must not shut its grant out until somebody restarts the process (F25). What has been
    // received is another matter: that is stored however long it takes.
    const patience = this.#ports.timers.after(timing.flightMaxMs);
    const count = counting(this.#ports, reason);
    const flight = Promise.race([
      fly(this.#ports, grant, reason, at, () => patience.cancel(), count).catch((error: unknown) => {
        count(error instanceof Problem && error.code === "store_unavailable" ? error.code : "internal_error");
        throw error;
      }),
      patience.elapsed.then(() => {
        count("internal_error");
        throw new Problem("internal_error", { detail: "A refresh did not end." });
      }),
    ])
      .finally(() => this.#ports.failPoints?.reach("ended", grant))
      .finally(() => {
        patience.cancel();
        this.#flights.delete(grant);
      });
    this.#flights.set(grant, flight);
    return flight;
  }

  /** The same, for nobody in particular: what goes wrong is logged. */
  refreshLater(grant: GrantId, reason: RefreshReason): void {
    this.refresh(grant, reason).catch((error: unknown) => {
      this.#ports.log.warn({ grant, code: codeOf(error) }, "a refresh behind a served token failed");
    });
  }

  /** Resolves once nothing is in flight: what a shutdown waits for. */
  async settled(): Promise<void> {
    while (this.#flights.size > 0) await Promise.allSettled(this.#flights.values());
  }

  /** Flights under way: 0 when nobody refreshes (F25). */
  get flights(): number {
    return this.#flights.size;
  }
}

/** Counts a flight once: one that did not end may end after all. */
function counting({ clock, meters }: RefreshPorts, { why }: RefreshReason): (end: RefreshEnd) => void {
  const startedAt = clock.monotonicMs();
  let counted = false;
  return (end) => {
    if (!counted) meters?.refresh(end, why, clock.monotonicMs() - startedAt);
    counted = true;
  };
}

/**
 * @param received is told when there is something that must be stored.
 * @param count is told how it ended, where it was begun.
 */
async function fly(
  ports: RefreshPorts,
  grant: GrantId,
  reason: RefreshReason,
  at: ServerId | undefined,
  received: () => void,
  count: (end: RefreshEnd) => void,
): Promise<RefreshOutcome> {
  const { failPoints } = ports;
  const read = at === undefined ? await ports.grants.findGrant(grant) : undefined;
  const place = at ?? read?.server;
  const server = place && (await ports.servers.findServer(place));
  if (server === undefined) return { kind: "ended", code: "authorization_required" };

  const attempt: AttemptId = Buffer.from(ports.random.bytes(16)).toString("base64url");
  if (failPoints) await failPoints.reach("before-begin", grant);
  const answer = await begin(ports, grant, attempt, reason, server);
  if (answer.kind === "unverified") {
    const known = read ?? (await ports.grants.findGrant(grant));
    if (known === undefined) return { kind: "ended", code: "authorization_required" };
    return verifyIdentity({ ...ports, ...ports.identity }, known, server, answer);
  }
  if (answer.kind !== "begun") {
    const why = answer.kind === "gated" ? answer.why : answer.kind;
    if (isHeldBack(why)) ports.meters?.refreshHeldBack(why);
    return withoutCall(answer);
  }
  if (failPoints) await failPoints.reach("after-begin", grant);

  // iManage has refused a rejected token already: its end would teach nothing about refreshes.
  const learn = reason.why === "rejected" ? undefined : await ports.previousTokens.before(grant, server);
  const startedAt = ports.clock.monotonicMs();
  const outcome = await call(ports, grant, attempt, answer.material, server);
  // Whoever took the lease may have come to an end long ago: to wait for that would be to wait for nothing.
  if (outcome === undefined) {
    count("given_up");
    return { kind: "fresh" };
  }
  received();
  if (failPoints) await failPoints.reach("answer-received", grant);

  const elapsedMs = ports.clock.monotonicMs() - startedAt;
  const { end, ...ended } = await keep(ports, grant, attempt, answer.material, server, outcome, elapsedMs);
  count(end);
  if (ended.kind === "refreshed") learn?.();
  ports.log.info(
    {
      grant,
      server: server.id,
      outcome: ended.kind === "failed" ? ended.code : ended.kind,
      detail: outcome.kind === "answered" ? reason.why : describe(outcome),
      elapsedMs: Math.round(ports.clock.monotonicMs() - startedAt),
    },
    "refresh",
  );
  // Where the grant was not read it is due again at once, and `begin` says that it is unverified.
  if (read?.imported === "unverified" && ended.kind === "refreshed" && outcome.kind === "answered") {
    const opened = outcome.answer.accessToken!;
    return verifyIdentity({ ...ports, ...ports.identity }, read, server, { opened });
  }
  return ended;
}

/** A `begin` whose reply was lost may have run: it is asked again under the same name before it counts as failed. */
async function begin(
  ports: RefreshPorts,
  grant: GrantId,
  attempt: AttemptId,
  reason: RefreshReason,
  server: Server,
): Promise<BeginAnswer> {
  const ask = () =>
    ports.refreshes.begin(grant, attempt, reason, {
      leaseMs: timing.leaseMs,
      providerDeadlineMs: timing.providerDeadlineMs,
      rotation: server.settings.rotation,
      configurationGeneration: server.configurationGeneration,
      limits: serverLimits,
    });
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "store_unavailable") throw error;
    return await ask();
  }
}

const isHeldBack = (why: string): why is HeldBack => (HELD_BACK as readonly string[]).includes(why);

function withoutCall(answer: Exclude<BeginAnswer, { kind: "begun" | "unverified" }>): RefreshOutcome {
  switch (answer.kind) {
    case "fresh":
      return { kind: "fresh" };
    case "held":
      return { kind: "held", remainingMs: answer.remainingMs };
    case "cooling":
      return {
        kind: "failed",
        code: coolingCode(answer.problem),
        retryAfterMs: answer.remainingMs,
      };
    case "gated":
      return { kind: "gated", why: answer.why, retryAfterMs: answer.remainingMs };
    case "lapsed":
      return { kind: "fresh" };
    case "restoring":
      return { kind: "failed", code: "restoring", retryAfterMs: minutes(1) };
    case "gone":
      return { kind: "ended", code: "authorization_required" };
    case "not_refreshable":
      return { kind: "ended", code: "reauthorization_required" };
    case "state":
      return { kind: "ended", code: answer.state === "paused" ? "grant_paused" : "reauthorization_required" };
  }
}

/** A suspected grant is not a dead one: until it is believed, its callers are told that time may help. */
export const gateCode = (why: GateReason): ProblemCode =>
  why === "misconfigured"
    ? "client_secret_refused"
    : why === "busy"
      ? "refresh_pending"
      : "imanage_unavailable";

const coolingCode = (problem: string): ProblemCode =>
  problem === "client_secret_refused" || problem === "refresh_pending" ? problem : "imanage_unavailable";

/** The call itself. Undefined: the lease was lost before anything left. */
async function call(
  ports: RefreshPorts,
  grant: GrantId,
  attempt: AttemptId,
  material: RefreshMaterial,
  server: Server,
): Promise<TokenCallOutcome | undefined> {
  const { refreshes, failPoints } = ports;
  let stopRenewing = () => {};
  try {
    const registration = await ports.servers.findRegistration(material.registration);
    if (registration === undefined)
      throw new Problem("internal_error", { detail: "The grant's registration is gone." });
    const credentials = await openCredentials(ports, registration, server);
    const refreshToken = await ports.sealer.open(
      material.refreshToken,
      refreshTokenContext({
        grant,
        server,
        consentGeneration: material.consentGeneration,
        attempt: material.refreshTokenAttempt,
      }),
    );
    if (!(await refreshes.markSent(grant, attempt, timing.leaseMs))) return undefined;
    const sentAt = ports.clock.monotonicMs();
    stopRenewing = ports.timers.every(timing.leaseRenewalMs, () => {
      // A call that never ends must not keep the lease from everybody for ever (F25).
      if (ports.clock.monotonicMs() - sentAt >= timing.flightMaxMs) return stopRenewing();
      // A lost lease changes nothing for a call that has left: its answer is stored all the same.
      refreshes.renew(grant, attempt, timing.leaseMs).catch(() => {});
    });
    if (failPoints) await failPoints.reach("after-mark-sent", grant);

    // Point of no return. From here iManage may rotate the token (RFC 6749 §6); whatever comes back is stored, and
    // nobody's deadline reaches this far.
    return await ports.authorizationServer.refresh({ server, credentials, refreshToken });
  } catch (error) {
    await refreshes.release(grant, attempt);
    throw error;
  } finally {
    stopRenewing();
  }
}

/** Stores what came of it, good or bad, however long the store is away. */
async function keep(
  ports: RefreshPorts,
  grant: GrantId,
  attempt: AttemptId,
  material: RefreshMaterial,
  server: Server,
  outcome: TokenCallOutcome,
  /** Since `begin` was answered. */
  elapsedMs: Milliseconds,
): Promise<RefreshOutcome & { readonly end: RefreshEnd }> {
  const { sealer, refreshes, failPoints } = ports;
  if (outcome.kind !== "answered") {
    const verdict = judgeRefreshFailure(
      outcome,
      material.refusals,
      // By the store's clock, as the first refusal was noted: this host's may be an hour ahead of it (F23).
      material.begunAt + elapsedMs,
      server.settings.rotation,
      timing.providerDeadlineMs,
    );
    if (failPoints) await failPoints.reach("before-fail", grant);
    const state = await refreshes.fail(grant, attempt, verdict, {
      rotation: server.settings.rotation,
      configurationGeneration: server.configurationGeneration,
    });
    if (failPoints) await failPoints.reach("after-fail", grant);
    if (state === "disbelieved") return { kind: "fresh", end: "overtaken" };
    const blamed = verdict.class === "invalid_grant" && state === "unchanged";
    return state === "reauthorization_required"
      ? { kind: "ended", code: "reauthorization_required", end: "ended" }
      : {
          kind: "failed",
          end: blamed ? "refused_with_many" : verdict.class,
          code: coolingCode(verdict.problem),
          retryAfterMs: Math.max(1_000, verdict.coolDownMs),
        };
  }

  const { accessToken, refreshToken, accessTokenLifeMs } = outcome.answer;
  const of = { grant, server, consentGeneration: material.consentGeneration, attempt: material.attempt };
  const owner = serverOwner(server);
  const result: RefreshResult = {
    consentGeneration: material.consentGeneration,
    attempt: material.attempt,
    server: server.id,
    registration: material.registration,
    parent: material.parent,
    refreshToken: refreshToken && (await sealer.seal(refreshToken, refreshTokenContext(of))),
    refreshTokenFingerprint: refreshToken && (await sealer.fingerprint(owner, refreshToken)),
    refreshTokenLifeMs: server.settings.refreshTokenLifeMs,
    refreshExtendsLife: server.settings.refreshExtendsLife,
    accessToken: accessToken && (await sealer.seal(accessToken, accessTokenContext(of))),
    accessTokenFingerprint: accessToken && (await sealer.fingerprint(owner, accessToken)),
    accessTokenLifeMs,
    softMarginMs: softMarginMs(accessTokenLifeMs),
    ...decideKeepAlive(server.settings.refreshTokenLifeMs, ports.random.bytes(2)),
    receivedAt: Math.floor(material.begunAt + elapsedMs),
  };
  if (failPoints) await failPoints.reach("after-seal", grant);
  const committed = await refreshes.commit(grant, attempt, result);
  if (failPoints) await failPoints.reach("after-commit", grant);
  // Spare or orphaned, the token that counts now is another's: whoever waits reads again.
  if (accessToken === undefined) return { kind: "fresh", end: "without_access_token" };
  const end = committed !== "committed" ? "overtaken" : outcome.salvaged ? "salvaged" : "refreshed";
  return { kind: "refreshed", end };
}

function describe(outcome: Exclude<TokenCallOutcome, { kind: "answered" }>): string {
  return outcome.kind === "refused"
    ? `${outcome.refusal} (HTTP ${outcome.status})`
    : `${outcome.kind}: ${outcome.reason}`;
}

const codeOf = (error: unknown): string => (error instanceof Problem ? error.code : "internal_error");
