// `npm run papers`: writes what of config/papers is made from elsewhere: the notices of all packages that are distributed, the
// tables of the personal-data sheet. After every change of the lock file, of `papers/kept.ts`, or of a length that it tells.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "./checks.ts";
import { KEPT_FILE, keptTables } from "./papers/kept.ts";
import { NOTICES_FILE, thirdPartyNotices } from "./papers/third-party-notices.ts";

await writeFile(join(ROOT, NOTICES_FILE), await thirdPartyNotices(ROOT));

const sheet = await readFile(join(ROOT, KEPT_FILE), "utf8");
const tables = keptTables();
const [heading = ""] = tables.split("\n");
const begins = sheet.indexOf(heading);
// The tables are the end of the sheet.
await writeFile(join(ROOT, KEPT_FILE), `${begins === -1 ? sheet : sheet.slice(0, begins)}${tables}\n`);
process.stdout.write(`written: ${NOTICES_FILE}, ${KEPT_FILE}\n`);
