import type { Command } from "commander";
import { expect, it } from "vitest";
import { buildCli, type CliDeps } from "../../src/cli/build-cli.ts";

/** A CLI whose every way out of itself is a broker that is not there. */
function cliOf(more: Partial<CliDeps> = {}) {
  const said = { out: "", err: "", code: 0, asked: [] as string[], connected: 0 };
  const deps: Partial<CliDeps> = {
    write: (text) => {
      said.out += text;
    },
    complain: (text) => {
      said.err += text;
    },
    setExitCode: (code) => {
      said.code = code;
    },
    screen: { isTTY: false, columns: 80, write: () => {} },
    confirm: async (question) => {
      said.asked.push(question);
      return false;
    },
    withBroker: async () => {
      said.connected += 1;
      return undefined as never;
    },
    explain: () => undefined,
    ...more,
  };
  return { cli: buildCli(deps as CliDeps), said };
}

/** Every command that does something by itself, also one that has others below it. */
const leavesOf = (command: Command, path: readonly string[] = []): [string, Command][] => [
  ...(command.commands.length === 0 || command.registeredArguments.length > 0
    ? ([[path.join(" "), command]] satisfies [string, Command][])
    : []),
  ...command.commands.flatMap((one) => leavesOf(one, [...path, one.name()])),
];

const LEAVES = leavesOf(cliOf().cli).map(([path]) => path);
const leaf = (path: string, { cli } = cliOf()): Command => leavesOf(cli).find(([name]) => name === path)![1];

/** What says nothing that a program would read, or says it in a form of its own. */
const WITHOUT_JSON: Readonly<Record<string, string>> = {
  "keys create": "writes a file",
  "keys client-secret": "writes a file",
  "keys wrap": "writes a file",
  "keys promote-root": "writes a file",
  "keys retire-root": "writes a file",
  "keys public": "a JWK set",
  "keys verify-certificate": "what the certificate says, which is JSON",
  "audit keys": "a JWK set",
  "export create-key": "a JWK set",
  "export open": "writes a file",
  "registration-sheet": "--format json",
  "registration-package": "writes a file",
  "organisations shred": "a signed certificate",
  "containments receipts": "JSON lines",
  "containments reauthorizations": "CSV",
};

/** What cannot be taken back, with arguments that get as far as the question. */
const DESTROYS: Readonly<Record<string, readonly string[]>> = {
  "clients stop": ["tracker"],
  "clients new-secret": ["tracker", "--only"],
  "clients delete-secret": ["tracker", "sec_1"],
  "policies delete": ["tracker", "meridian"],
  "records seal": [],
  "syncs release": ["syn_1"],
  "import undo": ["--server", "meridian/dms"],
};

/** The same, where the question comes after a look at the store or the file: their own tests hold it. */
const ASKS_LATER: Readonly<Record<string, string>> = {
  contain: "test/cli/containment.test.ts",
  "import open": "test/stories/import.test.ts",
  "keys retire-root": "test/stories/keys-cli.test.ts",
  "records migrate": "test/cli/every-command.test.ts",
};

it.each(LEAVES)("`%s` says what it does, and its example is one that it takes", (path) => {
  const made = cliOf();
  const command = leaf(path, made);
  expect(command.description()).toMatch(/^[^A-Z].*[^.]$/);
  for (const option of command.options)
    expect([option.flags, option.description]).not.toEqual([option.flags, ""]);
  for (const argument of command.registeredArguments)
    expect([path, argument.name(), argument.description || argument.required]).not.toContain("");
  command.outputHelp();
  const example = /\nExamples?:\n {2}cli (.+)\n/.exec(made.said.out)?.[1];
  expect(example).toMatch(new RegExp(`^${path}( |$)`));
  // As a shell reads it, without where it sends what is said.
  const words = [...example!.replace(/ [<>] .*$/, "").matchAll(/"([^"]*)"|(\S+)/g)].map(
    ([, a, b]) => a ?? b!,
  );
  const rest = words.slice(path.split(" ").length);
  const { operands, unknown } = command.parseOptions(rest);
  expect(unknown).toEqual([]);
  const required = command.registeredArguments.filter((one) => one.required).length;
  const most = command.registeredArguments.some((one) => one.variadic)
    ? 99
    : command.registeredArguments.length;
  expect(operands.length).toBeGreaterThanOrEqual(required);
  expect(operands.length).toBeLessThanOrEqual(most);
  for (const option of command.options.filter(({ mandatory }) => mandatory))
    expect([option.long, command.getOptionValue(option.attributeName())]).not.toContain(undefined);
});

it.each(LEAVES)("`%s` prints for programs, or it is said why it has no need to", (path) => {
  const has = leaf(path).options.some(({ long }) => long === "--json");
  expect(has).toBe(!Object.hasOwn(WITHOUT_JSON, path));
});

it.each(Object.entries(DESTROYS))("`%s` asks first, and with --yes it does not", async (path, args) => {
  const asked = cliOf();
  await asked.cli.parseAsync([...path.split(" "), ...args], { from: "user" });
  expect(asked.said).toMatchObject({ code: 1, connected: 0, out: "" });
  expect(asked.said.asked).toHaveLength(1);
  expect(asked.said.asked[0]).toMatch(/\?/);
  expect(asked.said.err).toContain("Nothing was changed. With --yes it is not asked.");

  const told = cliOf({ addressRules: () => ({}) as never });
  await told.cli.parseAsync([...path.split(" "), ...args, "--yes"], { from: "user" }).catch(() => {});
  expect(told.said).toMatchObject({ connected: 1, asked: [] });
});

it("whatever takes --yes is known to destroy, and the other way round", () => {
  const asks = LEAVES.filter((path) => leaf(path).options.some(({ long }) => long === "--yes"));
  const known = [...Object.keys(DESTROYS), ...Object.keys(ASKS_LATER)];
  expect(asks.filter((path) => !["restore", "backup"].includes(path.split(" ")[0]!)).sort()).toEqual(
    known.sort(),
  );
  expect(leaf("organisations shred").options.map(({ long }) => long)).toContain("--confirm");
});

it("a command that is misspelt, or lacks what it needs, ends with 1 and names the help", async () => {
  for (const words of [["grunts"], ["grants", "list"], ["clients", "stop"], ["status", "--jsn"]]) {
    const { cli, said } = cliOf();
    for (const [, command] of [["", cli] as const, ...leavesOf(cli)]) command.exitOverride();
    for (const group of cli.commands) group.exitOverride();
    const ended = await cli.parseAsync(words, { from: "user" }).catch((error: { exitCode: number }) => error);
    expect([words, (ended as { exitCode: number }).exitCode]).toEqual([words, 1]);
    expect(said.err).toContain("(add --help for the commands and their options)");
  }
});

it("`records migrate` asks only where the store's format is raised, because there is no way back", async () => {
  const ports = (format: number) => ({
    migrations: [{ name: "next", does: "x", noun: "grant", format, change: () => undefined }],
    formats: { mark: async () => ({ format: 1, since: 0, by: "0.1.0" }), raise: async () => [] },
    journal: { find: async () => undefined, note: async () => {} },
    walk: { count: async () => 0, batches: async function* () {}, write: async () => true },
    monotonicMs: () => 0,
  });
  const run = async (format: number, ...args: string[]) => {
    const { cli, said } = cliOf({
      withBroker: (use) => use({ migrations: ports(format), note: {} } as never),
    });
    await cli.parseAsync(["records", "migrate", ...args], { from: "user" });
    return said;
  };
  const asked = await run(2);
  expect(asked).toMatchObject({ code: 1, out: "" });
  expect(asked.asked[0]).toContain(
    "Raise the store's format from 1 to 2? Versions that do not read it start no more",
  );
  expect(await run(2, "--yes")).toMatchObject({ code: 0, asked: [] });
  expect(await run(2, "--dry-run")).toMatchObject({ code: 0, asked: [] });
  expect(await run(1)).toMatchObject({ code: 0, asked: [] });
});
