// `npm run notices`: writes the notices of all packages that are distributed; after every change of the lock file.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "./checks.ts";
import { NOTICES_FILE, thirdPartyNotices } from "./papers/third-party-notices.ts";

await writeFile(join(ROOT, NOTICES_FILE), await thirdPartyNotices(ROOT));
process.stdout.write(`written: ${NOTICES_FILE}\n`);
