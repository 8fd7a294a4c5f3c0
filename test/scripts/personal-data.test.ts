import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { KEPT_FILE, KEPT_OF_ORGANISATIONS, KEPT_SHARED, keptTables } from "../../scripts/papers/kept.ts";
import { makeId, makeRoute } from "../../src/domain/id.ts";
import * as keys from "../../src/store/keys.ts";
import { queuePrefix } from "../../src/workers/queues.ts";
import { kindOfKey } from "../kit/key-kinds.ts";
import { luaNouns } from "../kit/lua-nouns.ts";
import { ROOT } from "./program.ts";

const route = makeRoute(new Uint8Array(7).fill(3));
const own = makeId("grt", route, 1, new Uint8Array(16).fill(7));
const shared = makeId("ctn", undefined, 1, new Uint8Array(16).fill(9));
const client = makeId("cli", undefined, 1, new Uint8Array(16).fill(5));

/** Whose keys depend on more than that something has an id. A kind that is not here is called with ids alone. */
const CALLED_WITH: Readonly<Record<string, readonly (readonly unknown[])[]>> = {
  ...Object.fromEntries(
    ["auditKey", "auditGateKey", "auditHeadKey"].map((name) => [
      name,
      [[own], ["clients"], ["registrations"], ["queues"]],
    ]),
  ),
  containmentKey: [[own], [shared]],
  containmentGateKey: [[own], [shared]],
  containmentsKey: [[own], [undefined]],
  openContainmentsKey: [[own], [undefined]],
  stopsKey: [[own], [undefined]],
  registrationKey: [[own], [shared]],
  registrationNamesKey: [[own], [undefined]],
  idempotencyKey: [
    [own, client, "x"],
    [undefined, client, "x"],
  ],
  dataKeysKey: [[`o:${route}`], [`s:${shared}`]],
  dataKeyRotationKey: [[`o:${route}`], [`s:${shared}`]],
  deliveryPartKey: ["lanes", "heads", "log", "records", "dead"].map((part) => [own, part]),
  clientKey: [[client]],
  clientOrganisationsKey: [[client]],
  rateKey: [[own, client]],
};

/** Every kind of key that the store names, by the function that makes it. */
function kindsOfStore(): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [name, make] of Object.entries(keys)) {
    if (typeof make !== "function" || !name.endsWith("Key")) continue;
    const call = make as (...args: readonly unknown[]) => string;
    for (const args of CALLED_WITH[name] ?? [Array.from({ length: call.length }, () => own)])
      found.set(kindOfKey(call(...args)), name);
  }
  return found;
}

const listed = { ...KEPT_OF_ORGANISATIONS, ...KEPT_SHARED };

describe("the personal-data sheet", () => {
  it("stands in the papers as it stands in the code", () => {
    expect(readFileSync(join(ROOT, KEPT_FILE), "utf8")).toContain(keptTables());
  });

  it("has a line for every kind of key that the store names", () => {
    const kinds = kindsOfStore();
    expect(kinds.size).toBeGreaterThan(90);
    expect(
      [...kinds].filter(([kind]) => !Object.hasOwn(listed, kind)).map(([kind, made]) => `${made}: ${kind}`),
    ).toEqual([]);
  });

  it("has a line for every kind of key that a script makes of its own", () => {
    const nouns = luaNouns();
    expect(nouns.size).toBeGreaterThan(30);
    const known = new Set(Object.keys(KEPT_OF_ORGANISATIONS).map((kind) => kind.split(":")[0]));
    expect(
      [...nouns].filter(([noun]) => !known.has(noun)).map(([noun, script]) => `${script}: ${noun}`),
    ).toEqual([]);
  });

  it("has no line for what nobody keeps", () => {
    const made = new Set([...kindsOfStore().keys(), kindOfKey(queuePrefix("refresh-grant"))]);
    const nouns = luaNouns();
    const nounOf = (kind: string) => kind.replace(/^\{[^}]*\}/, "").split(":")[0]!;
    const lines = Object.keys(listed).filter((kind) => !made.has(kind) && !nouns.has(nounOf(kind)));
    expect(lines).toEqual([]);
  });

  it("says of each kind what it holds, how long and who reads it", () => {
    for (const [kind, { holds, person, until, readBy }] of Object.entries(listed))
      for (const words of [holds, person ?? "nothing", until, readBy]) {
        expect(words, kind).toMatch(/^[^|\n]{3,}$/);
        expect(words, kind).not.toMatch(/\.$/);
      }
  });
});
