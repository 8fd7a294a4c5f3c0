import type { Fault } from "./fault.ts";

/** What iManage may do: F01 to F15. */
export const providerFaults: readonly Fault[] = [
  {
    id: "F04",
    promise: "One refusal, or two, send nobody back to sign in: only three spread-out ones are believed.",
    proofs: [
      {
        file: "test/domain/refresh-failure.test.ts",
        title: "F04",
        without: {
          guard: "the two minutes over which refusals must be spread",
          file: "src/domain/refresh-failure.ts",
          replace: "now - history.firstAt >= REFUSALS_SPREAD_MS",
          by: "true",
        },
      },
    ],
  },
];
