import { expect, it, vi } from "vitest";
import { CLIENT_AGE_MAX_MS, RecentClients } from "../../../src/broker/clients/recent-clients.ts";
import type { Client } from "../../../src/domain/client.ts";
import type { ClientId } from "../../../src/domain/id.ts";

const id = "cli_one" as ClientId;

function setUp() {
  let nowMs = 0;
  const stored: { standing: { state: Client["state"]; generation: number } | undefined } = {
    standing: { state: "active", generation: 1 },
  };
  const findStanding = vi.fn(async () => stored.standing);
  const findClient = vi.fn(async () => undefined);
  const pass = (ms: number) => {
    nowMs += ms;
  };
  const recent = new RecentClients({ findClient, findStanding }, { monotonicMs: () => nowMs });
  return { recent, stored, findStanding, findClient, pass };
}

it("a client that was stopped, and of which no announcement arrives, is let in for less than a second", async () => {
  const { recent, stored, pass } = setUp();
  await recent.findStanding(id);
  stored.standing = { state: "stopped", generation: 1 };
  pass(CLIENT_AGE_MAX_MS - 1);
  expect(await recent.findStanding(id)).toMatchObject({ state: "active" });
  pass(1);
  expect(await recent.findStanding(id)).toMatchObject({ state: "stopped" });
  expect(CLIENT_AGE_MAX_MS).toBeLessThan(1_000);
});

it("what is remembered counts from when it was asked for, however long the answer took", async () => {
  const { recent, findStanding, pass } = setUp();
  const answer = Promise.withResolvers<{ state: "active"; generation: number }>();
  findStanding.mockReturnValueOnce(answer.promise);
  const first = recent.findStanding(id);
  pass(CLIENT_AGE_MAX_MS - 1);
  answer.resolve({ state: "active", generation: 1 });
  await first;
  pass(1);
  await recent.findStanding(id);
  expect(findStanding).toHaveBeenCalledTimes(2);
});

it("however many ask at once, the store is asked once; and what it failed to say is asked again", async () => {
  const { recent, findStanding } = setUp();
  findStanding.mockRejectedValueOnce(new Error("away"));
  await expect(Promise.all([recent.findStanding(id), recent.findStanding(id)])).rejects.toThrow("away");
  expect(findStanding).toHaveBeenCalledTimes(1);
  expect(await recent.findStanding(id)).toMatchObject({ generation: 1 });
});

it("nobody is remembered as absent", async () => {
  const { recent, findClient } = setUp();
  await recent.findClient(id);
  await recent.findClient(id);
  expect(findClient).toHaveBeenCalledTimes(2);
});

it("a read that was under way when a change was announced is not remembered", async () => {
  const { recent, findStanding } = setUp();
  const older = Promise.withResolvers<{ state: "active"; generation: number }>();
  findStanding.mockReturnValueOnce(older.promise);
  const reading = recent.findStanding(id);
  recent.forget(id);
  older.resolve({ state: "active", generation: 0 });
  await reading;
  expect(await recent.findStanding(id)).toMatchObject({ generation: 1 });
});
