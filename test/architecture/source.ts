import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export interface Import {
  /** `src/…`, with slashes. */
  readonly from: string;
  /** `src/…`, or the name of a package as it was written. */
  readonly to: string;
  readonly typeOnly: boolean;
}

/** Every file under `folder` that ends in `.ts`. */
export function typescriptFiles(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
    .sort();
}

export const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");

/** The import and re-export statements of a file, and its `import("…")` calls. */
export function importsOf(file: string, text = read(file)): readonly Import[] {
  const statements = text.matchAll(
    /^(?:import|export)\s+(type\s)?(?:([^;"'`]*?)\sfrom\s+)?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']/gm,
  );
  return [...statements].map(([, type, names, from, dynamic]) => {
    const specifier = from ?? dynamic!;
    return {
      from: file,
      to: specifier.startsWith(".")
        ? normalize(join(dirname(file), specifier)).replaceAll("\\", "/")
        : specifier,
      typeOnly: type !== undefined || onlyTypes(names),
    };
  });
}

/** `{ type A, type B }`: nothing of it is left when types are stripped but the statement itself. */
function onlyTypes(names: string | undefined): boolean {
  const list = /^\{([\s\S]*)\}$/.exec(names?.trim() ?? "")?.[1];
  const each =
    list
      ?.split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "") ?? [];
  return each.length > 0 && each.every((name) => name.startsWith("type "));
}

/** A file's text without comments: what is said about a rule does not break it. */
export const withoutComments = (text: string): string =>
  text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/(^|\s)\/\/[^\n]*/g, "$1");

export const roomOf = (file: string): string => file.split("/")[1] ?? "";
export const isOurs = (to: string): boolean => to.startsWith("src/");
