import { expect, it } from "vitest";
import { expectProblem } from "../kit/connecting.ts";
import { AMELIA, type World, world } from "../kit/world.ts";

/** In each of four minutes; the whole count is for `npm run verify:threats`. */
const REPORTS = Number(process.env.THREAT_REPORTS ?? 100);

const SUBJECT = { type: "user", id: AMELIA.subject };
const refreshes = ({ simulator }: World): number => simulator.counts().grant_types.refresh_token ?? 0;
const report = ({ client, server }: World, rejected: string) =>
  client.accessToken({ server, subject: SUBJECT, rejected });

it("T34 six hundred reports of a rejected token cause one refresh, and all get the token that it brought", async () => {
  const built = await world();
  await built.connect();
  const { body: first } = await built.client.accessToken({ server: built.server, subject: SUBJECT });
  const answers = [];
  for (let batch = 0; batch < 6; batch++)
    answers.push(...(await Promise.all(Array.from({ length: 100 }, () => report(built, first.fingerprint)))));
  expect(refreshes(built)).toBe(1);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  const tokens = new Set(answers.map(({ body }) => body.access_token));
  expect(tokens.size).toBe(1);
  expect(tokens).not.toContain(first.access_token);
});

it("T34 whoever says of every token that it was rejected causes one refresh a minute, and is told how long to wait", async () => {
  const built = await world();
  await built.connect();
  let { body: current } = await built.client.accessToken({ server: built.server, subject: SUBJECT });
  for (let minute = 1; minute <= 4; minute++) {
    const fresh = await report(built, current.fingerprint);
    expect(fresh.status).toBe(200);
    current = fresh.body;
    const stormed = [];
    for (let at = 0; at < REPORTS; at += 100)
      stormed.push(
        ...(await Promise.all(Array.from({ length: 100 }, () => report(built, current.fingerprint)))),
      );
    for (const refused of stormed) {
      expectProblem(refused, "token_rejected_again");
      const seconds = Number(refused.headers.get("retry-after"));
      expect(seconds).toBeGreaterThan(50);
      expect(seconds).toBeLessThanOrEqual(60);
    }
    expect(refreshes(built)).toBe(minute);
    // Who does not complain is served all the while.
    const quiet = await built.client.accessToken({ server: built.server, subject: SUBJECT });
    expect(quiet.body.access_token).toBe(current.access_token);
    built.advance(60_000);
  }
});

it("T34 reports while iManage fails are no more calls than one a minute", async () => {
  const built = await world();
  await built.connect();
  const { body } = await built.client.accessToken({ server: built.server, subject: SUBJECT });
  built.simulator.addFault({ on: { route: "token" }, times: "always", do: { answer: { status: 503 } } });
  for (let second = 0; second < 180; second += 3) {
    const answers = await Promise.all([report(built, body.fingerprint), report(built, body.fingerprint)]);
    for (const { status } of answers) expect(status).toBe(503);
    built.advance(3_000);
  }
  expect(refreshes(built)).toBe(3);
});

it("T34 a fingerprint that is nobody's, or of an earlier token, causes no refresh", async () => {
  const built = await world();
  await built.connect();
  const { body: first } = await built.client.accessToken({ server: built.server, subject: SUBJECT });
  for (let n = 0; n < 20; n++) {
    const answer = await report(built, `${String(n).padStart(2, "0")}${"A".repeat(20)}`);
    expect(answer.body.access_token).toBe(first.access_token);
  }
  expect(refreshes(built)).toBe(0);
  const { body: second } = await report(built, first.fingerprint);
  for (let n = 0; n < 20; n++)
    expect((await report(built, first.fingerprint)).body.access_token).toBe(second.access_token);
  expect(refreshes(built)).toBe(1);
  expectProblem(await report(built, "not a fingerprint"), "invalid_request");
});

it("T34 a token that iManage really ended is replaced by the report, and the next one works", async () => {
  const built = await world();
  await built.connect();
  const { body } = await built.client.accessToken({ server: built.server, subject: SUBJECT });
  await fetch(`${built.simulator.origin}/auth/logout`, { headers: { "X-Auth-Token": body.access_token } });
  const { body: next } = await report(built, body.fingerprint);
  const api = await fetch(`${next.api_base_url}/api`, { headers: { "X-Auth-Token": next.access_token } });
  expect(await api.json()).toMatchObject({ data: { auth_status: "authenticated" } });
});
