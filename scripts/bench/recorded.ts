import { readFile } from "node:fs/promises";

/** A figure as it was last measured on a quiet machine, and how far it may be from that where others use the machine too. */
export interface RecordedFigure {
  readonly measured: number;
  readonly better: "more" | "less";
  /** The short form fails when its figure is worse than this: about half as good as measured. */
  readonly limit: number;
}

/** By bench (`scripts/bench-NAME.ts`), and of each by the words of its figure. */
export type Recorded = Readonly<Record<string, Readonly<Record<string, RecordedFigure>>>>;

export async function readRecorded(): Promise<Recorded> {
  return JSON.parse(await readFile(new URL("recorded.json", import.meta.url), "utf8")) as Recorded;
}

/**
 * What a short form says of its figures: a sentence for each that is far worse than recorded. Every recorded figure must have been
 * measured, and every measured one be recorded: else it would be judged by nobody.
 */
export function judge(
  bench: string,
  recorded: Recorded,
  measured: Readonly<Record<string, number>>,
): readonly string[] {
  const known = recorded[bench] ?? {};
  const names = new Set([...Object.keys(known), ...Object.keys(measured)]);
  return [...names].flatMap((name) => {
    const [record, figure] = [known[name], measured[name]];
    if (record === undefined) return [`bench:${bench}: ${name} is not in scripts/bench/recorded.json.`];
    if (figure === undefined || Number.isNaN(figure)) return [`bench:${bench}: ${name} was not measured.`];
    const { better, limit } = record;
    if (better === "more" ? figure >= limit : figure <= limit) return [];
    const side = better === "more" ? "below" : "above";
    return [
      `bench:${bench}: ${name} is ${round(figure)}, ${side} ${limit}, and was ${record.measured} when it was recorded.`,
    ];
  });
}

/** The end of a short form: a sentence and exit code 1 where a figure is far worse than recorded. */
export async function endShortForm(bench: string, measured: Readonly<Record<string, number>>): Promise<void> {
  const sentences = judge(bench, await readRecorded(), measured);
  for (const sentence of sentences) console.error(sentence);
  if (sentences.length > 0) process.exitCode = 1;
}

const round = (figure: number) => Number(figure.toPrecision(3));
