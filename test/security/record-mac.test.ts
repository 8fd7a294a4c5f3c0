import { describe, expect, it } from "vitest";
import { systemRandom } from "../../src/security/random.ts";
import { makeRecordMac } from "../../src/security/record-mac.ts";
import {
  addRootKey,
  parseRootKeyset,
  promoteRootKey,
  retireRootKey,
} from "../../src/security/root-keyset.ts";
import { NOW, newKeysetText } from "./kit.ts";

const text = newKeysetText();
const mac = makeRecordMac(parseRootKeyset(text));
const PLACE = "b1:{o:acme}:policy:cli_1";
const RECORD = JSON.stringify({ v: 1, client: "cli_1", actions: ["token"], note: "Grüße. m1.x.y" });

describe("a sealed record", () => {
  it("opens where it was sealed, to the letter, and can still be read", () => {
    const stored = mac.seal(PLACE, RECORD);
    expect(mac.open(PLACE, stored)).toBe(RECORD);
    expect(stored.endsWith(RECORD)).toBe(true);
    expect(mac.open(PLACE, mac.seal(PLACE, ""))).toBe("");
  });

  it("T25: opens nowhere else, however place and text are cut", () => {
    const stored = mac.seal(PLACE, RECORD);
    for (const place of [
      "",
      `${PLACE}x`,
      PLACE.slice(0, -1),
      "b1:{o:other}:policy:cli_1",
      "b1:{o:acme}:server:cli_1",
    ]) {
      expect(mac.open(place, stored), place).toBeUndefined();
    }
    const head = stored.slice(0, -RECORD.length);
    expect(mac.open(PLACE + RECORD[0], head + RECORD.slice(1))).toBeUndefined();
    expect(mac.open(PLACE.slice(0, -1), `${head}${PLACE.at(-1)}${RECORD}`)).toBeUndefined();
  });

  it("T25: does not open with any one letter changed, added or missing", () => {
    const stored = mac.seal(PLACE, RECORD);
    const opened: string[] = [];
    const attempt = (altered: string) => {
      try {
        if (mac.open(PLACE, altered) !== undefined) opened.push(altered);
      } catch (error) {
        if ((error as { code?: string }).code !== "integrity_failure") throw error;
      }
    };
    for (let at = 0; at < stored.length; at++) {
      for (const letter of [stored[at] === "a" ? "b" : "a", ".", "\u0000", " "]) {
        if (letter !== stored[at]) attempt(stored.slice(0, at) + letter + stored.slice(at + 1));
        attempt(stored.slice(0, at) + letter + stored.slice(at));
      }
      attempt(stored.slice(0, at) + stored.slice(at + 1));
      attempt(stored.slice(0, at));
    }
    for (const unsealed of ["", "m1", RECORD, `m1...${RECORD}`, `m1.${"A".repeat(43)}.${RECORD}`])
      attempt(unsealed);
    expect(opened).toEqual([]);
  });

  it("made under another firm's keyset opens nothing", () => {
    const id = mac.rootKeyOf(mac.seal(PLACE, RECORD))!;
    const others = JSON.parse(newKeysetText());
    others.keys[0].id = id;
    const foreign = makeRecordMac(parseRootKeyset(JSON.stringify(others)));
    expect(mac.open(PLACE, foreign.seal(PLACE, RECORD))).toBeUndefined();
  });

  it("opens after its root key was promoted over, says that it is not current, and names the key once it is retired", () => {
    const before = mac.seal(PLACE, RECORD);
    const added = addRootKey(text, systemRandom, NOW);
    const promoted = promoteRootKey(added.text.reveal(), added.id).reveal();
    const next = makeRecordMac(parseRootKeyset(promoted));
    expect(next.open(PLACE, before)).toBe(RECORD);
    expect(next.isCurrent(before)).toBe(false);
    expect(next.isCurrent(next.seal(PLACE, RECORD))).toBe(true);
    const first = next.rootKeyOf(before)!;
    const without = makeRecordMac(parseRootKeyset(retireRootKey(promoted, first).reveal()));
    expect(() => without.open(PLACE, before)).toThrow(
      expect.objectContaining({ code: "integrity_failure", message: expect.stringContaining(first) }),
    );
  });
});
