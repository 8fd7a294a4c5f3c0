import { expect, test } from "vitest";
import { PROBLEMS, type ProblemCode } from "../../src/domain/problem-catalogue.ts";
import { remedyFor } from "../../src/pages/remedy.ts";
import type { RemedyFacts } from "../../src/pages/texts.en.ts";

const facts: RemedyFacts = {
  application: undefined,
  registeredBy: undefined,
  shared: false,
  redirectUri: undefined,
  support: "it-help@firm.example",
};

test.each(Object.keys(PROBLEMS) as ProblemCode[])(
  "%s tells a person who does what, in whole sentences",
  (code) => {
    for (const shared of [false, true])
      for (const application of [undefined, "Matter Checklists"]) {
        const { title, who, action } = remedyFor(code, { ...facts, shared, application });
        for (const text of [title, action]) expect(text).toMatch(/^(iManage|[A-Z*]).*([.)]|https?:\S+)$/);
        expect(who).not.toBe("");
        expect(`${who} ${action}`).not.toMatch(/undefined|Retry-After|connect session/);
        expect(action.split("*").length % 2, "an emphasis that stays open").toBe(1);
      }
  },
);

test("the expiry that ends codes too early is named with the value that mends it", () => {
  const { action } = remedyFor("code_expired_at_imanage", facts);
  expect(action).toContain("set *Work Token Grant Expiry* to at least *30 seconds*");
});

test("a refused sign-in shows the very Redirect URL that has to be registered", () => {
  const redirectUri = "https://broker.example/oauth2/callback/reg_1";
  expect(remedyFor("authorization_refused", { ...facts, redirectUri }).action).toContain(
    `exactly ${redirectUri}`,
  );
});

test("what is registered once for many firms is not looked for in the firm's Control Center", () => {
  for (const code of ["refresh_token_missing", "authorization_refused", "user_not_in_access"] as const) {
    const { who, action } = remedyFor(code, { ...facts, shared: true });
    expect(who).toBe("The operator of this service");
    expect(action).toContain("it-help@firm.example");
  }
});
