/** One line of a scrape. */
export interface ScrapedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Scrape {
  /** Metric → `counter`, `gauge`, `histogram`, `summary`. */
  readonly types: ReadonlyMap<string, string>;
  readonly help: ReadonlyMap<string, string>;
  readonly samples: readonly ScrapedSample[];
}

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)/y;

/** Reads the text format of Prometheus, version 0.0.4. @throws Error naming the line that is none of it */
export function readPrometheusText(text: string): Scrape {
  const types = new Map<string, string>();
  const help = new Map<string, string>();
  const samples: ScrapedSample[] = [];
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    const said = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line);
    if (said !== null) {
      (said[1] === "TYPE" ? types : help).set(said[2]!, said[3]!);
      continue;
    }
    if (line.startsWith("#")) continue;
    const read = LINE.exec(line);
    if (read === null) throw new Error(`not a line of the text format: ${line}`);
    samples.push({ name: read[1]!, labels: labelsOf(read[2] ?? "", line), value: numberOf(read[3]!) });
  }
  return { types, help, samples };
}

function labelsOf(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  let read = 0;
  for (let found = LABEL.exec(text); found !== null; found = LABEL.exec(text)) {
    labels[found[1]!] = found[2]!.replaceAll(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c));
    read = LABEL.lastIndex;
  }
  if (read !== text.length) throw new Error(`not a line of the text format: ${line}`);
  return labels;
}

const numberOf = (text: string): number =>
  text === "+Inf" || text === "Inf"
    ? Number.POSITIVE_INFINITY
    : text === "-Inf"
      ? Number.NEGATIVE_INFINITY
      : Number(text);

/** Of one metric, the sum of what has these labels. */
export const sampleOf = (
  { samples }: Pick<Scrape, "samples">,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number =>
  samples
    .filter(
      (sample) =>
        sample.name === name &&
        Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    )
    .reduce((sum, { value }) => sum + value, 0);
