import { expect, test } from "vitest";
import { Problem } from "../../src/domain/problem.ts";
import { Secret } from "../../src/domain/secret.ts";
import type { Sync, SyncToken, SyncTokenRequest } from "../../src/sync/ports.ts";
import { LibraryCalls } from "../../src/sync/read-library.ts";
import { identities } from "./kit.ts";

function calls(refuse: (n: number) => Problem | undefined = () => undefined) {
  const ids = identities();
  const sync = { ...ids, id: "syn_test", library: "ACTIVE" } as unknown as Sync;
  const asked: SyncTokenRequest[] = [];
  let nowMs = 0;
  const standing: { state: "active" | "stopped" } = { state: "active" };
  const library = new LibraryCalls({
    clock: { now: () => nowMs, monotonicMs: () => nowMs },
    clients: {
      findStanding: async () => ({ state: standing.state, generation: 1 }),
      findPolicy: async () => ({ policy: undefined, generation: 1, mark: "" }),
    },
    documents: undefined as never,
    accessToken: async (request) => {
      asked.push(request);
      const problem = refuse(asked.length);
      if (problem !== undefined) throw problem;
      return {
        accessToken: new Secret(`at-${asked.length}`),
        fingerprint: `fp-${asked.length}`,
      } as SyncToken;
    },
  });
  const used: string[] = [];
  const call = (sequence: number, answers: readonly ("ok" | "unauthorized")[] = ["ok"]) => {
    const left = [...answers];
    return library.call(sync, sequence, async ({ accessToken }) => {
      used.push(accessToken.reveal());
      return left.shift() === "ok" ? { kind: "ok", value: 1 } : { kind: "unauthorized" };
    });
  };
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { call, prepare: (n: number) => library.prepare(sync, n), asked, used, pass, standing };
}

test("the token of the next page is asked for while this one is under way, in that page's name, and used for it alone", async () => {
  const kit = calls();
  kit.prepare(2);
  kit.pass(1_000);
  await kit.call(2);
  await kit.call(3);
  expect(kit.used).toEqual(["at-1", "at-2"]);
  expect(kit.asked.map(({ note }) => note.requestId)).toEqual(["syn_test/2", "syn_test/3"]);
});

test("a token that was asked for more than a second ago is not one of this moment: another is asked for", async () => {
  const kit = calls();
  kit.prepare(2);
  kit.pass(1_001);
  await kit.call(2);
  expect(kit.used).toEqual(["at-2"]);
});

test("a token for another page is not taken", async () => {
  const kit = calls();
  kit.prepare(2);
  await kit.call(4);
  expect(kit.used).toEqual(["at-2"]);
});

test("a token that is refused ahead is refused when it is that page's turn, and to nobody before", async () => {
  const kit = calls((n) => (n === 1 ? new Problem("not_allowed") : undefined));
  kit.prepare(2);
  await new Promise(setImmediate);
  await expect(kit.call(2)).rejects.toMatchObject({ code: "not_allowed" });
  expect(kit.used).toEqual([]);
});

test("a stopped client is lent nothing, ahead or not", async () => {
  const kit = calls();
  kit.standing.state = "stopped";
  kit.prepare(2);
  await expect(kit.call(2)).rejects.toMatchObject({ code: "not_allowed" });
  await expect(kit.call(3)).rejects.toMatchObject({ code: "not_allowed" });
  expect(kit.used).toEqual([]);
});

test("a token asked for ahead that iManage refuses is reported by its fingerprint and replaced, once", async () => {
  const kit = calls();
  kit.prepare(2);
  await kit.call(2, ["unauthorized", "ok"]);
  expect(kit.used).toEqual(["at-1", "at-2"]);
  expect(kit.asked[1]).toMatchObject({ rejected: "fp-1" });
});
