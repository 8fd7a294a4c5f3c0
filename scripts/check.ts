// `npm run check`: format, lint and types, without the tests.
import { checks, runStep } from "./checks.ts";

for (const step of checks) {
  const { ok } = await runStep(step);
  if (!ok) process.exitCode = 1;
}
