import { expect, test } from "vitest";
import { PROBLEMS, type ProblemCode } from "../../src/domain/problem-catalogue.ts";
import { syncWait } from "../../src/domain/sync-wait.ts";

test("a parked sync sends nobody through a connect session: a library is authorised elsewhere, by its admin", () => {
  for (const code of Object.keys(PROBLEMS) as ProblemCode[]) {
    const wait = syncWait(code);
    expect([wait.code, wait.remedy]).toEqual([code, PROBLEMS[code].remedy]);
    if (/_?authorization_required$/.test(code)) {
      expect(wait.action).toContain("A library admin");
      expect(wait.action).not.toContain("connect session");
    } else expect(wait).toMatchObject({ title: PROBLEMS[code].title, action: PROBLEMS[code].action });
  }
});
