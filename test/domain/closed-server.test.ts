import { expect, it } from "vitest";
import { describeClosedServer, worthTelling } from "../../src/domain/closed-server.ts";
import { minutes, seconds } from "../../src/domain/instant.ts";

it("a closed server is told of after a minute and then each quarter of an hour, by whoever looks each minute", () => {
  const told: number[] = [];
  for (let at = 0; at <= 60; at += 1) {
    const now = minutes(at) + seconds(7);
    if (worthTelling({ why: "incident", since: 0 }, now, minutes(1))) told.push(at);
  }
  expect(told).toEqual([1, 15, 30, 45, 60]);
});

it.each([
  ["incident", "server_incident", /none is believed to be over.*administrator/],
  ["misconfigured", "client_secret_refused", /operator enters the secret/],
  ["upstream", "imanage_unavailable", /administrator looks whether it is up/],
] as const)("%s: who does what", (why, code, sentence) => {
  const told = describeClosedServer({ why, since: 0 }, minutes(42));
  expect(told.code).toBe(code);
  expect(told.sentence).toMatch(sentence);
  expect(told.sentence).toContain("42 minutes");
});
