import { execFile } from "node:child_process";
import { access, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { ROOT, temporaryFolder } from "./program.ts";

const text = (file: string) => readFile(join(ROOT, file), "utf8");

type Stage = { name: string; base: string; lines: string[] };

/** The Dockerfile's stages, each instruction on one line, without comments. */
async function stages(): Promise<Stage[]> {
  const lines = (await text("Dockerfile"))
    .split("\n")
    .filter((line) => !/^\s*#/.test(line))
    .join("\n")
    .replace(/\s*\\\n\s*/g, " ")
    .split("\n")
    .filter((line) => line.trim() !== "");
  const found: Stage[] = [];
  for (const line of lines) {
    const [, base, name] = /^FROM (\S+)(?: AS (\S+))?$/.exec(line) ?? [];
    if (base !== undefined) found.push({ name: name ?? "", base, lines: [] });
    else found.at(-1)?.lines.push(line);
  }
  return found;
}

test("the image begins with nothing, and takes only finished folders: no shell, no npm, nothing run in it", async () => {
  const [last, ...before] = (await stages()).reverse();
  expect(last!.base).toBe("scratch");
  const instructions = last!.lines.map((line) => line.split(" ", 1)[0]);
  expect(instructions).not.toContain("RUN");
  expect(instructions).not.toContain("ADD");
  const copies = last!.lines.filter((line) => line.startsWith("COPY"));
  expect(copies).toEqual(before.reverse().map(({ name }) => `COPY --from=${name} /image /`));
});

test("each stage that ends up in the image leaves the same modes and times whenever it is built", async () => {
  for (const { name, base, lines } of (await stages()).slice(0, -1)) {
    expect(base, name).toBe(`$${"{NODE_IMAGE}"}`);
    expect(lines.at(-1), name).toMatch(
      /chmod -R u=rwX,go=rX .*find \S+ -exec touch -h -d "?@(0|\$SOURCE_DATE_EPOCH)"? {} \+$/,
    );
  }
});

test("what the image copies exists and is let through by .dockerignore, and that is all that is", async () => {
  const letThrough = (await text(".dockerignore")).match(/^!.+/gm)?.map((line) => line.slice(1)) ?? [];
  const copied = (await stages())
    .flatMap(({ lines }) => lines)
    .flatMap((line) => /^COPY (?!--from)(.+) \S+$/.exec(line)?.[1]?.split(" ") ?? []);
  expect(copied).toContain("src");
  expect([...new Set(copied)].sort()).toEqual(letThrough.sort());
  for (const path of copied) await access(join(ROOT, path));
});

test("the image runs as somebody who is not root, says how it is and ends, and has no development packages", async () => {
  const all = await stages();
  const last = all.at(-1)!.lines;
  expect(last).toContain("USER 1000:1000");
  expect(last).toContain("STOPSIGNAL SIGTERM");
  expect(last.find((line) => line.startsWith("HEALTHCHECK"))).toMatch(/ CMD \["node", .*\/healthz/);
  expect(last.filter((line) => /^(CMD|ENTRYPOINT)/.test(line))).toEqual(['CMD ["node", "src/main/all.ts"]']);
  expect(all.flatMap(({ lines }) => lines).filter((line) => /\bnpm (ci|install)\b/.test(line))).toEqual([
    expect.stringContaining("npm ci --omit=dev --omit=optional"),
  ]);
  const { optionalDependencies } = JSON.parse(await text("package.json")) as {
    optionalDependencies: Record<string, string>;
  };
  const version = /^ARG NODE_IMAGE=node:([\d.]+)-/m.exec(await text("Dockerfile"))?.[1];
  for (const pinned of Object.values(optionalDependencies)) expect(pinned).toBe(version);
});

// The image's own shell line, with one file of every kind. It is written for GNU's tools.
test.skipIf(process.platform !== "linux")(
  "what the image leaves out of the packages is nothing that a process here reads",
  async () => {
    const { lines } = (await stages()).find(({ name }) => name === "packages")!;
    const trimmed = lines.at(-1)!;
    const folder = await temporaryFolder();
    const kept = [
      "a/index.js",
      "a/package.json",
      "a/LICENSE.md",
      "a/lib/test/x.js",
      "@s/b/doc/x.js",
      "a/data.json",
    ];
    const left = [
      "a/index.d.ts",
      "a/x.js.map",
      "a/README.md",
      "a/test/x.js",
      "@s/b/tests/x.js",
      "a/.eslintrc",
      ".bin/a",
    ];
    for (const file of ["swagger-ui-dist/swagger-ui-bundle.js", ...kept, ...left]) {
      await mkdir(dirname(join(folder, "node_modules", file)), { recursive: true });
      await writeFile(join(folder, "node_modules", file), "");
    }
    const script = trimmed.replace(/^RUN /, "").replaceAll("/image", folder);
    await promisify(execFile)("sh", ["-c", script], { cwd: folder });
    const rest = await readdir(join(folder, "node_modules"), { recursive: true, withFileTypes: true });
    const files = rest
      .filter((entry) => entry.isFile())
      .map((entry) => relative(join(folder, "node_modules"), join(entry.parentPath, entry.name)));
    expect(files.sort()).toEqual(["swagger-ui-dist/swagger-ui-bundle.js", ...kept].sort());
  },
);
