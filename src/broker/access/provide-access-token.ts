import { timing } from "../../domain/access-policy.ts";
import type { Client } from "../../domain/client.ts";
import type { ClientId, GrantId, OrganisationId, ServerId } from "../../domain/id.ts";
import { organisationOf } from "../../domain/id.ts";
import { type Instant, type Milliseconds, minutes } from "../../domain/instant.ts";
import { LIBRARY_FAULT_PROBLEMS } from "../../domain/library-standing.ts";
import { tokenResultOf } from "../../domain/outcomes.ts";
import { type AllowedLimits, evaluatePolicy, type Policy } from "../../domain/policy.ts";
import { refusalOf } from "../../domain/policy-refusal.ts";
import { Problem } from "../../domain/problem.ts";
import type { ProblemCode } from "../../domain/problem-catalogue.ts";
import type { Secret } from "../../domain/secret.ts";
import type { Server } from "../../domain/server.ts";
import type { Subject } from "../../domain/subject.ts";
import type { ServerDirectory } from "../authorization/ports.ts";
import type { ClientStore } from "../clients/ports.ts";
import type { Meters } from "../meter-ports.ts";
import type { AuditNote, Clock, Log, Sealer, Timers } from "../ports.ts";
import type { RefreshReason, RefreshStore } from "../refresh/ports.ts";
import { type GrantRefresher, gateCode } from "../refresh/refresh-grant.ts";
import { accessTokenContext } from "../seal-contexts.ts";
import type { AccessStore, VendAnswer, VendRequest } from "./ports.ts";

export interface AccessPorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Pick<Log, "error">;
  readonly sealer: Sealer;
  readonly access: AccessStore;
  readonly clients: Pick<ClientStore, "findPolicy">;
  readonly servers: Pick<ServerDirectory, "findServer">;
  readonly refreshes: Pick<RefreshStore, "outcome" | "heard">;
  readonly refresher: GrantRefresher;
  readonly meters?: Pick<Meters, "tokenRequest">;
}

export interface AccessTokenRequest {
  /** By what in the client's policy. `token` unless it is said: `sync` for what the broker does itself with the token. */
  readonly action?: "token" | "sync";
  readonly client: Client["id"];
  readonly server: ServerId;
  readonly subject: Subject;
  readonly minTtlMs?: Milliseconds;
  /** Fingerprint of a token that iManage answered 401 to. */
  readonly rejected?: string;
  readonly note: AuditNote;
}

export interface ProvidedAccessToken {
  readonly accessToken: Secret;
  readonly expiresAt: Instant;
  readonly expiresInMs: Milliseconds;
  readonly fingerprint: string;
  readonly grant: GrantId;
  readonly server: Server;
  readonly customerId: string;
  /** Set while refreshing fails but this token still lives. */
  readonly warning: string | undefined;
}

/**
 * An access token for one subject of one client: served from the store, or after one refresh, or a `Problem` that says
 * who must act. Answers within the caller's deadline; a refresh that takes longer goes on without him (design §3.6).
 */
export class AccessTokens {
  readonly #ports: AccessPorts;
  /** Policies with the generation they belong to. The vend script says when one is out of date, so nothing here expires. */
  readonly #policies = new Map<string, { policy: Policy | undefined; generation: number; mark: string }>();
  /** Servers never change where tokens go; what does change (settings) is read by who refreshes. */
  readonly #servers = new Map<ServerId, Server>();

  constructor(ports: AccessPorts) {
    this.#ports = ports;
  }

  async provide(request: AccessTokenRequest): Promise<ProvidedAccessToken> {
    const { clock, meters } = this.#ports;
    const startedAt = clock.monotonicMs();
    const by = request.action === "sync" ? "sync" : "client";
    try {
      const seen = { refreshed: false };
      const provided = await this.#provide(request, startedAt + timing.callerDeadlineMs, seen);
      const afterwards = seen.refreshed ? "served_after_refresh" : "served";
      const served = provided.warning === undefined ? afterwards : "served_with_warning";
      meters?.tokenRequest(served, by, clock.monotonicMs() - startedAt);
      return provided;
    } catch (error) {
      const code = error instanceof Problem ? error.code : "internal_error";
      meters?.tokenRequest(tokenResultOf(code), by, clock.monotonicMs() - startedAt);
      throw error;
    }
  }

  /**
   * @param deadline by the monotonic clock
   * @param seen is told whether it came to a refresh
   */
  async #provide(
    request: AccessTokenRequest,
    deadline: Milliseconds,
    seen: { refreshed: boolean },
  ): Promise<ProvidedAccessToken> {
    const { clock } = this.#ports;
    // The policy first: to another firm's server it takes the same steps as to none (T29).
    const { policy } = await this.#policy(request.client, organisationOf(request.server), false);
    if (policy === undefined) throw new Problem("not_found");
    const server = await this.#server(request.server);
    let minTtlMs = request.minTtlMs;
    let rejected = request.rejected;
    // The rate is that of tokens handed to a client. What a sync asks iManage is bounded by the server's budget of calls.
    let countsForRate = request.action !== "sync";
    let mayWait = true;
    let failed: Extract<Awaited<ReturnType<GrantRefresher["refresh"]>>, { kind: "failed" }> | undefined;

    for (;;) {
      const heard = this.#ports.refreshes.heard;
      const { answer, asked, limits } = await this.#vend(request, {
        minTtlMs,
        rejected,
        countsForRate,
        mayWait,
      });
      countsForRate = false;
      switch (answer.kind) {
        case "served":
          if (answer.refreshBehind && failed === undefined) {
            this.#ports.refresher.refreshLater(answer.grant, { why: "due" });
          }
          return this.#opened(answer, server, limits, failed?.code);
        case "ageing":
          mayWait = false;
          await this.#forTheNextToken(answer.grant, heard);
          continue;
        case "stale":
        case "rejected":
          break;
        default:
          throw refusalOfVend(answer, server);
      }
      if (failed !== undefined) throw new Problem(failed.code, { retryAfterMs: failed.retryAfterMs });

      const left = deadline - clock.monotonicMs();
      if (left <= 0) throw new Problem("refresh_pending", { retryAfterMs: 2_000 });
      const reason: RefreshReason =
        answer.kind === "stale"
          ? { why: "expired", minTtlMs: asked.minTtlMs }
          : { why: "rejected", fingerprint: answer.fingerprint };
      const outcome = await this.#within(left, this.#ports.refresher.refresh(answer.grant, reason));
      switch (outcome?.kind) {
        case undefined:
          throw new Problem("refresh_pending", { retryAfterMs: 2_000 });
        case "held":
          // Woken by the holder's outcome, or when its lease must have ended; nobody refreshes without the lease.
          await this.#ports.refreshes.outcome(answer.grant, Math.min(outcome.remainingMs + 50, left), heard);
          break;
        case "gated":
          if (outcome.why === "busy") {
            // Somebody's call there ends in a moment; then again, until this caller's time is up.
            await this.#ports.refreshes.outcome(server.id, Math.min(outcome.retryAfterMs, left));
            break;
          }
          failed = { kind: "failed", code: gateCode(outcome.why), retryAfterMs: outcome.retryAfterMs };
          if (answer.kind === "rejected")
            throw new Problem(failed.code, { retryAfterMs: failed.retryAfterMs });
          minTtlMs = 1;
          break;
        case "failed":
          if (answer.kind === "rejected") {
            throw new Problem(outcome.code, { retryAfterMs: outcome.retryAfterMs });
          }
          // A token that still lives is served with a warning while refreshing fails; with less life than was asked for.
          failed = outcome;
          minTtlMs = 1;
          break;
        case "ended":
          throw new Problem(outcome.code, pointers(server));
        default:
          seen.refreshed = true;
          // Refreshed: the rejected token is no longer the current one.
          rejected = undefined;
      }
    }
  }

  /**
   * Waits a moment for the token that replaces one that is about to end. Whatever becomes of it, what is there then is
   * served. @param heard what was heard before the caller read last
   */
  async #forTheNextToken(grant: GrantId, heard: number): Promise<void> {
    const { clock, refresher, refreshes } = this.#ports;
    const until = clock.monotonicMs() + timing.ageingWaitMs;
    const outcome = await this.#within(timing.ageingWaitMs, refresher.refresh(grant, { why: "due" })).catch(
      // The caller has nothing to do with it as long as there is a token.
      () => undefined,
    );
    if (outcome?.kind !== "held") return;
    const left = Math.max(0, until - clock.monotonicMs());
    await refreshes.outcome(grant, left, heard);
  }

  async #vend(
    request: AccessTokenRequest,
    wanted: Pick<VendRequest, "rejected" | "countsForRate" | "mayWait"> & {
      readonly minTtlMs: Milliseconds | undefined;
    },
  ): Promise<{ readonly answer: VendAnswer; readonly asked: VendRequest; readonly limits: AllowedLimits }> {
    const organisation = organisationOf(request.server);
    for (let stale = 0; ; stale++) {
      let { policy, generation, mark } = await this.#policy(request.client, organisation, stale > 0);
      const now = this.#ports.clock.now();
      let verdict = evaluatePolicy(policy, policyRequestOf(request), now);
      if (!verdict.allowed && stale === 0) {
        // The script that hands out says when a policy is out of date; who is refused never gets there.
        ({ policy, generation, mark } = await this.#policy(request.client, organisation, true));
        verdict = evaluatePolicy(policy, policyRequestOf(request), now);
      }
      if (!verdict.allowed) throw refusalOf(verdict, now);
      const { limits } = verdict;
      const asked: VendRequest = {
        organisation,
        server: request.server,
        client: request.client,
        subject: request.subject,
        policyGeneration: generation,
        policyMark: mark,
        tokensPerMinute: policy!.tokensPerMinute,
        grantsPerHour: request.action === "sync" ? undefined : policy!.grantsPerHour,
        note: request.note,
        ...wanted,
        minTtlMs: minTtlOf(wanted.minTtlMs, limits),
      };
      const answer = await this.#ports.access.vend(asked);
      if (answer.kind === "budget_exceeded" && answer.noted) this.#tellAnomaly(asked, answer.grant);
      // A policy that changes faster than it can be read is someone's loop, not ours.
      if (answer.kind !== "policy_changed" || stale >= 3) return { answer, asked, limits };
    }
  }

  /** Many different people's tokens within an hour is what a stolen client looks like (T33). */
  #tellAnomaly({ organisation, server, client, note, grantsPerHour }: VendRequest, grant: GrantId): void {
    this.#ports.log.error(
      {
        ...{ requestId: note.requestId, organisation, server, client, grant },
        ...{ code: "grant_budget_exceeded", ...(grantsPerHour !== undefined && { count: grantsPerHour }) },
      },
      "anomaly: a client asks for more different grants within an hour than its policy allows",
    );
  }

  async #policy(client: ClientId, organisation: OrganisationId, reread: boolean) {
    const key = `${client} ${organisation}`;
    const known = this.#policies.get(key);
    if (known !== undefined && !reread) return known;
    const read = await this.#ports.clients.findPolicy(client, organisation);
    // Only what exists is remembered: ids that somebody makes up must not fill this map.
    if (read.policy !== undefined) this.#policies.set(key, read);
    else this.#policies.delete(key);
    return read;
  }

  async #server(id: ServerId): Promise<Server> {
    const known = this.#servers.get(id);
    if (known !== undefined) return known;
    const server = await this.#ports.servers.findServer(id);
    if (server === undefined) throw new Problem("not_found");
    this.#servers.set(id, server);
    return server;
  }

  async #opened(
    answer: Extract<VendAnswer, { kind: "served" }>,
    server: Server,
    { toldUntil = Number.POSITIVE_INFINITY }: AllowedLimits,
    failure: ProblemCode | undefined,
  ): Promise<ProvidedAccessToken> {
    const accessToken = await this.#ports.sealer.open(
      answer.accessToken,
      accessTokenContext({
        grant: answer.grant,
        server,
        consentGeneration: answer.consentGeneration,
        attempt: answer.attempt,
      }),
    );
    return {
      accessToken,
      expiresAt: Math.min(answer.expiresAt, toldUntil),
      expiresInMs: Math.min(answer.expiresInMs, Math.max(0, toldUntil - this.#ports.clock.now())),
      fingerprint: answer.fingerprint,
      grant: answer.grant,
      server,
      customerId: answer.owner.customerId,
      warning: failure ?? answer.warning,
    };
  }

  /** What `work` answers, or undefined when time is up first; `work` goes on. */
  async #within<T>(ms: Milliseconds, work: Promise<T>): Promise<T | undefined> {
    const timer = this.#ports.timers.after(ms);
    try {
      return await Promise.race([work, timer.elapsed.then(() => undefined)]);
    } finally {
      timer.cancel();
      work.catch(() => {});
    }
  }
}

const policyRequestOf = ({ action = "token", server, subject, note, minTtlMs }: AccessTokenRequest) => ({
  ...{ action, server, subject, minTtlMs, purpose: note.purpose },
  address: action === "sync" ? undefined : (note.address ?? ""),
});

export const minTtlOf = (wanted: Milliseconds | undefined, { minTtlMaxMs }: AllowedLimits): Milliseconds =>
  Math.min(
    wanted ?? Math.min(timing.defaultMinTtlMs, minTtlMaxMs ?? timing.defaultMinTtlMs),
    timing.maxMinTtlMs,
  );

/** What a client is told that gets no token. */
export function refusalOfVend(
  answer: Exclude<VendAnswer, { kind: "served" | "ageing" | "stale" | "rejected" }>,
  server?: Server,
): Problem {
  switch (answer.kind) {
    case "unbound":
      return new Problem("authorization_required", pointers(server));
    case "state":
      return answer.state === "paused"
        ? new Problem("grant_paused")
        : new Problem("reauthorization_required", pointers(server));
    case "parked":
      return new Problem(LIBRARY_FAULT_PROBLEMS[answer.why], pointers(server));
    case "contained":
      return new Problem("contained", {
        members: { contained: answer.by.split(":", 1)[0]!, containment: answer.containment },
      });
    case "restoring":
      return new Problem("restoring", { retryAfterMs: minutes(1) });
    case "disabled":
      return new Problem("organisation_disabled");
    case "not_a_member":
      return new Problem("not_a_member");
    case "rate_limited":
      return new Problem("rate_limited", { retryAfterMs: answer.retryAfterMs });
    case "budget_exceeded":
      return new Problem("grant_budget_exceeded", { retryAfterMs: answer.retryAfterMs });
    case "rejected_again":
      return new Problem("token_rejected_again", { retryAfterMs: answer.retryAfterMs });
    case "audit_backlog":
      return new Problem("audit_backlog", { retryAfterMs: 5_000 });
    case "policy_changed":
      return new Problem("store_unavailable", {
        retryAfterMs: 1_000,
        detail: "The policies change faster than they can be read.",
      });
  }
}

/** Where the one who must act begins. */
const pointers = (server: Server | undefined) => ({
  members: { ...(server && { server: server.id }), connect: "/v1/connect-sessions" },
});
