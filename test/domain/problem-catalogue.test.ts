import { expect, it } from "vitest";
import { PROBLEMS, PROBLEMS_BY_TOPIC, problemTables } from "../../src/domain/problem-catalogue.ts";
import { read } from "../architecture/source.ts";

it("no code stands under two topics, where the later would replace the earlier in silence", () => {
  expect(PROBLEMS_BY_TOPIC.flatMap((topic) => Object.keys(topic))).toEqual(Object.keys(PROBLEMS));
});

it("the README's tables of problem codes are the catalogue's own, each code once with who acts and how", () => {
  expect(read("src/http/README.md")).toContain(problemTables());
  const rows = [...problemTables().matchAll(/^\| `(\w+)` \| (\d+) \| ([\w-]+) \| (.+?) \| (.+?) \|/gm)];
  expect(rows.map(([, code]) => code)).toEqual(Object.keys(PROBLEMS));
  expect(rows.filter(([, , , , , action]) => action!.length < 10).map(([, code]) => code)).toEqual([]);
});
