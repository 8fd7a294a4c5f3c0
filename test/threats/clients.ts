import type { ProvenPromise } from "../kit/promise.ts";

const REJECTED = "test/stories/connect-then-rejected.test.ts";

/** What may be tried by who calls this product: T29 to T35. */
export const clientsThreats: readonly ProvenPromise[] = [
  {
    id: "T29",
    promise: "What belongs to another organisation is not there: the same answer as for nothing.",
    proofs: [],
    open: "only the connect sessions and servers of a client are compared yet, not every route and every id",
  },
  {
    id: "T30",
    promise: "A proof is accepted once, by one of all replicas.",
    proofs: [],
    open: "clients do not authenticate by assertions yet",
  },
  {
    id: "T31",
    promise: "No forged or altered assertion is accepted, and none makes this product fetch anything.",
    proofs: [],
    open: "clients do not authenticate by assertions yet",
  },
  {
    id: "T32",
    promise: "What a client may do is what its policies say, and nothing else.",
    proofs: [],
    open: "the property test against a reference evaluator is not there yet",
  },
  {
    id: "T33",
    promise: "A client that was taken over is stopped by its own limits, and by one command at once.",
    proofs: [],
    open: "there is no budget of distinct grants yet",
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
    ],
    open: "attempts are not limited per client id and address yet (secrets have 256 bits, so trying finds none; it costs time)",
  },
];
