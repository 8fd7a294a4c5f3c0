import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, normalize } from "node:path";
import { describe, expect, it } from "vitest";
import { settingsTable } from "../../src/config/settings.ts";
import { STORE_FORMAT } from "../../src/domain/store-format.ts";
import { ROOT } from "./program.ts";

const FOLDER = "config/papers";
const read = (file: string) => readFileSync(join(ROOT, file), "utf8");
const papers = readdirSync(join(ROOT, FOLDER)).filter((name) => name.endsWith(".md"));
const paper = (name: string) => read(`${FOLDER}/${name}`);

/** As GitHub makes it of a heading. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");

describe("the papers", () => {
  it.each(papers)("%s leads nowhere that is not there", (name) => {
    const links = [...paper(name).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)];
    for (const [, path = "", anchor] of links) {
      const target = path === "" ? `${FOLDER}/${name}` : normalize(join(FOLDER, path));
      expect(existsSync(join(ROOT, target)), target).toBe(true);
      const headings =
        anchor === undefined ? [] : [...read(target).matchAll(/^#+ (.+)$/gm)].map(([, it]) => anchorOf(it!));
      if (anchor !== undefined) expect(headings, `${name}: ${target}`).toContain(anchor);
    }
  });

  it.each(papers)("%s names no setting that there is not", (name) => {
    const settings = new Set([...settingsTable().matchAll(/^\| `(\w+)`/gm)].map(([, it]) => it));
    const named = [...paper(name).matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=[^`]*)?`/g)].map(
      ([, it]) => it!,
    );
    expect(named.filter((it) => !settings.has(it))).toEqual([]);
  });

  it("are each in the list of papers, and the main README leads to them", () => {
    for (const name of readdirSync(join(ROOT, FOLDER)).filter((it) => it !== "README.md")) {
      expect(paper("README.md")).toContain(`](${name})`);
      expect(read("README.md")).toContain(`](${FOLDER}/${name})`);
    }
  });

  it("promise no figure but those of the README, word for word", () => {
    const [, figures = ""] = paper("service-level.md").split("## What was measured");
    const rows = figures.split("\n").filter((line) => /^\| \S/.test(line) && !line.startsWith("| | "));
    expect(rows.length).toBeGreaterThan(10);
    const readme = new Set(read("README.md").split("\n"));
    expect(rows.filter((row) => !readme.has(row))).toEqual([]);
  });

  it("tell the format of stored records as it is, and the level that the alerts measure", () => {
    expect(paper("stability.md")).toContain(
      `This version writes format ${STORE_FORMAT} and reads format ${STORE_FORMAT};`,
    );
    expect(paper("service-level.md")).toContain(
      "999 of 1,000 counted requests for a token succeed, and 999 of 1,000 counted refreshes",
    );
    expect(read("config/alerts.yaml")).toMatch(/token_errors:ratio_rate1h > 14\.4 \* 0\.001/);
    expect(read("config/alerts.yaml")).toMatch(/refresh_errors:ratio_rate1h > 14\.4 \* 0\.001/);
  });

  it("say of each managed service its class and where that is said, or that it is unknown", () => {
    const text = paper("managed-redis.md");
    const [, table = "", sources = ""] = text.split(/^## The table$|^## Where it is said$/m);
    const numbered = new Map(
      [...sources.matchAll(/^(\d+)\. (.+)$/gm)].map(([, at, it]) => [Number(at), it!]),
    );
    const rows = table
      .split("\n")
      .filter((line) => /^\| [A-Z]|^\| the same/.test(line) && !line.startsWith("| Service"));
    expect(rows.length).toBeGreaterThan(12);
    const used = new Set<number>();
    for (const row of rows) {
      const cells = row.slice(2, -2).split(" | ");
      expect(cells, row).toHaveLength(4);
      expect(cells[1], row).toMatch(/^(D[0-3]\b|unknown|none of ours|not usable)/);
      for (const [, at] of row.matchAll(/\[(\d+)\]/g)) used.add(Number(at));
      expect(row, row).toMatch(/\[\d+\]|unknown/);
    }
    expect([...used].sort((a, b) => a - b)).toEqual([...numbered.keys()]);
    for (const source of numbered.values()) expect(source).toMatch(/https:\/\/|`\w[\w-]+\/[\w-]+`/);
  });
});
