import { expect, it } from "vitest";
import { PROBLEMS, PROBLEMS_BY_TOPIC } from "../../src/domain/problem-catalogue.ts";

it("no code stands under two topics, where the later would replace the earlier in silence", () => {
  expect(PROBLEMS_BY_TOPIC.flatMap((topic) => Object.keys(topic))).toEqual(Object.keys(PROBLEMS));
});
