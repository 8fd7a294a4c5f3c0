import type { Guard, ProvenPromise } from "../kit/promise.ts";

const leaseIsRespected: Guard = {
  guard: "the lease that somebody else holds, and his note that a request has left",
  file: "src/store/lua/refresh-begin.lua",
  replace: "if g[7] and tonumber(g[8]) > now then",
  // Either alone is enough as a rule: they stand for each other but for the moment between the two.
  by: "g[9] = false\nif false then",
};

/** A lease that stands for as long as nobody gives it back. */
const leaseEnds: Guard = {
  guard: "the end of a lease whose holder is gone",
  file: "src/store/lua/refresh-begin.lua",
  replace: "if g[7] and tonumber(g[8]) > now then",
  by: "if g[7] then",
};

/** What may become of our own processes and their locks: F16 to F25. */
export const processesFaults: readonly ProvenPromise[] = [
  {
    id: "F16",
    promise:
      "A process killed between iManage's answer and its commit costs nothing where a token may be used again, and elsewhere what its journal explains.",
    proofs: [
      {
        file: "test/race/random-kills.test.ts",
        title: "cost no grant",
        full: { TEST_KILLS: "500" },
        without: leaseEnds,
      },
      {
        file: "test/race/random-kills.test.ts",
        title: "a grant is lost only between answer and commit",
        full: { TEST_KILLS: "500" },
        without: {
          guard: "storing before the caller is answered: the refresh token that came back",
          file: "src/broker/refresh/refresh-grant.ts",
          replace:
            "refreshToken: refreshToken && (await sealer.seal(refreshToken, refreshTokenContext(of))),",
          by: "refreshToken: undefined,",
        },
      },
      {
        file: "test/race/holder-killed.test.ts",
        title: "a strict server is asked again only after the provider deadline",
        without: {
          guard: "waiting until no answer to an earlier request can come",
          file: "src/store/lua/refresh-begin.lua",
          replace: "if wait > 0 then return",
          by: "if false then return",
        },
      },
      {
        file: "test/race/answer-to-commit.test.ts",
        title: "by the clock of the process itself (F16)",
        full: { TEST_WINDOW: "2000" },
        without: {
          guard: "the commit",
          file: "src/broker/refresh/refresh-grant.ts",
          replace: "const committed = await refreshes.commit(grant, attempt, result);\n",
          by: 'const committed: string = "committed";\n',
        },
      },
    ],
  },
  {
    id: "F17",
    promise:
      "A process killed before its request left costs nothing: another asks as soon as the lease has ended, once.",
    proofs: [
      {
        file: "test/faults/holder-dies.test.ts",
        title: "F17",
        without: {
          guard: "the intent that says whether the request has left",
          file: "src/store/lua/refresh-begin.lua",
          replace: "'intent', 'planned',\n  'intent_parent', g[3])\nredis.call('HDEL', key, 'sent_at')",
          by: "'intent', 'sent',\n  'intent_parent', g[3], 'sent_at', whole(now))",
        },
      },
    ],
  },
  {
    id: "F18",
    promise: "A rolling restart loses no grant, and no caller behind a balancer sees it.",
    proofs: [
      {
        file: "test/faults/rolling-restart.test.ts",
        title: "rolling restarts by SIGTERM under load",
        full: { TEST_RESTARTS: "100" },
        red: { TEST_RESTARTS: "12" },
        without: {
          guard: "answers that say that their connection ends",
          file: "src/main/start-http.ts",
          replace: 'response.setHeader("connection", "close");',
          by: "return;",
        },
      },
      {
        file: "test/faults/rolling-restart.test.ts",
        title: "SIGTERM while a refresh is out for which nobody waits any more",
        without: {
          guard: "waiting for refreshes that are under way",
          file: "src/main/compose.ts",
          replace: "      await refresher.settled();\n",
          by: "",
        },
      },
    ],
  },
  {
    id: "F19",
    promise: "However many ask at however many replicas: one call at iManage per expiry.",
    proofs: [
      {
        file: "test/race/one-refresh-per-expiry.test.ts",
        title: "spend the refresh token once",
        full: { TEST_PROCESSES: "8", TEST_CALLERS: "125", TEST_EXPIRIES: "2000" },
        without: leaseIsRespected,
      },
    ],
  },
  {
    id: "F20",
    promise:
      "A holder that stood still past its lease puts no older token over a newer one, and its bad news of the past ends nothing.",
    proofs: [
      {
        file: "test/race/stopped-holder.test.ts",
        title: "SIGSTOP of the holder past its lease",
        full: { TEST_STOPS: "100" },
        without: leaseEnds,
      },
      {
        file: "test/store/refresh-store.test.ts",
        title: "a late result never overwrites a newer one",
        without: {
          guard: "only a token whose parent is still the primary one becomes primary",
          file: "src/store/lua/refresh-commit.lua",
          replace:
            "if g[2] == ARGV[5] or (ARGV[7] ~= '' and g[2] == ARGV[7]) or g[9] == 'reauthorization_required' then",
          by: "if true then",
        },
      },
      {
        file: "test/race/stopped-holder.test.ts",
        title: "a refusal of a token that is no longer the primary one is not believed",
        without: {
          guard: "disbelieving what was said of a token that has been replaced",
          file: "src/store/lua/refresh-fail.lua",
          replace: "if g[8] ~= g[9] or (g[10] and tonumber(g[11] or '0') >= tonumber(g[10])) then",
          by: "if false then",
        },
      },
    ],
  },
  {
    id: "F21",
    promise: "A lease is prolonged and ended by its owner alone.",
    proofs: [
      {
        file: "test/faults/lease-owner.test.ts",
        title: "F21",
        full: { TEST_LEASE_STEPS: "20000" },
        without: {
          guard: "whose lease it is, when it is given back",
          file: "src/store/lua/refresh-release.lua",
          replace: "if g[1] ~= ARGV[2] or g[2] ~= 'planned' then",
          by: "if g[2] ~= 'planned' then",
        },
      },
      {
        file: "test/faults/lease-owner.test.ts",
        title: "F21",
        without: {
          guard: "whose lease it is, when it is renewed",
          file: "src/store/lua/refresh-renew.lua",
          replace: "if g[1] ~= ARGV[1] then return 0 end",
          by: "if not g[1] then return 0 end",
        },
      },
      {
        file: "test/faults/lease-owner.test.ts",
        title: "F21",
        without: {
          guard: "whose lease it is, when a failure is stored",
          file: "src/store/lua/refresh-fail.lua",
          replace: "if g[1] ~= ARGV[2] then return 'disbelieved' end",
          by: "",
        },
      },
    ],
  },
  {
    id: "F22",
    promise:
      "An event loop that stands still for 5 s loses no lease: it is renewed often enough, and nobody else calls.",
    proofs: [
      {
        file: "test/faults/held-up.test.ts",
        title: "F22",
        without: {
          guard: "a lease three times as long as what lies between its renewals",
          file: "src/domain/access-policy.ts",
          replace: "leaseMs: seconds(15)",
          by: "leaseMs: seconds(4)",
        },
      },
      {
        file: "test/faults/held-up.test.ts",
        title: "F22",
        without: {
          guard: "the renewal",
          file: "src/broker/refresh/refresh-grant.ts",
          replace: "refreshes.renew(grant, attempt, timing.leaseMs).catch(() => {});",
          by: "",
        },
      },
    ],
  },
  {
    id: "F23",
    promise:
      "A clock that jumps an hour in one process takes no lease, ends no token, stops no schedule for longer than a minute and sends nobody to sign in.",
    proofs: [
      {
        file: "test/faults/held-up.test.ts",
        title: "F23: a clock that is an hour ahead or behind",
        without: {
          guard: "the store's clock in what the scripts compare",
          file: "src/store/redis-store.ts",
          replace: "clockOffsetMs: () => Milliseconds = () => 0",
          by: "clockOffsetMs: () => Milliseconds = () => Math.round(Date.now() - performance.timeOrigin - performance.now())",
        },
      },
      {
        file: "test/faults/held-up.test.ts",
        title: "F23: three refusals within a minute",
        without: {
          guard: "the store's clock in what refusals are compared by",
          file: "src/broker/refresh/refresh-grant.ts",
          replace: "material.begunAt + elapsedMs,",
          by: "ports.clock.now(),",
        },
      },
      {
        file: "test/workers/start-workers.test.ts",
        title: "F23: after a clock that jumped",
        without: {
          guard: "a schedule that lies too far ahead is written anew",
          file: "src/workers/start-workers.ts",
          replace: "if (next !== undefined && next > Date.now() + everyMs + timing.restateMs)",
          by: "if (next === 0)",
        },
      },
    ],
  },
  {
    id: "F24",
    promise:
      "When a holder dies, one of those who wait takes over once its lease has ended, and every one of them is answered.",
    proofs: [
      {
        file: "test/faults/holder-dies.test.ts",
        title: "waiters of another process",
        without: leaseEnds,
      },
      {
        file: "test/faults/holder-dies.test.ts",
        title: "grants whose holder was killed",
        full: { TEST_RECOVERIES: "100" },
        without: leaseEnds,
      },
    ],
  },
  {
    id: "F25",
    promise: "Whatever rejects or never settles, the map of refreshes under way is empty afterwards.",
    proofs: [
      {
        file: "test/faults/flights.test.ts",
        title: "F25",
        without: {
          guard: "the end of patience with a refresh",
          file: "src/broker/refresh/refresh-grant.ts",
          replace: '        throw new Problem("internal_error", { detail: "A refresh did not end." });\n',
          by: "        return new Promise<never>(() => {});\n",
        },
      },
      {
        file: "test/faults/flights.test.ts",
        title: "F25",
        without: {
          guard: "letting go of what has ended",
          file: "src/broker/refresh/refresh-grant.ts",
          replace: "        this.#flights.delete(grant);\n",
          by: "",
        },
      },
      {
        file: "test/faults/flights.test.ts",
        title: "F25: what has been received is never given up",
        without: {
          guard: "patience without end once there is an answer",
          file: "src/broker/refresh/refresh-grant.ts",
          replace: "  received();\n",
          by: "",
        },
      },
    ],
  },
];
