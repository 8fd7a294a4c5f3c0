import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Secret } from "../../src/domain/secret.ts";
import { unwrapKey } from "../../src/security/data-keys.ts";
import { systemRandom } from "../../src/security/random.ts";
import {
  addRootKey,
  createRootKeyset,
  isOpenToOthers,
  loadRootKeyset,
  parseRootKeyset,
  promoteRootKey,
  RootKeysetError,
  retireRootKey,
} from "../../src/security/root-keyset.ts";
import { CONTEXT, NOW, newKeysetText, OWNER, sealerKit } from "./kit.ts";

const CANARY = Buffer.from("this is the canary root key 3.14").toString("base64");
const entry = (part: object = {}) => ({
  id: "rk-1",
  state: "primary",
  key: CANARY,
  created_at: "2026-11-22T09:00:00Z",
  ...part,
});
const file = (...keys: object[]) => JSON.stringify({ v: 1, keys });

function faultsOf(text: string): RootKeysetError {
  try {
    parseRootKeyset(text);
  } catch (error) {
    if (error instanceof RootKeysetError) return error;
    throw error;
  }
  throw new Error("it was accepted");
}

describe("root keyset file", () => {
  it("that was just created can be read, and holds one primary key", () => {
    const text = createRootKeyset(systemRandom, NOW).reveal();
    const written = JSON.parse(text);
    expect(written.v).toBe(1);
    expect(written.keys).toHaveLength(1);
    expect(written.keys[0].created_at).toBe("2026-11-22T09:00:00.000Z");
    const keyset = parseRootKeyset(text);
    expect(keyset.primary).toBe(written.keys[0].id);
    expect(keyset.ids).toEqual([keyset.primary]);
  });

  it.each<[string, string, RegExp]>([
    ["no JSON", `{"v":1,"keys":[{"key":"${CANARY}" oops]}`, /not JSON/],
    ["another version", JSON.stringify({ v: 2, keys: [entry()] }), /v must be 1/],
    ["no keys", file(), /at least one key/],
    ["no primary key", file(entry({ state: "active" })), /exactly one "primary" key, not 0/],
    [
      "two primary keys",
      file(entry(), entry({ id: "rk-2", key: other() })),
      /exactly one "primary" key, not 2/,
    ],
    ["an unknown state", file(entry({ state: "old" })), /keys\[0\]\.state must be/],
    ["an id twice", file(entry(), entry({ state: "active", key: other() })), /an id twice/],
    ["a key twice", file(entry(), entry({ state: "active", id: "rk-2" })), /the same key twice/],
    ["a short key", file(entry({ key: CANARY.slice(4) })), /keys\[0\]\.key must be 32 random bytes/],
    ["a placeholder", file(entry({ key: Buffer.alloc(32).toString("base64") })), /32 random bytes/],
    ["a key in base64url", file(entry({ key: "_".repeat(43) })), /32 random bytes/],
    ["an id with a dot", file(entry({ id: "rk.1" })), /keys\[0\]\.id must be 1 to 40/],
    ["an unknown field", file(entry({ note: 1 })), /keys\[0\] has fields that are not known \(note\)/],
    ["a date that is none", file(entry({ created_at: "today" })), /created_at must be a date/],
    ["a list", "[]", /it must be an object/],
    ["nothing", "null", /it must be an object/],
    ["an entry that is none", file(entry(), "x" as never), /keys\[1\] must be an object/],
  ])("with %s is refused in a sentence", (_, text, sentence) => {
    expect(faultsOf(text).message).toMatch(sentence);
  });

  it("tells all its faults together", () => {
    const text = JSON.stringify({
      v: 3,
      spare: true,
      keys: [entry({ state: "old", id: "" }), entry({ key: "short", state: "active", id: "" })],
    });
    const { faults } = faultsOf(text);
    for (const part of [
      "v must",
      "spare",
      "keys[0].state",
      "keys[0].id",
      "keys[1].key",
      "exactly one",
      "id twice",
    ]) {
      expect(faults.join("\n")).toContain(part);
    }
  });

  it.each<[string, string]>([
    ["is not JSON", `{"v":1,"keys":[{"key":"${CANARY}" oops]}`],
    ["has the key for an id", file(entry({ id: CANARY }))],
    ["has the key for a state", file(entry({ state: CANARY }))],
    ["has the key for a date", file(entry({ created_at: CANARY }))],
    ["has the key for a version", JSON.stringify({ v: CANARY, keys: [entry()] })],
    ["has the key for a field's name", file(entry({ [CANARY]: 1 }))],
    ["has half a key", file(entry({ key: CANARY.slice(0, 20) }))],
  ])("T24: never echoes a key when it %s", (_, text) => {
    const error = faultsOf(text);
    for (let at = 0; at + 8 <= CANARY.length; at++) {
      expect(inspect(error, { showHidden: true })).not.toContain(CANARY.slice(at, at + 8));
    }
  });

  it("retired keys are refused as if they were not there", () => {
    const first = newKeysetText();
    const was = parseRootKeyset(first).primary;
    const added = addRootKey(first, systemRandom, NOW);
    const knows = parseRootKeyset(added.text.reveal());
    expect(knows.primary).toBe(was);
    expect(knows.ids).toEqual([was, added.id]);

    const promoted = promoteRootKey(added.text.reveal(), added.id).reveal();
    expect(parseRootKeyset(promoted).primary).toBe(added.id);
    expect(parseRootKeyset(promoted).ids).toEqual([was, added.id]);

    const retired = parseRootKeyset(retireRootKey(promoted, was).reveal());
    expect(retired.ids).toEqual([added.id]);
    expect(retired.findKey("broker-token", was)).toBeUndefined();
    expect(() => retired.key("broker-token", was)).toThrow(was);
  });

  it("the primary key cannot be retired, nor a retired or foreign one promoted", () => {
    const text = newKeysetText();
    const { primary } = parseRootKeyset(text);
    expect(() => retireRootKey(text, primary)).toThrow(RootKeysetError);
    expect(() => promoteRootKey(text, "rk-other")).toThrow(RootKeysetError);
    const added = addRootKey(text, systemRandom, NOW);
    const retired = retireRootKey(added.text.reveal(), added.id).reveal();
    expect(() => promoteRootKey(retired, added.id)).toThrow(RootKeysetError);
  });

  it("gives every purpose a key of its own, the same in every process", () => {
    const text = newKeysetText();
    const bytes = (keyset = parseRootKeyset(text)) =>
      (["wrap-data-keys", "client-secret", "broker-token", "cursor"] as const).map((purpose) =>
        keyset.key(purpose, keyset.primary).export().toString("hex"),
      );
    expect(new Set(bytes()).size).toBe(4);
    expect(bytes()).toEqual(bytes());
    expect(bytes()).not.toContain(Buffer.from(JSON.parse(text).keys[0].key, "base64").toString("hex"));
  });
});

describe("loading the root keyset", () => {
  let folder: string;
  let path: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "root-keyset-"));
    path = join(folder, "root-keyset.json");
    await writeFile(path, newKeysetText());
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.each([0o604, 0o640, 0o660, 0o666, 0o620, 0o644])(
    "T24: mode %o is refused in production",
    async (mode) => {
      await chmod(path, mode);
      await expect(loadRootKeyset(path, { production: true })).rejects.toThrow(/chmod 600/);
      await expect(loadRootKeyset(path, { production: false })).resolves.toBeDefined();
    },
  );

  it.each([
    ["root's, readable by the pod's group", 0o440, 0, 1000, false],
    ["root's, writable by it", 0o460, 0, 1000, true],
    ["root's, readable by everybody", 0o444, 0, 1000, true],
    ["our own, readable by a group", 0o440, 1000, 1000, true],
    ["somebody else's, readable by a group", 0o440, 1001, 1000, true],
    ["root's, read by root", 0o440, 0, 0, true],
  ])("a file that is %s: open to others", (_, mode, uid, self, open) => {
    expect(isOpenToOthers({ mode: 0o100000 | mode, uid }, self)).toBe(open);
  });

  it.each(["600", "400"])("mode %s is accepted in production", async (mode) => {
    await chmod(path, Number.parseInt(mode, 8));
    expect((await loadRootKeyset(path, { production: true })).ids).toHaveLength(1);
  });

  it("a file that is not there is told with its path", async () => {
    await expect(loadRootKeyset(join(folder, "none"), { production: true })).rejects.toThrow(
      /none cannot be read \(ENOENT\)/,
    );
  });
});

describe("T24: printing", () => {
  it("the keyset, the sealer, a diagnostic report and the file's text show no byte of a key", async () => {
    const { sealer, rootKeyset, dataKeys, keysetText } = sealerKit();
    await sealer.prepare(OWNER);
    await sealer.open(await sealer.seal(new Secret("token"), CONTEXT), CONTEXT);
    const wrapped = dataKeys.kept.get(OWNER)!;
    const keys = [
      Buffer.from(JSON.parse(keysetText).keys[0].key, "base64"),
      rootKeyset.key("wrap-data-keys", rootKeyset.primary).export(),
      rootKeyset.key("broker-token", rootKeyset.primary).export(),
      unwrapKey(rootKeyset, OWNER, wrapped.current, wrapped).export(),
    ];
    const things = [
      rootKeyset,
      sealer,
      { rootKeyset, sealer },
      new Error("x", { cause: rootKeyset }),
      createRootKeyset(systemRandom, NOW),
    ];
    const all = {
      depth: Number.POSITIVE_INFINITY,
      showHidden: true,
      maxArrayLength: null,
      maxStringLength: null,
    };
    const printed = [
      ...things.flatMap((thing) => [inspect(thing, all), String(thing), JSON.stringify(thing), `${thing}`]),
      inspect(rootKeyset, { ...all, customInspect: false }),
      JSON.stringify(process.report.getReport()),
    ]
      .join("\n")
      .replaceAll(/\s/g, "");
    for (const key of keys) {
      for (const form of formsOf(key)) expect(printed.includes(form)).toBe(false);
    }
    expect(inspect(rootKeyset)).toBe("[root keyset]");
    expect(inspect(createRootKeyset(systemRandom, NOW))).toBe("[secret]");
  });

  it("would be noticed: the search finds a key that is printed", () => {
    const key = Buffer.from(systemRandom.bytes(32));
    for (const shown of [inspect({ key }), inspect([...key]), key.toString("base64"), key.toString("hex")]) {
      expect(formsOf(key).some((form) => shown.replaceAll(/\s/g, "").includes(form))).toBe(true);
    }
  });
});

/** A stretch of the key in each form that a printer may choose; to be looked for in what has no spaces any more. */
function formsOf(key: Buffer): string[] {
  const part = key.subarray(0, 12);
  return [
    part.toString("hex"),
    part.toString("base64"),
    part.toString("base64url"),
    [...part].join(","),
    part.toString("latin1").replaceAll(/\s/g, ""),
  ];
}

function other(): string {
  return Buffer.from("this is another key, 2.718281828").toString("base64");
}
