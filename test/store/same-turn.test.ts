import { expect, test } from "vitest";
import type { ServerId } from "../../src/domain/id.ts";
import type { Server } from "../../src/domain/server.ts";
import { oncePerTurn } from "../../src/store/same-turn.ts";

const SERVER = "srv_one" as ServerId;

test("what is asked for within one turn of the loop is read once, what is asked for later is read anew", async () => {
  let name = "before";
  let reads = 0;
  const directory = oncePerTurn({
    async findServer() {
      reads += 1;
      return { name } as Server;
    },
    findRegistration: async () => undefined,
  });
  const first = await Promise.all(Array.from({ length: 6 }, () => directory.findServer(SERVER)));
  expect(first).toEqual(Array.from({ length: 6 }, () => ({ name: "before" })));
  expect(reads).toBe(1);
  await new Promise((resolve) => setImmediate(resolve));
  name = "after";
  expect(await directory.findServer(SERVER)).toEqual({ name: "after" });
  expect(await directory.findServer("srv_other" as ServerId)).toBeDefined();
  expect(reads).toBe(3);
});

test("a read that failed is not what the next turn gets", async () => {
  let fails = true;
  const directory = oncePerTurn({
    async findServer() {
      if (fails) throw new Error("away");
      return { name: "back" } as Server;
    },
    findRegistration: async () => undefined,
  });
  await expect(directory.findServer(SERVER)).rejects.toThrow("away");
  fails = false;
  await new Promise((resolve) => setImmediate(resolve));
  expect(await directory.findServer(SERVER)).toEqual({ name: "back" });
});
