import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  AUDIT_ACTIONS,
  auditActionTable,
  auditFault,
  auditFieldTable,
} from "../../../src/domain/audit-actions.ts";
import { ROOT, read, typescriptFiles } from "../../architecture/source.ts";

const LUA = "src/store/lua";

/** What every script can write. Who writes no entry may call its own timeline's kinds what it likes. */
function writtenByScripts(): string[] {
  return readdirSync(join(ROOT, LUA))
    .filter((name) => name.endsWith(".lua"))
    .map((name) => read(`${LUA}/${name}`))
    .filter((text) => /\baudit(_change)?\(/.test(text))
    .flatMap((text) => [
      ...text
        .replaceAll(/(timeline|emit\w*)\([^)]*\)?|local WAKES = \{[^}]*\}/g, "")
        .matchAll(/'([a-z_]+\.[a-z_]+)'/g),
    ])
    .map(([, action]) => action!);
}

/**
 * What TypeScript hands to a script to be written: `audited: ["noun", …]` is created and changed, and deleted where it says so;
 * `act: "verb"` names another verb for a client, in `events` for a subscription; `action: "…"` is itself.
 */
function writtenByTypescript(): string[] {
  const textOf = (folder: string) => typescriptFiles(folder).map(read).join("\n");
  const store = textOf("src/store");
  const all = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, found]) => found!);
  return [
    ...all(store, /audited: \["([a-z_]+)"/g).flatMap((noun) => [`${noun}.created`, `${noun}.changed`]),
    ...all(store, /record: undefined,[^}]*audited: \["([a-z_]+)"/g).map((noun) => `${noun}.deleted`),
    ...all(textOf("src/broker"), /\bact: "([a-z]+_[a-z_]+)"/g).map((verb) => `client.${verb}`),
    ...all(textOf("src/events"), /\bact: "([a-z]+_[a-z_]+)"/g).map((verb) => `subscription.${verb}`),
    ...all(store, /action: "([a-z_]+\.[a-z_]+)"/g),
  ];
}

describe("the audit's closed list of actions (T38)", () => {
  it("is what scripts and store write, no more and no less", () => {
    const written = [...new Set([...writtenByScripts(), ...writtenByTypescript()])].sort();
    expect(written).toEqual(Object.keys(AUDIT_ACTIONS).sort());
  });

  it("is written by one function alone, which numbers entries in the same step", () => {
    const writers = readdirSync(join(ROOT, LUA)).filter((name) =>
      /XADD', [^)]*'audit'/.test(read(`${LUA}/${name}`)),
    );
    expect(writers).toEqual(["prelude.lua"]);
    expect(typescriptFiles("src").filter((file) => /\.xadd\(/i.test(read(file)))).toEqual([]);
  });

  it("stands in the README, word by word", () => {
    const readme = read("src/broker/audit/README.md");
    expect(readme).toContain(auditActionTable());
    expect(readme).toContain(auditFieldTable());
  });

  it("says what an entry may tell", () => {
    const entry = { at: "1", actor: "worker", action: "grant.reaped", server: "srv_1", grant: "grt_1" };
    expect(auditFault(entry)).toBeUndefined();
    expect(auditFault({ ...entry, secret: "x" })).toBe("An entry of grant.reaped may not have secret.");
    expect(auditFault({ ...entry, action: "grant.eaten" })).toBe('The audit has no action "grant.eaten".');
    expect(auditFault({ action: "constructor" })).toBe('The audit has no action "constructor".');
  });
});
