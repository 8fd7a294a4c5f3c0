import { expect, test } from "vitest";
import { importing, OldWriter, usedTwice } from "../kit/importing.ts";
import { world } from "../kit/world.ts";

test("tokens of another system come in and are held, are opened when it has stopped, and serve the application", async () => {
  const here = await world();
  const old = new OldWriter(here);
  for (let i = 0; i < 3; i++) old.connect(i);
  const kit = await importing(here);
  const calls = () => here.simulator.counts().grant_types.refresh_token ?? 0;

  const before = calls();
  const planned = await kit.from("plan", old.json());
  expect(planned).toMatchObject({ code: 0, out: expect.stringContaining("3 will be imported and held.") });
  expect(await kit.status()).toMatchObject({ held: 0 });

  expect((await kit.from("run", old.json())).out).toContain("3 were imported and are held.");
  // Nothing is sent while it is held, whoever asks.
  expect((await kit.token("u-1")).status).toBe(503);
  expect(await kit.work()).toBe(0);
  expect(calls()).toBe(before);
  // The other system goes on meanwhile; what it has refreshed comes in again before it is opened.
  await old.refresh(1);
  expect((await kit.from("open", old.json(), "--yes")).out).toContain("3 authorizations are refreshed here");
  await kit.work();
  expect(await kit.status()).toMatchObject({ held: 0, opened: 0, waiting: [], verified: 3, quarantined: [] });
  expect((await kit.token("u-1")).status).toBe(200);
  expect(usedTwice(here)).toBe(0);
});
