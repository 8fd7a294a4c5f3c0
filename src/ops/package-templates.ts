import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Zippable, zipSync } from "fflate";
import type { PackageMaker } from "../broker/organisations/registration-package.ts";
import { Problem } from "../domain/problem.ts";
import { fillManifest, TemplateFault } from "./fill-manifest.ts";

const MANIFEST = "manifest.yaml";
const FILES_MAX = 100;
const BYTES_MAX = 4 * 1024 * 1024;
const FILE_NAME = /^[\w.-]+(\/[\w.-]+)*$/;

/**
 * The port `PackageMaker` over a folder with one folder for each kind: `manifest.yaml` is filled in, other files (an icon)
 * are packed as they are. Read anew for every package, so that a template can be tried without a restart.
 */
export function makePackageTemplates(folder: string): PackageMaker {
  return {
    async make(kind, values) {
      const files = await readFolder(join(folder, kind));
      const template = files.get(MANIFEST);
      if (template === undefined) throw faulty(`${kind} has no ${MANIFEST}`);
      try {
        const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(template);
        files.set(MANIFEST, new TextEncoder().encode(fillManifest(text, values)));
      } catch (error) {
        if (error instanceof TemplateFault) throw faulty(`${kind}/${MANIFEST} ${error.message}`);
        if (error instanceof TypeError) throw faulty(`${kind}/${MANIFEST} is not UTF-8`);
        throw error;
      }
      return zip(files);
    },
  };
}

const faulty = (sentence: string): Problem =>
  new Problem("package_template_faulty", { detail: `The template ${sentence}.` });

/** Regular files by their names with slashes. Hidden ones stay out: editors and file managers leave them behind. */
async function readFolder(folder: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  let bytes = 0;
  const walk = async (prefix: string): Promise<void> => {
    for (const entry of await readdir(join(folder, prefix), { withFileTypes: true })) {
      const name = prefix + entry.name;
      if (entry.name.startsWith(".")) continue;
      if (!FILE_NAME.test(name))
        throw faulty(
          "folder holds a file whose name is more than letters, digits, dots, hyphens and underscores",
        );
      if (entry.isDirectory()) await walk(`${name}/`);
      else if (entry.isFile()) {
        const content = await readFile(join(folder, name));
        bytes += content.length;
        files.set(name, content);
      } else throw faulty(`folder holds ${name}, which is no regular file`);
      if (files.size > FILES_MAX || bytes > BYTES_MAX)
        throw faulty(`folder holds more than ${FILES_MAX} files or ${BYTES_MAX / 1024 / 1024} MiB`);
    }
  };
  await walk("").catch((error: NodeJS.ErrnoException) => {
    if (error instanceof Problem) throw error;
    throw faulty(`folder of the operator cannot be read (${error.code ?? "unknown"})`);
  });
  return files;
}

/**
 * The same bytes for the same files, on every machine: names in order, the manifest first, nothing compressed (so that they
 * depend on no compressor), and one moment for all. The format has local times without a zone, and fflate writes them from
 * a Date's local fields.
 */
function zip(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const names = [...files.keys()].filter((name) => name !== MANIFEST).sort();
  const entries = [MANIFEST, ...names].map((name) => [name, files.get(name)!] as const);
  return zipSync(Object.fromEntries(entries) as Zippable, { level: 0, mtime: new Date(1980, 0, 1) });
}
