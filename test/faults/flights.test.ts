import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Timers } from "../../src/broker/ports.ts";
import type { AttemptId, BeginAnswer } from "../../src/broker/refresh/ports.ts";
import { GrantRefresher, type RefreshPorts } from "../../src/broker/refresh/refresh-grant.ts";
import { timing } from "../../src/domain/access-policy.ts";
import {
  type GrantId,
  makeId,
  makeRoute,
  organisationId,
  type RegistrationId,
  type ServerId,
} from "../../src/domain/id.ts";
import { type Milliseconds, minutes } from "../../src/domain/instant.ts";
import { Problem } from "../../src/domain/problem.ts";
import type { TokenCallOutcome } from "../../src/domain/refresh-failure.ts";
import type { Sealed } from "../../src/domain/sealed.ts";
import { Secret } from "../../src/domain/secret.ts";
import { defaultServerSettings, endpointsOf } from "../../src/domain/server.ts";
import { systemClock, systemTimers } from "../../src/ops/clock.ts";

const GRANT = "grt_a" as GrantId;
const never = (): Promise<never> => new Promise(() => {});
const broken = (): Promise<never> => Promise.reject(new Problem("store_unavailable"));

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const BEGUN: BeginAnswer = {
  kind: "begun",
  material: {
    server: "srv_a" as ServerId,
    registration: "reg_a" as RegistrationId,
    consentGeneration: 1,
    attempt: 1,
    refreshToken: "sealed" as Sealed,
    refreshTokenAttempt: 0,
    parent: "parent",
    refusals: { count: 0, firstAt: undefined },
    lastUsedAt: undefined,
    begunAt: 0,
  },
};
const ANSWERED: TokenCallOutcome = {
  kind: "answered",
  salvaged: false,
  answer: {
    accessToken: new Secret("new access"),
    refreshToken: new Secret("new refresh"),
    accessTokenLifeMs: minutes(30),
    scope: undefined,
  },
};

/** Counts those that have been set and neither fired nor been taken back: what others set in this process is not counted. */
class CountedTimers implements Timers {
  live = 0;
  readonly #timers = systemTimers();

  every(ms: Milliseconds, task: () => void): () => void {
    return this.#counted(this.#timers.every(ms, task));
  }

  after(ms: Milliseconds) {
    const timer = this.#timers.after(ms);
    const cancel = this.#counted(timer.cancel);
    return { elapsed: timer.elapsed.then(cancel), cancel };
  }

  #counted(cancel: () => void): () => void {
    this.live += 1;
    let counts = true;
    return () => {
      if (counts) this.live -= 1;
      counts = false;
      cancel();
    };
  }
}

/** Everything answers at once, but for what a test puts in its place. */
function refresherWith(faults: {
  readonly findGrant?: () => Promise<never>;
  readonly begin?: () => Promise<never>;
  readonly open?: () => Promise<never>;
  readonly markSent?: () => Promise<never>;
  readonly call?: () => Promise<TokenCallOutcome>;
  readonly commit?: () => Promise<"committed">;
}) {
  const renewals: AttemptId[] = [];
  const commits: AttemptId[] = [];
  const route = makeRoute(new Uint8Array(8));
  const id = (type: "srv" | "reg") => makeId(type, route, 0, new Uint8Array(16));
  const server = {
    id: id("srv"),
    organisation: organisationId(route),
    configurationGeneration: 1,
    settings: defaultServerSettings,
    endpoints: endpointsOf("https://dms.example"),
  };
  const registration = {
    id: id("reg"),
    clientId: "c",
    secrets: [{ sealed: "sealed", expiresAt: undefined }],
  };
  const timers = new CountedTimers();
  const ports = {
    clock: systemClock(),
    timers,
    random: { bytes: (n: number) => new Uint8Array(n) },
    log: { info: () => {}, warn: () => {}, error: () => {} },
    sealer: {
      open: faults.open ?? (async () => new Secret("opened")),
      seal: async () => "sealed" as Sealed,
      fingerprint: async () => "fingerprint",
    },
    refreshes: {
      begin: faults.begin ?? (async () => BEGUN),
      markSent: faults.markSent ?? (async () => true),
      renew: async (_grant: GrantId, attempt: AttemptId) => renewals.push(attempt) > 0,
      async commit(_grant: GrantId, attempt: AttemptId) {
        commits.push(attempt);
        return (await faults.commit?.()) ?? "committed";
      },
      fail: async () => "unchanged",
      release: async () => {},
    },
    grants: { findGrant: faults.findGrant ?? (async () => ({ server: "srv_a" })) },
    servers: { findServer: async () => server, findRegistration: async () => registration },
    previousTokens: { before: async () => undefined },
    authorizationServer: { refresh: faults.call ?? (async () => ANSWERED) },
  } as unknown as RefreshPorts;
  return { refresher: new GrantRefresher(ports), renewals, commits, timers };
}

const refreshing = (refresher: GrantRefresher) =>
  refresher.refresh(GRANT, { why: "due" }).then(
    ({ kind }) => kind,
    (error: unknown) => (error as Problem).code,
  );

describe("the map of flights (F25)", () => {
  it.each([
    { what: "findGrant", faults: { findGrant: broken } },
    { what: "begin", faults: { begin: broken } },
    { what: "open", faults: { open: broken } },
    { what: "markSent", faults: { markSent: broken } },
    { what: "the call", faults: { call: broken } },
    { what: "commit", faults: { commit: broken } },
  ])("F25: is empty after $what rejects, and the next refresh is a new one", async ({ faults }) => {
    const { refresher } = refresherWith(faults);
    const first = refresher.refresh(GRANT, { why: "due" });
    expect(refresher.refresh(GRANT, { why: "due" })).toBe(first);
    expect(refresher.flights).toBe(1);
    await expect(first).rejects.toThrow();
    expect(refresher.flights).toBe(0);
    expect(refresher.refresh(GRANT, { why: "due" })).not.toBe(first);
    await refresher.settled();
  });

  it.each([
    { what: "findGrant", faults: { findGrant: never } },
    { what: "begin", faults: { begin: never } },
    { what: "open", faults: { open: never } },
    { what: "markSent", faults: { markSent: never } },
    { what: "the call", faults: { call: never } },
  ])(
    "F25: is empty 90 s after $what never settles, and its lease is renewed no longer",
    async ({ faults }) => {
      const { refresher, renewals, timers } = refresherWith(faults);
      const ended = refreshing(refresher);
      await vi.advanceTimersByTimeAsync(timing.flightMaxMs - 1);
      expect(refresher.flights).toBe(1);
      await vi.advanceTimersByTimeAsync(1);
      expect(refresher.flights).toBe(0);
      expect(await ended).toBe("internal_error");
      await refresher.settled();
      const before = renewals.length;
      await vi.advanceTimersByTimeAsync(minutes(10));
      expect(renewals.length).toBe(before);
      expect(timers.live).toBe(0);
    },
  );

  it("F25: an answer that comes after a refresh was given up is stored all the same", async () => {
    const answer = Promise.withResolvers<TokenCallOutcome>();
    const { refresher, commits } = refresherWith({ call: () => answer.promise });
    const ended = refreshing(refresher);
    await vi.advanceTimersByTimeAsync(timing.flightMaxMs);
    expect(refresher.flights).toBe(0);
    expect(await ended).toBe("internal_error");
    answer.resolve(ANSWERED);
    await vi.advanceTimersByTimeAsync(0);
    expect(commits).toHaveLength(1);
  });

  it("F25: what has been received is never given up: a shutdown waits for it however long the store is away", async () => {
    const stored = Promise.withResolvers<"committed">();
    const { refresher, commits, timers } = refresherWith({ commit: () => stored.promise });
    const ended = refreshing(refresher);
    await vi.advanceTimersByTimeAsync(minutes(30));
    expect(commits).toHaveLength(1);
    expect(refresher.flights).toBe(1);
    stored.resolve("committed");
    expect(await ended).toBe("refreshed");
    expect(refresher.flights).toBe(0);
    expect(timers.live).toBe(0);
  });
});
