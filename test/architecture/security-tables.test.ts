import { describe, expect, it } from "vitest";
import { read } from "./source.ts";

/** How many requirements each section of ASVS 5.0 has that SECURITY.md goes through. */
const SECTIONS: Readonly<Record<string, number>> = {
  ...{ "9.1": 3, "9.2": 4 },
  ...{ "10.1": 2, "10.2": 3, "10.5": 5 },
  ...{ "11.1": 4, "11.2": 5, "11.3": 5, "11.4": 4, "11.5": 2, "11.6": 2, "11.7": 2 },
  ...{ "13.1": 4, "13.2": 6, "13.3": 4, "13.4": 7 },
  ...{ "14.1": 2, "14.2": 8, "14.3": 3 },
  ...{ "16.1": 1, "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 4 },
};
const STATES = ["met", "in part", "not met", "does not apply"];

const rows = read("SECURITY.md")
  .split("\n")
  .filter((line) => /^\| (\d|§)/.test(line))
  .map((line) => line.slice(2, -2).split(" | "))
  .map(([id = "", gist = "", state = "", by = "", ...rest]) => ({ id, gist, state, by, rest }));

const testsIn = (text: string) =>
  [...text.matchAll(/`(test\/[\w/.-]+\.test\.ts)`: “([^”]+)”/g)].map(([, file = "", title = ""]) => ({
    file,
    title,
  }));

describe("the tables in SECURITY.md", () => {
  it("go through every requirement of their chapters, each once", () => {
    const wanted = Object.entries(SECTIONS).flatMap(([section, count]) =>
      Array.from({ length: count }, (_, n) => `${section}.${n + 1}`),
    );
    expect(rows.map(({ id }) => id).filter((id) => /^\d/.test(id))).toEqual(wanted);
    expect(rows.filter(({ id }) => id.startsWith("§")).length).toBeGreaterThan(10);
  });

  it("say of each how it stands: by a test that exists, or in a sentence why not", () => {
    for (const { id, gist, state, by, rest } of rows) {
      expect(rest, id).toEqual([]);
      expect(gist.length, id).toBeGreaterThan(5);
      expect(STATES, id).toContain(state);
      if (state === "met") expect(testsIn(by), id).not.toEqual([]);
      else expect(by.replaceAll(/`test\/[^”]+”/g, "").trim().length, `${id} says why`).toBeGreaterThan(10);
    }
  });

  const named = rows.flatMap(({ id, by }) => testsIn(by).map((test) => ({ id, ...test })));
  it.each(named)("$id: $file has a test “$title”", ({ file, title }) => {
    expect(read(file)).toContain(title);
  });
});
