import { program, ROOT } from "../checks.ts";
import { runChild } from "../run-child.mjs";

/**
 * Runs one file of tests that prints its figure, and prints that as the last line.
 * @returns the exit code
 */
export async function runFigure(
  file: string,
  environment: Readonly<Record<string, string>>,
): Promise<number> {
  const { code, output } = await runChild(process.execPath, program("vitest/vitest.mjs", "run", file), {
    cwd: ROOT,
    capture: true,
    env: { NO_COLOR: "1", ...environment, ...process.env },
  });
  const lines = output.split("\n");
  const figures = lines.filter((line) => line.startsWith("figure: ")).map((line) => line.slice(8));
  const ok = code === 0 && figures.length > 0;
  if (!ok) process.stdout.write(`${output}\n`);
  else for (const line of lines) if (/^seed \d/.test(line)) process.stdout.write(`${line}\n`);
  process.stdout.write(`${ok ? "ok" : "FAILED"}: ${figures.join("; ") || "no figure"}\n`);
  return ok ? 0 : 1;
}
