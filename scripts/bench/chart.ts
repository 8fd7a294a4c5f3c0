import { mkdir, writeFile } from "node:fs/promises";

/**
 * A bench's chart for the README: one SVG without a script, a font or anything from elsewhere, readable on a light and on a dark page.
 * Lines have markers of their own shape and bars their values written on them, so that nobody needs the colours.
 */

export interface Axis {
  readonly label: string;
  /** Written after the label, in brackets. */
  readonly unit?: string;
  readonly scale?: "linear" | "log";
}

export interface Chart {
  readonly title: string;
  /** Below the title: on what, how much of it, when. */
  readonly note?: string;
  readonly y: Axis;
}

export interface LineChart extends Chart {
  readonly x: Axis;
  readonly lines: readonly {
    readonly name: string;
    readonly points: readonly (readonly [number, number])[];
  }[];
  /** Levels that are wanted or not to be passed, across the whole chart. */
  readonly levels?: readonly Level[];
}

export interface BarChart extends Chart {
  /** What the bars of each group stand for: the legend. */
  readonly bars: readonly string[];
  /** A value for each bar, undefined where there is none. */
  readonly groups: readonly { readonly name: string; readonly values: readonly (number | undefined)[] }[];
  readonly levels?: readonly Level[];
}

interface Level {
  readonly at: number;
  readonly name: string;
}

const [WIDTH, HEIGHT] = [720, 400];
const PLOT = { left: 76, top: 64, width: 620, height: 250 } as const;
const BOTTOM = PLOT.top + PLOT.height;
// Okabe and Ito's, which people who see colours otherwise tell apart, a little darker on light and lighter on dark ground.
const LIGHT = ["#0072b2", "#c2570c", "#007a5a", "#a1467a", "#8a6d00", "#5b6770"];
const DARK = ["#56b4e9", "#f0a35e", "#3ccfa4", "#e39cc4", "#f0e442", "#aab4be"];
const STYLE = [
  "svg{font:12px sans-serif}.ground{fill:#fff}text{fill:#24292f}.faint{fill:#57606a}.grid{stroke:#d8dee4;fill:none}.level{stroke:#57606a;stroke-dasharray:5 4;fill:none}",
  LIGHT.map(classes).join(""),
  "@media(prefers-color-scheme:dark){.ground{fill:#0d1117}text{fill:#e6edf3}.faint{fill:#9198a1}.grid{stroke:#30363d}.level{stroke:#9198a1}",
  DARK.map(classes).join(""),
  "}",
].join("");

export function lineChart(chart: LineChart): string {
  const points = chart.lines.flatMap((line) => line.points);
  const x = scale(
    chart.x,
    points.map(([at]) => at),
    PLOT.left,
    PLOT.left + PLOT.width,
    false,
  );
  const y = scaleOfValues(
    chart,
    points.map(([, value]) => value),
  );
  const parts = [...axisOfValues(chart.y, y)];
  for (const at of x.ticks) parts.push(text(x.of(at), BOTTOM + 17, short(at), "faint", "middle"));
  parts.push(text(PLOT.left + PLOT.width / 2, BOTTOM + 36, named(chart.x), "", "middle"));
  parts.push(...levelLines(chart.levels, y));
  for (const [index, line] of chart.lines.entries()) {
    const at = line.points.map(([px, py]) => [x.of(px), y.of(py)] as const);
    const path = at.map(([px, py], i) => `${i === 0 ? "M" : "L"}${px.toFixed(1)} ${py.toFixed(1)}`).join("");
    parts.push(`<path class="line c${index % LIGHT.length}" d="${path}"/>`);
    // With many points the markers would be the line.
    const every = Math.ceil(at.length / 24);
    for (const [px, py] of at.filter((_, i) => i % every === 0 || i === at.length - 1))
      parts.push(marker(index, px, py));
  }
  return drawn(
    chart,
    chart.lines.map(({ name }) => name),
    parts,
  );
}

export function barChart(chart: BarChart): string {
  const values = chart.groups.flatMap((group) => group.values).filter((value) => value !== undefined);
  const y = scaleOfValues(chart, values);
  const parts = [...axisOfValues(chart.y, y)];
  const slot = PLOT.width / Math.max(1, chart.groups.length);
  const width = Math.min(64, (slot * 0.8) / Math.max(1, chart.bars.length));
  for (const [place, group] of chart.groups.entries()) {
    const middle = PLOT.left + slot * (place + 0.5);
    parts.push(text(middle, BOTTOM + 17, group.name, "", "middle"));
    for (const [index, value] of group.values.entries()) {
      if (value === undefined) continue;
      const left = middle + (index - chart.bars.length / 2) * width;
      const top = Math.min(BOTTOM, y.of(value));
      parts.push(
        `<rect class="fill c${index % LIGHT.length}" x="${(left + 1).toFixed(1)}" y="${top.toFixed(1)}" width="${(width - 2).toFixed(1)}" height="${(BOTTOM - top).toFixed(1)}"/>`,
        text(left + width / 2, top - 4, short(value), "faint", "middle"),
      );
    }
  }
  parts.push(...levelLines(chart.levels, y));
  return drawn(chart, chart.bars, parts);
}

function drawn(chart: Chart, names: readonly string[], parts: readonly string[]): string {
  // One alone is what the title says.
  const legend = names.length < 2 ? [] : names;
  const column = WIDTH / Math.min(3, Math.max(1, legend.length)) - 12;
  const height = HEIGHT + Math.max(0, Math.ceil(legend.length / 3) - 1) * 18;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img">`,
    `<title>${escaped(chart.title)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect class="ground" width="${WIDTH}" height="${height}"/>`,
    `<text x="16" y="26" font-size="16" font-weight="600">${escaped(chart.title)}</text>`,
    ...(chart.note === undefined ? [] : [text(16, 45, chart.note, "faint")]),
    ...parts,
    ...legend.flatMap((name, index) => {
      const [lx, ly] = [20 + (index % 3) * column, BOTTOM + 66 + Math.floor(index / 3) * 18];
      return [marker(index, lx, ly - 4), text(lx + 12, ly, name)];
    }),
    "</svg>\n",
  ].join("\n");
}

interface Scale {
  readonly ticks: readonly number[];
  of(value: number): number;
}

function scaleOfValues(
  chart: Chart & { readonly levels?: readonly Level[] },
  values: readonly number[],
): Scale {
  const all = [...values, ...(chart.levels ?? []).map(({ at }) => at)];
  return scale(chart.y, all, BOTTOM, PLOT.top, true);
}

/** A linear scale of values begins at nothing, so that lengths may be compared. */
function scale(axis: Axis, values: readonly number[], from: number, to: number, atNothing: boolean): Scale {
  if (values.length === 0 || values.some((value) => !Number.isFinite(value)))
    throw new Error(`${axis.label}: a chart needs values, and all of them finite`);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const place = (part: number) => from + (to - from) * part;
  if (axis.scale === "log") {
    if (least <= 0) throw new Error(`${axis.label}: ${least} has no place on a logarithmic scale`);
    const low = Math.floor(Math.log10(least));
    const high = Math.max(low + 1, Math.ceil(Math.log10(most)));
    return {
      ticks: Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)),
      of: (value) => place((Math.log10(value) - low) / (high - low)),
    };
  }
  const low = atNothing ? Math.min(0, least) : least;
  const step = niceStep((most - low || Math.abs(most) || 1) / 5);
  const [first, last] = [Math.floor(low / step), Math.ceil(most / step)];
  const [start, end] = atNothing ? [first * step, Math.max(last, first + 1) * step] : [low, most];
  return {
    ticks: Array.from({ length: last - first + 1 }, (_, i) =>
      Number(((first + i) * step).toPrecision(12)),
    ).filter((tick) => tick >= start && tick <= end),
    of: (value) => place((value - start) / (end - start || 1)),
  };
}

function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= least * 0.999)!;
}

function axisOfValues(axis: Axis, y: Scale): string[] {
  const lines = y.ticks.flatMap((tick) => [
    `<path class="grid" d="M${PLOT.left} ${y.of(tick).toFixed(1)}h${PLOT.width}"/>`,
    text(PLOT.left - 7, y.of(tick) + 4, short(tick), "faint", "end"),
  ]);
  const middle = PLOT.top + PLOT.height / 2;
  return [
    ...lines,
    `<text transform="translate(20 ${middle}) rotate(-90)" text-anchor="middle">${escaped(named(axis))}</text>`,
  ];
}

function levelLines(levels: readonly Level[] | undefined, y: Scale): string[] {
  return (levels ?? []).flatMap(({ at, name }) => [
    `<path class="level" d="M${PLOT.left} ${y.of(at).toFixed(1)}h${PLOT.width}"/>`,
    text(PLOT.left + PLOT.width, y.of(at) - 5, name, "faint", "end"),
  ]);
}

function marker(index: number, x: number, y: number): string {
  const at = `${x.toFixed(1)} ${y.toFixed(1)}`;
  const shapes = [
    `M${at}m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z`,
    `M${at}m-3.5-3.5h7v7h-7z`,
    `M${at}m0-4.5l4.5 8h-9z`,
    `M${at}m0-5l5 5l-5 5l-5-5z`,
    `M${at}m0 4.5l4.5-8h-9z`,
  ];
  return `<path class="fill c${index % LIGHT.length}" d="${shapes[index % shapes.length]}"/>`;
}

function classes(colour: string, index: number): string {
  return `.line.c${index}{stroke:${colour};fill:none;stroke-width:2}.fill.c${index}{fill:${colour}}`;
}

const named = ({ label, unit }: Axis): string => (unit === undefined ? label : `${label} (${unit})`);

/** Three figures, with thousands as they are written in the texts. */
function short(value: number): string {
  if (Math.abs(value) >= 10_000_000) return `${Number((value / 1e6).toPrecision(3))} M`;
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}

function text(
  x: number,
  y: number,
  of: string,
  kind = "",
  anchor: "start" | "middle" | "end" = "start",
): string {
  const place = anchor === "start" ? "" : ` text-anchor="${anchor}"`;
  return `<text${kind === "" ? "" : ` class="${kind}"`} x="${x.toFixed(1)}" y="${y.toFixed(1)}"${place}>${escaped(of)}</text>`;
}

function escaped(of: string): string {
  return of.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/** Into `scripts/bench/charts/`, which the README shows. */
export async function writeChart(name: string, svg: string): Promise<void> {
  const folder = new URL("charts/", import.meta.url);
  await mkdir(folder, { recursive: true });
  await writeFile(new URL(`${name}.svg`, folder), svg);
}
