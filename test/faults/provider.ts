import type { Fault } from "./fault.ts";

const ANSWERS = "test/faults/provider-answers.test.ts";
const GATE = "test/stories/server-gate.test.ts";

/** What iManage may do: F01 to F15. */
export const providerFaults: readonly Fault[] = [
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
        file: ANSWERS,
        title: "(F07)",
        without: {
          guard: "iManage's own name for Retry-After",
          file: "src/imanage/retry-after.ts",
          replace: '[headers["retry-after"], headers["x-ratelimit-retryafter"]]',
          by: '[headers["retry-after"]]',
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
    id: "F14",
    promise: "iManage's clock may be a day off: nothing is counted from it.",
    proofs: [
      {
        file: ANSWERS,
        title: "(F14)",
        without: {
          guard: "a date is counted from the moment the server's own clock showed",
          file: "src/imanage/retry-after.ts",
          replace: "date === undefined ? now : (readHttpDate(date) ?? now)",
          by: "now + 0 * (date === undefined ? 0 : 1)",
        },
      },
    ],
  },
];
