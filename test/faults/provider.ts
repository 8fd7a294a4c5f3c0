import type { ProvenPromise } from "../kit/promise.ts";

const ANSWERS = "test/faults/provider-answers.test.ts";
const REFRESHES = "test/faults/provider-refreshes.test.ts";
const GATE = "test/stories/server-gate.test.ts";

/** What iManage may do: F01 to F15. */
export const providerFaults: readonly ProvenPromise[] = [
  {
    id: "F01",
    promise:
      "An answer that is lost on its way costs a grant only where iManage has ended the old token, and is told.",
    proofs: [
      {
        file: REFRESHES,
        title: "(F01)",
        full: { FAULT_ROUNDS: "20" },
        without: {
          guard: "asking again at once where the old token still works for a while",
          file: "src/domain/refresh-failure.ts",
          replace: "survivesReuse(rotation) ? 0 : Math.max(0, providerDeadlineMs - outcome.elapsedMs)",
          by: "Math.max(0, providerDeadlineMs - outcome.elapsedMs)",
        },
      },
      {
        file: REFRESHES,
        title: "(F01)",
        without: {
          guard: "the sentence in the grant's timeline",
          file: "src/store/lua/refresh-begin.lua",
          replace: "timeline(prefix, now, id, 'refresh.answer_lost'",
          by: "timeline(prefix, now, 'nobody', 'refresh.answer_lost'",
        },
      },
    ],
  },
  {
    id: "F02",
    promise: "However damaged an answer is, a refresh token that stands in it whole is kept.",
    proofs: [
      {
        file: ANSWERS,
        title: "(F02)",
        full: { FAULT_BODIES: "20000" },
        without: {
          guard: "the search for a whole token in a text that is no JSON",
          file: "src/imanage/read-token-answer.ts",
          replace: 'usable(members.refresh_token) ?? findLiteral(text, "refresh_token")',
          by: "usable(members.refresh_token)",
        },
      },
      {
        file: "test/imanage/read-token-answer.test.ts",
        title: "(F02)",
        full: { TOKEN_BODY_RUNS: "20000" },
        without: {
          guard: "reading what arrived before a cut",
          file: "src/imanage/read-token-answer.ts",
          replace: "  const found = findTokens(raw, body, context.presented);",
          by: "  const found = raw.cutBy === undefined ? findTokens(raw, body, context.presented) : undefined;",
        },
      },
    ],
  },
  {
    id: "F03",
    promise: "A maintenance page in place of tokens is a server's trouble, and over a minute after it.",
    proofs: [
      {
        file: ANSWERS,
        title: "(F03)",
        without: {
          guard: "the longest pause between two probes of a server that fails",
          file: "src/store/lua/gate.lua",
          replace: "local BACKOFF_MS, BACKOFF_MAX_MS = 5000, 30000",
          by: "local BACKOFF_MS, BACKOFF_MAX_MS = 5000, 300000",
        },
      },
      {
        file: ANSWERS,
        title: "(F03)",
        without: {
          guard: "an answer that is no OAuth error says nothing of the grant",
          file: "src/imanage/read-token-answer.ts",
          replace: 'return code === undefined ? "upstream" : "configuration";',
          by: 'return code === undefined ? "invalid_grant" : "configuration";',
        },
      },
    ],
  },
  {
    id: "F04",
    promise: "One refusal, or two, send nobody back to sign in: only three spread-out ones are believed.",
    proofs: [
      {
        file: ANSWERS,
        title: "(F04)",
        without: {
          guard: "the third refusal, which alone is believed",
          file: "src/domain/refresh-failure.ts",
          replace: "const REFUSALS_TO_BELIEVE = 3;",
          by: "const REFUSALS_TO_BELIEVE = 2;",
        },
      },
      {
        file: GATE,
        title:
          "is believed dead after three refusals spread over two minutes, at three calls, and says so (F04)",
        without: {
          guard: "the minute between two refusals of one grant",
          file: "src/domain/refresh-failure.ts",
          replace: "return verdict(seconds(61), {",
          by: "return verdict(seconds(1), {",
        },
      },
      {
        file: "test/domain/refresh-failure.test.ts",
        title: "(F04)",
        without: {
          guard: "the two minutes over which refusals must be spread",
          file: "src/domain/refresh-failure.ts",
          replace: "now - history.firstAt >= REFUSALS_SPREAD_MS",
          by: "true",
        },
      },
    ],
  },
  {
    id: "F05",
    promise:
      "A server that refuses many at once is to blame itself: no grant is marked, and it is over soon after.",
    proofs: [
      {
        file: GATE,
        title: "half an hour of invalid_grant for everyone",
        full: { GATE_GRANTS: "10000" },
        without: {
          guard: "the mass guard",
          file: "src/store/lua/gate.lua",
          replace: "grants >= MASS_GRANTS and refusals >= MASS_SHARE * answered",
          by: "false",
        },
      },
      {
        file: GATE,
        title: "a part of a server refuses whom it serves while the rest answers well: none is marked (F05)",
        without: {
          guard: "good answers to others end no grant's protection",
          file: "src/store/lua/gate.lua",
          replace: "redis.call('ZREM', key .. ':refused', grant)\n",
          by: "redis.call('DEL', key .. ':refused')\n",
        },
      },
      {
        file: GATE,
        title: "a part of a server refuses whom it serves while the rest answers well: none is marked (F05)",
        without: {
          guard: "the patience with a server of which a part is broken",
          file: "src/store/lua/refresh-fail.lua",
          replace: "elseif blamed and now - blamed_at < MASS_PATIENCE_MS then",
          by: "elseif false then",
        },
      },
    ],
  },
  {
    id: "F06",
    promise: "A wrong client secret marks no grant, costs few calls, and is over within a minute of the fix.",
    proofs: [
      {
        file: GATE,
        title:
          "grants marks none, costs at most 50 calls in ten minutes, and is over within a minute of the fix (F06)",
        full: { GATE_GRANTS: "10000" },
        without: {
          guard: "closing the gate to a registration that is refused",
          file: "src/store/lua/gate.lua",
          replace: "open_gate(key, now, 'misconfigured', PROBE_MS)",
          by: "",
        },
      },
      {
        file: "test/domain/refresh-failure.test.ts",
        title: "(F06)",
        without: {
          guard: "invalid_client is no verdict on the grant",
          file: "src/domain/refresh-failure.ts",
          replace: 'return verdict(seconds(1), { problem: "client_secret_refused" });',
          by: 'return verdict(seconds(1), { problem: "client_secret_refused", state: "suspect" });',
        },
      },
    ],
  },
  {
    id: "F07",
    promise: "A server that asks for time is left alone for that long by everybody, however it says so.",
    proofs: [
      {
        file: ANSWERS,
        title: "(F07)",
        without: {
          guard: "the pause that all replicas share",
          file: "src/store/lua/gate.lua",
          replace: "if g[4] and tonumber(g[4]) > now then return 'throttled', tonumber(g[4]) - now end",
          by: "",
        },
      },
      {
        file: "test/store/call-budget.test.ts",
        title: "a 429 holds everyone until its time is over, and not longer (F07)",
        without: {
          guard: "the pause that holds calls of the REST API",
          file: "src/store/lua/calls.lua",
          replace: "if g[1] and tonumber(g[1]) > now then return nil, tonumber(g[1]) - now, 'throttled' end",
          by: "",
        },
      },
      {
        file: "test/store/call-budget.test.ts",
        title: "a 429 holds everyone until its time is over, and not longer (F07)",
        without: {
          guard: "nobody cuts a pause short",
          file: "src/store/lua/gate.lua",
          replace: "math.max(tonumber(redis.call('HGET', key, 'pause_until') or '0'), now + ms)",
          by: "now + ms",
        },
      },
      {
        file: ANSWERS,
        title: "(F07)",
        without: {
          guard: "iManage's own name for Retry-After",
          file: "src/outbound/retry-after.ts",
          replace: '[headers["retry-after"], headers["x-ratelimit-retryafter"]]',
          by: '[headers["retry-after"]]',
        },
      },
    ],
  },
  {
    id: "F08",
    promise: "A storm of 503 is met with few probes, and tokens that live are handed out as ever.",
    proofs: [
      {
        file: GATE,
        title: "the breaker opens, probes stay few, and tokens that live are handed out as ever (F08)",
        full: { GATE_GRANTS: "5000" },
        without: {
          guard: "the circuit breaker",
          file: "src/store/lua/gate.lua",
          replace: "if fails >= FAILS_TO_OPEN then",
          by: "if false then",
        },
      },
    ],
  },
  {
    id: "F09",
    promise: "However slow iManage is, callers are answered in time and no answer of its is given up.",
    proofs: [
      {
        file: REFRESHES,
        title: "(F09)",
        full: { FAULT_SLOW_REFRESHES: "2500" },
        without: {
          guard:
            "the deadline at iManage, which is not the callers' (here: of 13 s, at fifty times the speed)",
          file: "src/domain/access-policy.ts",
          replace: "providerDeadlineMs: seconds(60),",
          by: "providerDeadlineMs: seconds(13 / 50),",
        },
      },
      {
        file: "test/race/holder-killed.test.ts",
        title: "(F09)",
        without: {
          guard: "the callers' own deadline",
          file: "src/domain/access-policy.ts",
          replace: "callerDeadlineMs: seconds(10),",
          by: "callerDeadlineMs: seconds(13),",
        },
      },
    ],
  },
  {
    id: "F10",
    promise: "A refresh token is kept when none, the same or a new one comes back.",
    proofs: [
      {
        file: ANSWERS,
        title: "(F10)",
        without: {
          guard: "the old token stays where none came",
          file: "src/store/lua/refresh-commit.lua",
          replace: "if ARGV[6] ~= '' then\n    redis.call('HSET', key, 'rt', ARGV[6]",
          by: "if true then\n    redis.call('HSET', key, 'rt', ARGV[6]",
        },
      },
    ],
  },
  {
    id: "F11",
    promise: "Whatever expires_in says, a token is believed to live between 30 seconds and a day.",
    proofs: [
      {
        file: ANSWERS,
        title: "(F11)",
        without: {
          guard: "the clamp of a life that was named",
          file: "src/imanage/read-token-answer.ts",
          replace: "Math.min(LIFE_MAX_MS, Math.max(LIFE_MIN_MS, seconds(given)))",
          by: "seconds(given)",
        },
      },
      {
        file: ANSWERS,
        title: "(F11)",
        without: {
          guard: "five minutes where no life was named",
          file: "src/imanage/read-token-answer.ts",
          replace: "return LIFE_DEFAULT_MS;",
          by: "return LIFE_MAX_MS;",
        },
      },
    ],
  },
  {
    id: "F12",
    promise: "However many report the same refused token, it is refreshed once.",
    proofs: [
      {
        file: REFRESHES,
        title: "(F12)",
        without: {
          guard: "the lease",
          file: "src/store/lua/refresh-begin.lua",
          replace: "if g[7] and tonumber(g[8]) > now then return { 'held', tonumber(g[8]) - now } end",
          by: "",
        },
      },
      {
        file: REFRESHES,
        title: "(F12)",
        without: {
          guard: "the minute between two refreshes that reports cause",
          file: "src/store/lua/vend.lua",
          replace: "if again > 0 and not under_way then",
          by: "if false then",
        },
      },
    ],
  },
  {
    id: "F13",
    promise:
      "Where a refresh ends the token that others still have, their report brings them the new one and no refresh.",
    proofs: [
      {
        file: REFRESHES,
        title: "(F13)",
        without: {
          guard: "a report is believed of the current token alone",
          file: "src/store/lua/vend.lua",
          replace: "if ARGV[6] ~= '' and ARGV[6] == g[3] then",
          by: "if ARGV[6] ~= '' then",
        },
      },
    ],
  },
  {
    id: "F14",
    promise: "iManage's clock may be a day off: nothing is counted from it.",
    proofs: [
      {
        file: ANSWERS,
        title: "(F14)",
        without: {
          guard: "a date is counted from the moment the server's own clock showed",
          file: "src/outbound/retry-after.ts",
          replace: "date === undefined ? now : (readHttpDate(date) ?? now)",
          by: "now + 0 * (date === undefined ? 0 : 1)",
        },
      },
    ],
  },
  {
    id: "F15",
    promise:
      "A server restored from a backup costs nobody's connection that it still knows, and what is lost is told.",
    proofs: [
      {
        file: REFRESHES,
        title:
          "many grants are refused at once: none is marked, the others go on, and whoever signs in again is well (F15)",
        without: {
          guard: "the mass guard",
          file: "src/store/lua/gate.lua",
          replace: "grants >= MASS_GRANTS and refusals >= MASS_SHARE * answered",
          by: "false",
        },
      },
      {
        file: REFRESHES,
        title:
          "a spare that came late works again and is found without anybody's help; where there is none, the person is told to sign in (F15)",
        without: {
          guard: "the ladder of spares",
          file: "src/store/lua/refresh-fail.lua",
          replace: "if state == 'reauthorization_required' and #spares > 0 and",
          by: "if state == 'never' and #spares > 0 and",
        },
      },
    ],
  },
];
