import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";

/** Undefined: there is none here, which a warning says; whoever needs one skips. */
export const chromiumPath = [process.env.CHROMIUM_PATH, "/usr/bin/chromium"].find(isProgram);
if (chromiumPath === undefined)
  console.warn(
    "The pages were not opened in a browser: no Chromium at CHROMIUM_PATH or /usr/bin/chromium. Install one, or name it.",
  );

/** Where to put pictures, for eyes. Unset: none is taken. */
export const pictures = process.env.PAGE_PICTURES;

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export interface OpenChromium {
  readonly context: BrowserContext;
  close(): Promise<void>;
}

/** A real Chromium with a profile of its own, which goes with it. */
export async function openChromium(options: BrowserContextOptions): Promise<OpenChromium> {
  const profile = mkdtempSync(join(tmpdir(), "pages-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    ...options,
    executablePath: chromiumPath!,
    args: FLAGS,
    headless: true,
  });
  return {
    context,
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

const LOOK = `${AXE};axe.run(document,{runOnly:${JSON.stringify(WCAG)},resultTypes:["violations"]}).then(({violations}) =>
  violations.flatMap(({id,help,nodes}) => nodes.map(({html}) => id + ": " + help + ": " + html)))`;

/** What axe finds, as lines. The page's own CSP forbids scripts; axe comes in by the debugger. */
export const axeFindings = (page: Page): Promise<string[]> => page.evaluate<string[]>(LOOK);

function isProgram(path: string | undefined): path is string {
  if (path === undefined || path === "") return false;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
