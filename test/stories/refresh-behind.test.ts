import { expect, it } from "vitest";
import { days, minutes, seconds } from "../../src/domain/instant.ts";
import { AMELIA, type World, world } from "../kit/world.ts";

/** A grant whose token has entered the last fifth of its life, and how to ask for it. */
async function ageing(here: World) {
  await here.connect();
  const ask = () =>
    here.client.accessToken({ server: here.server, subject: { type: "user", id: AMELIA.subject } });
  const first = (await ask()).body.fingerprint;
  here.advance(minutes(25) + seconds(1));
  return { ask, first };
}

const refreshes = (here: World) => here.simulator.counts().grant_types.refresh_token ?? 0;
const learned = (here: World) => here.broker.profiles.findProfile(here.server);
/** Nothing runs any more behind answers that were given. */
async function quiet(here: World): Promise<void> {
  await here.broker.refresher.settled();
  await here.broker.previousTokens.settled();
}

it("a token that is about to end is replaced before it is handed out, as long as nobody knows whether it would outlive that", async () => {
  const here = await world();
  here.simulator.setSwitches({ old_access_token: "dies" });
  const { ask, first } = await ageing(here);
  const answers = await Promise.all(Array.from({ length: 20 }, ask));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  expect(answers.map(({ body }) => body.fingerprint)).not.toContain(first);
  expect(refreshes(here)).toBe(1);
  await quiet(here);
  expect(await learned(here)).toMatchObject({ previousAccessTokens: { value: "end" } });
});

it("where the token of before is seen to survive, it is served at once and refreshed behind; that is asked once", async () => {
  const here = await world();
  here.simulator.setSwitches({ old_access_token: "survives" });
  const { ask, first } = await ageing(here);
  const second = (await ask()).body.fingerprint;
  expect(second).not.toBe(first);
  await quiet(here);
  expect(await learned(here)).toMatchObject({ previousAccessTokens: { value: "survive" } });
  const asked = () => here.simulator.requests(0).filter(({ path }) => path === "/api").length;
  const askedAtFirst = asked();

  here.advance(minutes(25) + seconds(1));
  expect((await ask()).body.fingerprint).toBe(second);
  await quiet(here);
  expect((await ask()).body.fingerprint).not.toBe(second);
  expect(refreshes(here)).toBe(2);
  expect(asked()).toBe(askedAtFirst);
});

it("nobody waits longer than two seconds for a better token than the one that still lives", async () => {
  const here = await world();
  const { ask, first } = await ageing(here);
  here.simulator.addFault({ on: { route: "token" }, do: { hold_before: true } });
  const startedAt = performance.now();
  const answer = await ask();
  expect(performance.now() - startedAt).toBeGreaterThan(1_900);
  expect(answer).toMatchObject({ status: 200, body: { fingerprint: first } });
  here.simulator.clearFaults();
  await quiet(here);
  expect((await ask()).body.fingerprint).not.toBe(first);
  expect(refreshes(here)).toBe(1);
});

it("an operator who knows better pins it, and the server is not asked", async () => {
  const here = await world({ serverSettings: { previousAccessTokens: "survive" } });
  here.simulator.setSwitches({ old_access_token: "survives" });
  const { ask, first } = await ageing(here);
  const asked = here.simulator.requests(0).filter(({ path }) => path === "/api").length;
  // The first refresh takes the pin along.
  expect((await ask()).body.fingerprint).not.toBe(first);
  await quiet(here);
  expect(await learned(here)).toMatchObject({ previousAccessTokens: { value: "survive" } });
  expect(here.simulator.requests(0).filter(({ path }) => path === "/api")).toHaveLength(asked);
});

it("what was learned is asked again after a week: an administrator may have changed it", async () => {
  const here = await world();
  here.simulator.setSwitches({ old_access_token: "survives" });
  const { ask } = await ageing(here);
  await ask();
  await quiet(here);
  here.simulator.setSwitches({ old_access_token: "dies" });
  here.advance(days(8));
  await ask();
  await quiet(here);
  here.advance(minutes(25) + seconds(1));
  await ask();
  await quiet(here);
  expect(await learned(here)).toMatchObject({ previousAccessTokens: { value: "end" } });
});
