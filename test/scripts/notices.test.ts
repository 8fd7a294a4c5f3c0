import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  NOTICES_FILE,
  shippedPackages,
  thirdPartyNotices,
} from "../../scripts/papers/third-party-notices.ts";
import { ROOT, temporaryFolder } from "./program.ts";

const text = (file: string) => readFile(join(ROOT, file), "utf8");

test("the third-party notices are those of the lock file and of the packages that are installed by it", async () => {
  const made = await thirdPartyNotices(ROOT);
  // Not compared as a whole, whose difference nobody could read.
  const [written, wanted] = [(await text(NOTICES_FILE)).split("\n"), made.split("\n")];
  const first = wanted.findIndex((line, at) => line !== written[at]);
  expect({ line: first, is: written[first], run: "npm run papers" }).toEqual({
    ...{ line: -1, is: undefined, run: "npm run papers" },
  });
  expect(written.length).toBe(wanted.length);
});

test("every package that is distributed has a notice, and what only development needs has none", async () => {
  const lines = new Set((await text(NOTICES_FILE)).split("\n"));
  const { packages } = JSON.parse(await text("package-lock.json")) as {
    packages: Record<string, { version: string; dev?: boolean; optional?: boolean }>;
  };
  const idOf = (path: string) => `${path.split("node_modules/").at(-1)} ${packages[path]!.version}`;
  const shipped = shippedPackages({ packages });
  const { dependencies } = JSON.parse(await text("package.json")) as { dependencies: object };
  for (const name of Object.keys(dependencies)) expect(shipped).toContain(`node_modules/${name}`);
  expect(shipped.map(idOf).filter((id) => !lines.has(id))).toEqual([]);
  const shippedIds = new Set(shipped.map(idOf));
  const others = Object.keys(packages).filter((path) => path !== "" && !shipped.includes(path));
  expect(others.length).toBeGreaterThan(50);
  expect(others.map(idOf).filter((id) => lines.has(id) && !shippedIds.has(id))).toEqual([]);
});

test("a package's own words are kept, and one that cannot be told stops the writing", async () => {
  const folder = await temporaryFolder();
  const install = async (name: string, manifest: object, files: Record<string, string> = {}) => {
    const at = join(folder, "node_modules", name);
    await mkdir(at, { recursive: true });
    await writeFile(join(at, "package.json"), JSON.stringify({ version: "1.0.0", ...manifest }));
    for (const [file, words] of Object.entries(files)) await writeFile(join(at, file), words);
  };
  const lock = (packages: Record<string, object>) =>
    writeFile(join(folder, "package-lock.json"), JSON.stringify({ packages: { "": {}, ...packages } }));
  await install("a", {}, { LICENSE: "Copyright A\r\n", NOTICE: "Made by A" });
  await install("b", {}, { LICENSE: "Copyright A", NOTICE: "Made by A" });
  await install("c", { author: "C" }, { "license.js": "not a licence" });
  await install("d", {}, { "README.md": "# d\n\n## License\n\nCopyright D\n" });
  const at = (license?: string, version = "1.0.0") => ({ version, ...(license && { license }) });
  const four = {
    "node_modules/a": at("ISC"),
    "node_modules/b": at("ISC"),
    "node_modules/c": at("MIT"),
    "node_modules/d": at("ISC"),
    "node_modules/tool": { ...at("ISC"), dev: true },
  };
  await lock(four);
  const made = await thirdPartyNotices(folder);
  expect(made).toContain(
    "a 1.0.0\nb 1.0.0\nLicence: ISC\n\n--- LICENSE\n\nCopyright A\n\n--- NOTICE\n\nMade by A",
  );
  expect(made).toMatch(/c 1\.0\.0\nLicence: MIT\n\nThe package holds no licence text .* the author \(C\)/);
  expect(made).toContain("d 1.0.0\nLicence: ISC\n\n");
  expect(made).toContain("Copyright D");
  expect(made).not.toContain("not a licence");
  expect(made).not.toContain("tool");

  await lock({ ...four, "node_modules/a": at("ISC", "1.0.1") });
  await expect(thirdPartyNotices(folder)).rejects.toThrow("a is installed as 1.0.0");
  await lock({ "node_modules/a": at() });
  await expect(thirdPartyNotices(folder)).rejects.toThrow("a does not say what its licence is");
  await cp(join(folder, "node_modules/c"), join(folder, "node_modules/e"), { recursive: true });
  await lock({ "node_modules/e": at("ISC") });
  await expect(thirdPartyNotices(folder)).rejects.toThrow("under ISC holds no licence text");
  await lock({ "node_modules/missing": at("ISC") });
  await expect(thirdPartyNotices(folder)).rejects.toThrow("ENOENT");
});

test("the notices lie in the image beside the licence", async () => {
  expect(await text("Dockerfile")).toMatch(new RegExp(`^COPY .*LICENSE ${NOTICES_FILE} \\./$`, "m"));
});
