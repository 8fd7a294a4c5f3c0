import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const FOLDER = new URL("../../src/store/lua/", import.meta.url).pathname;

/** The first words of keys that scripts make of an organisation's prefix, each with a script that does. */
export function luaNouns(): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const file of readdirSync(FOLDER).filter((name) => name.endsWith(".lua"))) {
    const text = readFileSync(join(FOLDER, file), "utf8").replaceAll(/--[^\n]*/g, "");
    for (const [, noun = ""] of text.matchAll(/(?:\bprefix|prefix_of\([^)]*\))\s*\.\.\s*'([a-z-]+)[:']/g))
      found.set(noun.replace(/-$/, ""), file);
  }
  return found;
}
