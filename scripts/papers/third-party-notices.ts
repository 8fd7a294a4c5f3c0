import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";

/** Where they stand in the repository; the image has them beside LICENSE. */
export const NOTICES_FILE = "config/papers/THIRD-PARTY-NOTICES.txt";

interface Locked {
  readonly version: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly devOptional?: boolean;
}

interface Manifest {
  readonly author?: string | { readonly name?: string };
  readonly repository?: string | { readonly url?: string };
}

/** What a package says of its licence, file by file. */
interface Notice {
  readonly id: string;
  readonly licence: string;
  readonly by: string;
  readonly from: string;
  readonly texts: readonly { readonly file: string; readonly text: string }[];
}

const LICENCE_FILE =
  /^(?:licen[cs]e|copying|notice|copyright(?:notice)?)(?:[.-][\w.-]+)?$|\.licen[cs]e\.txt$/i;
/** What a bundler wrote of the packages inside its file; that the file itself is code is seen by its ending. */
const CODE = /\.(?:[cm]?[jt]s|json|map)$/i;

/** Folders of the packages that the image has: `npm ci --omit=dev --omit=optional` installs these and no others. */
export function shippedPackages(lock: { readonly packages: Readonly<Record<string, Locked>> }): string[] {
  return Object.entries(lock.packages)
    .filter(([path, { dev, optional, devOptional }]) => path !== "" && !(dev || optional || devOptional))
    .map(([path]) => path)
    .sort((a, b) => (a < b ? -1 : 1));
}

/**
 * The notices of every package that is shipped, as they stand in the packages themselves.
 * @throws Error where a package is not installed, or says nothing of its licence.
 */
export async function thirdPartyNotices(root: string): Promise<string> {
  const lock = JSON.parse(await readFile(join(root, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, Locked>>;
  };
  const notices: Notice[] = [];
  for (const path of shippedPackages(lock)) notices.push(await noticeOf(root, path, lock.packages[path]!));
  return render(notices);
}

async function noticeOf(root: string, path: string, locked: Locked): Promise<Notice> {
  const folder = join(root, path);
  const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
  const manifest = JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as Manifest & {
    readonly version: string;
    readonly license?: string;
  };
  if (manifest.version !== locked.version)
    throw new Error(`${name} is installed as ${manifest.version}, and the lock file says ${locked.version}.`);
  const licence = locked.license ?? manifest.license;
  if (licence === undefined) throw new Error(`${name} does not say what its licence is.`);
  return {
    id: `${name} ${locked.version}`,
    licence,
    by: typeof manifest.author === "string" ? manifest.author : (manifest.author?.name ?? ""),
    from: (typeof manifest.repository === "string" ? manifest.repository : (manifest.repository?.url ?? ""))
      .replace(/^git\+/, "")
      .replace(/\.git$/, ""),
    texts: await licenceTexts(folder),
  };
}

/** Its licence files, wherever they lie in it; of a package without one, the part of its README that is headed so. */
async function licenceTexts(folder: string): Promise<Notice["texts"]> {
  const files = (await readdir(folder, { recursive: true, encoding: "utf8" }))
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => !file.split("/").includes("node_modules"))
    .filter((file) => LICENCE_FILE.test(basename(file)) && !CODE.test(file))
    .sort((a, b) => (a < b ? -1 : 1));
  const texts = await Promise.all(
    files.map(async (file) => ({ file, text: tidy(await readFile(join(folder, file), "utf8")) })),
  );
  if (texts.length > 0) return texts;
  const readme = (await readdir(folder)).find((file) => /^readme(?:\.md)?$/i.test(file));
  if (readme === undefined) return [];
  const part = /^(?:#+ *)?licen[cs]e\n(?:[=-]+\n)?([\s\S]+)$/im.exec(
    tidy(await readFile(join(folder, readme), "utf8")),
  );
  return part?.[1]?.includes("Copyright") ? [{ file: readme, text: tidy(part[1]) }] : [];
}

const tidy = (text: string): string =>
  text
    .replace(/^\uFEFF/, "")
    .replace(/\r\n?/g, "\n")
    .replace(/[ \t]+$/gm, "")
    .trim();

const RULE = "=".repeat(100);

function render(notices: readonly Notice[]): string {
  const counts = new Map<string, number>();
  for (const { licence } of notices) counts.set(licence, (counts.get(licence) ?? 0) + 1);
  const head = [
    "THIRD-PARTY NOTICES",
    "",
    `This product is distributed with ${notices.length} packages from npm. Each stays under its own licence.`,
    "Made by `npm run papers` from package-lock.json and the packages themselves; a test compares.",
    "Packages that only tests and development use are not distributed, and are not listed.",
    "",
    "The container image also holds Node.js and packages of Debian. Their notices are in the image,",
    "under /usr/share/doc: nodejs/LICENSE, and a file `copyright` for each package of Debian.",
    "",
    ...[...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([licence, count]) => `  ${licence}: ${count}`),
  ];
  return `${[head.join("\n"), ...sections(notices)].join(`\n\n${RULE}\n\n`)}\n`;
}

/** A text that several packages have, word by word, stands once, under all their names. */
function sections(notices: readonly Notice[]): string[] {
  const together = new Map<string, Notice[]>();
  for (const notice of notices) {
    const key = JSON.stringify([
      notice.licence,
      notice.texts.map(({ text }) => text),
      notice.texts.length || notice.id,
    ]);
    together.set(key, [...(together.get(key) ?? []), notice]);
  }
  const bodies = [...together.values()].map((same) => {
    const [{ texts, licence, by, from }] = same as [Notice];
    const names = same.map(({ id }) => id).join("\n");
    // What lies deeper is about packages that a bundler put into a file, and not about the package itself.
    const own = texts.some(({ file }) => !file.includes("/"));
    const missing = `The package holds no licence text of its own. Its package.json names the licence${by === "" ? "" : `, the author (${by})`}${from === "" ? "" : ` and the source: ${from}`}. The standard text of ${licence} is at the end.`;
    const parts = texts.map(({ file, text }) => (texts.length === 1 ? text : `--- ${file}\n\n${text}`));
    return {
      licence,
      own,
      text: [`${names}\nLicence: ${licence}`, ...(own ? [] : [missing]), ...parts].join("\n\n"),
    };
  });
  const standard = [...new Set(bodies.filter(({ own }) => !own).map(({ licence }) => licence))].map(
    (licence) => {
      const text = STANDARD_TEXTS[licence];
      if (text === undefined)
        throw new Error(`A package under ${licence} holds no licence text, and there is none here.`);
      return `The standard text of ${licence}, for the packages above that hold none\n\n${text}`;
    },
  );
  return [...bodies.map(({ text }) => text), ...standard];
}

/** Of licences under which packages are published without their text. */
const STANDARD_TEXTS: Readonly<Record<string, string>> = {
  MIT: `Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.`,
};
