import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readConfigurationFile } from "../../src/cli/configuration-file.ts";

const rules = { loopbackOrigins: [], loopbackReturnUrls: false };

const faultsOf = (text: string): readonly string[] => {
  const reading = readConfigurationFile(text, rules);
  return reading.ok ? [] : reading.faults.map(({ line, place, message }) => `${line} ${place} ${message}`);
};

test("every fault is told at its line and place", () => {
  const text = `version: 1
organisations:
  - name: meridian
    servers:
      - name: dms
        kind: on-premises
        address: https://dms.meridian.example/login
        registration:
          client_id: broker
          client_secret: hunter2
      - kind: cloud
        registration: { shared: us }
clients:
  - name: tracker
    policies:
      - organisation: meridian
        actions: [token, tokens]
`;
  const faults = faultsOf(text);
  expect(faults).toEqual([
    expect.stringMatching(/^7 organisations\.meridian\.servers\.dms\.address must not end in \/login/),
    expect.stringMatching(
      /^10 organisations\.meridian\.servers\.dms\.registration\.client_secret must not stand/,
    ),
    expect.stringMatching(/^11 organisations\.meridian\.servers\.#2\.name is required/),
    expect.stringMatching(/^12 organisations\.meridian\.servers\.#2\.registration\.shared names no/),
    expect.stringMatching(/^17 clients\.tracker\.policies\.#1\.actions\.#2 must be token or/),
  ]);
  expect(faults.join()).not.toContain("hunter2");
});

describe("YAML that is none", () => {
  test.each([
    ["a bracket that stays open", "version: 1\norganisations: [\n", /^3 {2}not YAML: Flow sequence/],
    ["a tab for a blank", "version: 1\nclients:\n\t- name: x\n", /^3 {2}not YAML: /],
    ["two documents", "version: 1\n---\nversion: 1\n", /^2 {2}not YAML: /],
    ["an alias to nothing", "version: 1\nclients: *all\n", /its aliases/],
    ["a list that holds itself", "&a [*a]", /its aliases/],
    ["nothing at all", "", /^1 version is required/],
    ["a sentence", "hello", /^1 {2}must be a mapping of fields/],
  ])("%s", (_, text, sentence) => {
    expect(faultsOf(text)).toEqual([expect.stringMatching(sentence)]);
  });

  test("a field that stands twice is told together with the other faults", () => {
    expect(faultsOf("version: 1\nclients: []\nclients: [{}]\n")).toEqual([
      expect.stringMatching(/^3 {2}the same field stands here a second time/),
      expect.stringMatching(/^3 clients\.#1\.name is required/),
    ]);
  });

  test("aliases that unfold without end are refused quickly", () => {
    const bomb = ["a: &a [x, x, x, x, x, x, x, x, x]"];
    for (const [at, name] of ["b", "c", "d", "e", "f", "g", "h"].entries()) {
      const before = "abcdefgh"[at];
      bomb.push(`${name}: &${name} [${Array(9).fill(`*${before}`).join(", ")}]`);
    }
    expect(faultsOf(bomb.join("\n"))).toEqual([expect.stringContaining("its aliases")]);
  });
});

test("whatever the text, the answer is remarks, never a stack, and no word of a quoted value", () => {
  const piece = fc.constantFrom(
    "version: 1\n",
    "organisations:\n",
    "  - name: a\n",
    "clients: [",
    "]",
    "{",
    "}",
    "\t",
    "&a ",
    "*a ",
    "!!js/f ",
    "? ",
    "client_secret: canaryhunter\n",
    '"canaryhunter',
    "'canaryhunter'\n",
    "- ",
    "  ",
    "\n",
    "|\n",
    "%TAG\n",
    "---\n",
    "#",
    ": ",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 25 }), (pieces) => {
      const reading = readConfigurationFile(pieces.join(""), rules);
      const said = reading.ok ? [] : reading.faults.map(({ line, message }) => [line, message]);
      expect(JSON.stringify(said)).not.toContain("canaryhunter");
      for (const [line] of said) expect(line).toBeGreaterThan(0);
    }),
    { numRuns: 1_000 },
  );
});
