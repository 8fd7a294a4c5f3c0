import { describe, expect, it, vi } from "vitest";
import { isOpen, isTimeZone } from "../../src/domain/policy-hours.ts";

describe("names of time zones", () => {
  it("that are only judged are kept nowhere: anybody may send as many spellings as he likes", () => {
    const made = vi.spyOn(Intl, "DateTimeFormat");
    const spellings = ["Europe/London", "europe/london", "EUROPE/LONDON", "eUROPE/lONDON"];
    for (const name of spellings) expect(isTimeZone(name)).toBe(true);
    expect(isTimeZone("Europe/Nowhere")).toBe(false);
    made.mockClear();
    // What is made for a policy that is stored is made once, and was not there before.
    const hours = { timeZone: "eUROPE/lONDON", weekdays: [1, 2, 3, 4, 5, 6, 7], fromMinute: 0, toMinute: 0 };
    for (let day = 0; day < 3; day++) isOpen(hours, day * 86_400_000);
    expect(made).toHaveBeenCalledTimes(1);
    made.mockRestore();
  });
});
