import { expect, it } from "vitest";
import { eachInTurn } from "../../src/broker/each-in-turn.ts";

it("what fails for one firm keeps no other from its turn, and is told in the end", async () => {
  const done: number[] = [];
  const work = eachInTurn([1, 2, 3, 4], async (firm) => {
    if (firm % 2 === 0) throw new Error(`firm ${firm}`);
    done.push(firm);
  });
  await expect(work).rejects.toThrow("firm 2");
  expect(done).toEqual([1, 3]);
  await expect(eachInTurn([], () => Promise.reject(new Error("never")))).resolves.toBeUndefined();
});
