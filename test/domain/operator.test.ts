import { expect, it } from "vitest";
import { decideOperator, maySee } from "../../src/domain/operator.ts";

const rules = {
  operators: ["dms-operators"],
  queues: ["dms-on-call"],
  support: [
    { value: "emea", organisations: ["meridian", "hartwell"] },
    { value: "night", organisations: ["meridian"] },
  ],
};

it.each([
  [[], undefined],
  [["staff"], undefined],
  [["emea"], { role: "support", organisations: ["meridian", "hartwell"] }],
  [["night", "emea"], { role: "support", organisations: ["meridian", "hartwell"] }],
  [["emea", "dms-operators"], { role: "operator", organisations: "all" }],
  [["dms-on-call", "dms-operators"], { role: "operator", organisations: "all", actsOnQueues: true }],
  // To act on queues is something that an operator may do, and makes nobody one.
  [["dms-on-call"], undefined],
  [["dms-on-call", "night"], { role: "support", organisations: ["meridian"] }],
] as const)("%j", (values, decided) => {
  expect(decideOperator(values, rules)).toEqual(decided);
});

it("support sees only what is named, an operator all", () => {
  expect(["meridian", "other"].map((name) => maySee({ organisations: ["meridian"] }, name))).toEqual([
    true,
    false,
  ]);
  expect(maySee({ organisations: "all" }, "other")).toBe(true);
});
