import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { program } from "../checks.ts";
import { runChild } from "../run-child.mjs";

/** What the tests of one proof said. */
export type ProofResult =
  | { readonly kind: "green"; readonly tests: number; readonly printed: readonly string[] }
  /** `first`: what the first failed test said first. */
  | { readonly kind: "red"; readonly tests: number; readonly first: string; readonly output: string }
  /** Nothing ran: no title matched, or the file did not load. */
  | { readonly kind: "nothing"; readonly output: string };

interface JsonReport {
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly status: string;
      readonly failureMessages?: readonly string[];
    }[];
  }[];
}

/** Runs the tests of `file` whose titles hold `title`, in the copy of the project at `root`. */
export async function runProof(
  root: string,
  { file, title }: { readonly file: string; readonly title: string },
  environment: Readonly<Record<string, string>> = {},
): Promise<ProofResult> {
  const report = join(root, ".data", `proof-${process.pid}.json`);
  const { output } = await runChild(
    process.execPath,
    [
      ...program("vitest/vitest.mjs", "run", file, "-t", literally(title)),
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${report}`,
    ],
    { cwd: root, capture: true, env: { ...process.env, NO_COLOR: "1", ...environment } },
  );
  const assertions = await read(report);
  const ran = assertions.filter(({ status }) => status === "passed" || status === "failed");
  const failed = ran.filter(({ status }) => status === "failed");
  if (ran.length === 0) return { kind: "nothing", output };
  if (failed.length === 0) return { kind: "green", tests: ran.length, printed: printedBy(output) };
  const first = failed[0]?.failureMessages?.[0]?.split("\n", 1)[0] ?? "failed";
  return { kind: "red", tests: ran.length, first, output };
}

async function read(report: string) {
  try {
    const { testResults } = JSON.parse(await readFile(report, "utf8")) as JsonReport;
    return testResults.flatMap(({ assertionResults }) => assertionResults);
  } catch {
    return [];
  }
}

/** What a test tells about its run: seeds and figures. Lines of vitest's own are left out. */
const printedBy = (output: string): string[] =>
  output.split("\n").filter((line) => /^(seed \d|figure: )/.test(line));

/** vitest reads `-t` as a regular expression. A place that `each` fills stands for anything. */
const literally = (title: string): string =>
  title.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/%[sdifjo#]/g, ".*");
