import type { ProvenPromise } from "../kit/promise.ts";

const REJECTED = "test/stories/connect-then-rejected.test.ts";

/** What may be tried by who calls this product: T29 to T35. */
export const clientsThreats: readonly ProvenPromise[] = [
  {
    id: "T29",
    promise: "What belongs to another organisation is not there: the same answer as for nothing.",
    proofs: [
      {
        file: "test/http/other-organisations.test.ts",
        title: "T29: whatever id is sent to whatever route",
        without: {
          guard: "an id that can be nobody's is answered as one that is nobody's",
          file: "src/http/read-request.ts",
          replace: "if (read.error.issues.every(namesNothing))",
          by: "if (read.error.issues.length === 0)",
        },
      },
      {
        file: "test/http/other-organisations.test.ts",
        title: "T29: for another firm's id the store is asked the same questions",
        without: {
          guard: "the policy is looked at before the server",
          file: "src/broker/access/provide-access-token.ts",
          replace: "if (policy === undefined) throw",
          by: "if (policy === null) throw",
        },
      },
    ],
  },
  {
    id: "T30",
    promise: "A proof is accepted once, by one of all replicas.",
    proofs: [
      {
        file: "test/race/assertion-replay.test.ts",
        title: "times at several brokers at once is taken exactly once (T30)",
        full: { TEST_REPLAYS: "10000", TEST_REPLAY_PROCESSES: "4" },
        without: {
          guard: "a jti is the first one's alone",
          file: "src/store/redis-proof-store.ts",
          replace: 'return first === "OK";',
          by: "return first !== undefined;",
        },
      },
      {
        file: "test/race/assertion-replay.test.ts",
        title:
          "while Redis is away no assertion is taken, and one that was used stays used when it is back (T30)",
        without: {
          guard: "what cannot be noted is not taken",
          file: "src/broker/clients/authenticate-by-assertion.ts",
          replace: "rememberUseMs(form.expiresAt, clock.now()))",
          by: "rememberUseMs(form.expiresAt, clock.now())).catch(() => true)",
        },
      },
    ],
  },
  {
    id: "T31",
    promise: "No forged or altered assertion is accepted, and none makes this product fetch anything.",
    proofs: [
      {
        file: "test/stories/assertions-forged.test.ts",
        title: "forged assertions none is taken, and nothing is fetched for any (T31)",
        full: { TEST_FORGERIES: "50000" },
        without: {
          guard: "one signature has one spelling",
          file: "src/security/client-assertions.ts",
          replace: "parts.map((part) => decodeBase64url(part))",
          by: 'parts.map((part) => Buffer.from(part, "base64url"))',
        },
      },
      {
        file: "test/stories/published-keys.test.ts",
        title:
          "is never followed elsewhere: not by a redirect, not by what an assertion's header names (T14, T31)",
        without: {
          guard: "an assertion that brings a key along is refused",
          file: "src/domain/client-assertion.ts",
          replace: "KEYS_IN_HEADER.some((name) => name in header)",
          by: "false",
        },
      },
    ],
  },
  {
    id: "T32",
    promise: "What a client may do is what its policies say, and nothing else.",
    proofs: [
      {
        file: "test/domain/policy.test.ts",
        title: "T32: the evaluator and a second one that shares nothing with it agree on",
        full: { POLICY_CASES: "100000" },
        without: {
          guard: "the end of a rule",
          file: "src/domain/policy.ts",
          replace: 'if (rule.validUntil !== undefined && rule.validUntil <= now) no("expired");',
          by: "",
        },
      },
      {
        file: "test/domain/policy.test.ts",
        title: "T32: the evaluator and a second one that shares nothing with it agree on",
        without: {
          guard: "who vouches for a person, beside his name",
          file: "src/domain/policy.ts",
          replace: "issuer === subject.issuer && id === subject.id",
          by: "id === subject.id",
        },
      },
      {
        file: "test/domain/policy.test.ts",
        title: "T32: the evaluator and a second one that shares nothing with it agree",
        without: {
          guard: "a rule holds for the users and libraries that it names",
          file: "src/domain/policy.ts",
          replace: "if (asked.subject !== undefined && !names(rule, asked.subject)) no(asked.subject.type);",
          by: "",
        },
      },
      {
        file: "test/stories/policy.test.ts",
        title: "T32: holds at the token",
        without: {
          guard: "the policy is asked with the address from which the client calls",
          file: "src/broker/access/provide-access-token.ts",
          replace: 'address: action === "sync" ? undefined : (note.address ?? ""),',
          by: "address: undefined,",
        },
      },
    ],
  },
  {
    id: "T33",
    promise: "A client that was taken over is stopped by its own limits, and by one command at once.",
    proofs: [
      {
        file: "test/stories/policy.test.ts",
        title: "T33: a client that walks",
        full: { POLICY_GRANTS: "1000" },
        without: {
          guard: "the budget of distinct grants an hour",
          file: "src/store/lua/vend.lua",
          replace:
            "if over >= 0 and tonumber(redis.call('ZSCORE', budget_key, grant) or '0') <= now - hour then",
          by: "if false then",
        },
      },
      {
        file: "test/race/kill-switch.test.ts",
        title: "are less than a second, and lifting it works at once (T33)",
        full: { TEST_KILL_SWITCH_PROCESSES: "4", TEST_KILL_SWITCH_ROUNDS: "10" },
        without: {
          guard: "the script that hands out a token asks what is stopped",
          file: "src/store/lua/vend.lua",
          replace: "if stopped then return { 'contained', stopped, by } end",
          by: "",
        },
      },
    ],
  },
  {
    id: "T34",
    promise: "However often clients say that a token was refused, iManage is asked once a minute.",
    proofs: [
      {
        file: REJECTED,
        title: "T34 whoever says of every token that it was rejected causes one refresh a minute",
        full: { THREAT_REPORTS: "2500" },
        without: {
          guard: "the minute between two refreshes that reports cause",
          file: "src/store/lua/vend.lua",
          replace: "if again > 0 and not under_way then",
          by: "if false then",
        },
      },
      {
        file: REJECTED,
        title: "T34 a fingerprint that is nobody's, or of an earlier token, causes no refresh",
        without: {
          guard: "a report is believed of the current token alone",
          file: "src/store/lua/vend.lua",
          replace: "if ARGV[6] ~= '' and ARGV[6] == g[3] then",
          by: "if ARGV[6] ~= '' then",
        },
      },
      {
        file: REJECTED,
        title: "T34 six hundred reports of a rejected token cause one refresh",
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
    id: "T35",
    promise: "A secret is not found by trying, and trying locks nobody out.",
    proofs: [
      {
        file: "test/security/client-secrets.test.ts",
        title: "T35: every live secret is compared in constant time, whichever fits",
        without: {
          guard: "no early way out of the comparison",
          file: "src/security/client-secrets.ts",
          replace: "if (equalInConstantTime(mac(key, candidate), stored)) matched = true;",
          by: "if (equalInConstantTime(mac(key, candidate), stored)) return true;",
        },
      },
      {
        file: "test/security/client-secrets.test.ts",
        title: "T35: the checksum rejects every typo of one letter and every swap of neighbours",
        without: {
          guard: "the checksum",
          file: "src/security/client-secrets.ts",
          replace: "return checksum(text.slice(0, -CHECKSUM_LENGTH)) === text.slice(-CHECKSUM_LENGTH);",
          by: "return true;",
        },
      },
      {
        file: "test/stories/wrong-proofs.test.ts",
        title: "guesses at a client's secret (T35)",
        full: { TEST_GUESSES: "100000" },
        without: {
          guard: "who fails too often is not looked at",
          file: "src/broker/clients/authenticate-client.ts",
          replace: "failedProofs.refuseWhileStopped(id, origin);",
          by: "",
        },
      },
    ],
  },
];
