import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runChild } from "../../scripts/run-child.mjs";
import { ROOT } from "./program.ts";

const read = (file: string) => readFile(join(ROOT, file), "utf8");
const json = async <T>(file: string) => JSON.parse(await read(file)) as T;

type Wanted = Partial<Record<Kind, Record<string, string>>>;
const KINDS = ["dependencies", "devDependencies", "optionalDependencies"] as const;
type Kind = (typeof KINDS)[number];

interface Locked {
  readonly version: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly dev?: boolean;
  readonly license?: string;
  readonly hasInstallScript?: boolean;
}

const lock = async () =>
  (await json<{ packages: Record<string, Locked & Wanted> }>("package-lock.json")).packages;
const locked = async () =>
  Object.entries(await lock()).flatMap(([path, it]) =>
    path === "" ? [] : [{ name: path.slice(path.lastIndexOf("node_modules/") + 13), ...it }],
  );

/** Both have scripts that nobody needs: one counts installations, the other builds what is there as JavaScript too. */
const WITH_INSTALL_SCRIPT = ["@scarf/scarf", "msgpackr-extract"];

const LICENSES = [
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "BlueOak-1.0.0",
  "ISC",
  "MIT",
  "Unlicense",
];

/**
 * Releases that were taken over by somebody else, as the registries' own reports named them. An offline list is of
 * yesterday: what is not in it is not thereby good.
 */
const TAKEN_OVER: Readonly<Record<string, readonly string[]>> = {
  "@ctrl/tinycolor": ["4.1.1", "4.1.2"],
  "ansi-regex": ["6.2.1"],
  "ansi-styles": ["6.2.2"],
  backslash: ["0.2.1"],
  chalk: ["5.6.1"],
  "chalk-template": ["1.1.1"],
  coa: ["2.0.3", "2.0.4", "2.1.1", "2.1.3", "3.0.1", "3.1.3"],
  color: ["5.0.1"],
  "color-convert": ["3.1.1"],
  "color-name": ["2.0.1"],
  "color-string": ["2.1.1"],
  colors: ["1.4.1", "1.4.2", "1.4.44-liberty-2"],
  debug: ["4.4.2"],
  "error-ex": ["1.3.3"],
  "eslint-scope": ["3.7.2"],
  "event-stream": ["3.3.6"],
  "flatmap-stream": ["0.1.1"],
  "has-ansi": ["6.0.1"],
  "is-arrayish": ["0.3.3"],
  "node-ipc": ["10.1.1", "10.1.2", "11.0.0"],
  rc: ["1.2.9", "1.3.9", "2.3.9"],
  "simple-swizzle": ["0.2.3"],
  "slice-ansi": ["7.1.1"],
  "strip-ansi": ["7.1.1"],
  "supports-color": ["10.2.1"],
  "supports-hyperlinks": ["4.1.1"],
  "ua-parser-js": ["0.7.29", "0.8.0", "1.0.0"],
  "wrap-ansi": ["9.0.1"],
};

test("T40 the lock file is that of package.json, every version is one, and every package has its hash", async () => {
  const wanted = await json<Wanted>("package.json");
  const root = (await lock())[""]!;
  for (const kind of KINDS) {
    expect(root[kind], kind).toEqual(wanted[kind]);
    for (const [name, version] of Object.entries(wanted[kind] ?? {})) {
      expect(version, name).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
      expect((await lock())[`node_modules/${name}`]?.version, name).toBe(version);
    }
  }
  const all = await locked();
  expect(all.length).toBeGreaterThan(100);
  expect(all.filter(({ integrity }) => !/^sha512-/.test(integrity ?? "")).map(({ name }) => name)).toEqual(
    [],
  );
  // From the registry that npm is told of, never from a place of its own: git, a tarball, a folder.
  expect(all.filter(({ resolved }) => resolved !== undefined).map(({ name }) => name)).toEqual([]);
});

test("T40 no package runs a script when it is installed, and a new one that wants to is noticed", async () => {
  expect(await read(".npmrc")).toMatch(/^ignore-scripts=true$/m);
  const wanting = (await locked()).filter(({ hasInstallScript }) => hasInstallScript === true);
  expect(wanting.map(({ name }) => name).toSorted()).toEqual(WITH_INSTALL_SCRIPT);
  expect(await read("Dockerfile")).toMatch(/^COPY package\.json package-lock\.json \.npmrc /m);
  expect(await read("Dockerfile")).toMatch(/^RUN .*\\\n\s+npm ci --omit=dev/m);
});

test("T40 fewer than forty packages are asked for at run time, all under licences that a firm may use", async () => {
  const { dependencies = {} } = await json<Wanted>("package.json");
  expect(Object.keys(dependencies).length).toBeLessThan(40);
  const running = (await locked()).filter(({ dev }) => dev !== true);
  const strange = running.filter(
    ({ license, name }) => !LICENSES.includes(license ?? "") && !/^node-/.test(name),
  );
  expect(strange.map(({ name, license }) => `${name}: ${license}`)).toEqual([]);
});

test("T40 no release that is known to have been taken over is among the packages", async () => {
  const all = await locked();
  expect(all.filter(({ name, version }) => TAKEN_OVER[name]?.includes(version))).toEqual([]);
  // The comparison has teeth: packages of these names are among ours.
  expect(all.filter(({ name }) => name in TAKEN_OVER)).not.toEqual([]);
});

// `--omit dev` would leave out what both the product and its tests ask for, jose among it (npm 11).
test("T40 what is here can be listed: `npm run sbom` names every package of the lock file", async () => {
  const { code, output } = await runChild("npm", ["run", "--silent", "sbom"], { cwd: ROOT, capture: true });
  expect(code, output).toBe(0);
  const bill = JSON.parse(output.slice(output.indexOf("{"))) as {
    bomFormat: string;
    components: { purl: string }[];
  };
  expect(bill.bomFormat).toBe("CycloneDX");
  const listed = new Set(bill.components.map(({ purl }) => decodeURIComponent(purl)));
  const missing = (await locked()).filter(({ name, version }) => !listed.has(`pkg:npm/${name}@${version}`));
  expect(missing.map(({ name }) => name)).toEqual([]);
});
