import { describe, expect, it } from "vitest";
import { days, seconds } from "../../src/domain/instant.ts";
import { codeLifeOf, decidePreviousTokenCheck } from "../../src/domain/server-profile.ts";

const NOW = 1_000 * days(1);
const learned = <T>(value: T, ago = 0) => ({ value, at: NOW - ago });

describe("what is known of access tokens from before a refresh", () => {
  it.each([
    ["unknown", undefined, "ask"],
    ["unknown", learned("survive" as const), "nothing"],
    ["unknown", learned("end" as const, days(6)), "nothing"],
    ["unknown", learned("survive" as const, days(7)), "ask"],
    ["survive", undefined, "pin"],
    ["survive", learned("end" as const), "pin"],
    ["end", learned("end" as const), "nothing"],
    ["end", learned("end" as const, days(7)), "pin"],
  ] as const)("pinned %s, learned %j: %s", (previousAccessTokens, known, todo) => {
    expect(decidePreviousTokenCheck({ previousAccessTokens }, { previousAccessTokens: known }, NOW)).toBe(
      todo,
    );
  });
});

describe("how long a code lives", () => {
  it.each([
    [undefined, 30],
    [learned(seconds(12)), 12],
    [learned(seconds(40)), 30],
    [learned(seconds(12), days(7)), 30],
  ])("set to 30 s, one came too late %j: %i s", (codeLifeMs, life) => {
    expect(codeLifeOf({ codeLifeMs: seconds(30) }, { codeLifeMs }, NOW)).toBe(seconds(life));
  });
});
