import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT, read, roomOf, typescriptFiles } from "./source.ts";

/** What a newcomer sees first. A new name here is a decision, so it is made here too. */
const TOP_LEVEL = [
  ...["README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE"],
  ...["src", "test", "scripts", "config"],
  ...["package.json", "package-lock.json", "tsconfig.json", "biome.json", "vitest.config.ts"],
  ...["Dockerfile", "docker-compose.yml"],
  ...[".ci", ".dockerignore", ".editorconfig", ".gitignore", ".npmrc"],
];

/** Made by programs, not kept in the repository. */
const MADE = [".git", "node_modules", ".data", "coverage", "secrets"];

const LINES_MAX = 400;
/** Longer ones, each with what they may reach; one that has shrunk leaves this list. */
const LONG_FILES: Readonly<Record<string, number>> = {};

const rooms = [...new Set(typescriptFiles("src").map(roomOf))];

describe("the house", () => {
  it.each(rooms)("src/%s says in its README what it is for", (room) => {
    expect(existsSync(join(ROOT, "src", room, "README.md"))).toBe(true);
    const readme = read(`src/${room}/README.md`);
    expect(readme.startsWith(`# ${room}\n`)).toBe(true);
    expect(readme.length).toBeGreaterThan(200);
  });

  it("holds nothing at its top level but the agreed names", () => {
    const strangers = readdirSync(ROOT).filter((name) => !TOP_LEVEL.includes(name) && !MADE.includes(name));
    expect(strangers.filter((name) => !name.endsWith(".log"))).toEqual([]);
  });

  it("has no file that nobody can hold in mind", () => {
    const lines = (file: string) => read(file).split("\n").length - 1;
    const long = typescriptFiles("src").filter((file) => lines(file) > (LONG_FILES[file] ?? LINES_MAX));
    expect(long.map((file) => `${file}: ${lines(file)} lines`)).toEqual([]);
    for (const file of Object.keys(LONG_FILES)) expect(lines(file), file).toBeGreaterThan(LINES_MAX);
  });
});
