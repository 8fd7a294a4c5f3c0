import type { Series } from "./prometheus.ts";

export interface DrawnPanel {
  readonly title: string;
  readonly unit: string;
  readonly stacked: boolean;
  /** Seconds since 1970: the same for all, so that they can be read side by side. */
  readonly from: number;
  readonly to: number;
  readonly series: readonly (Series & { readonly legend: string })[];
}

export interface DrawnRow {
  readonly title: string;
  readonly panels: readonly DrawnPanel[];
}

const COLUMNS = 3;
const [WIDTH, HEIGHT, GAP, HEAD] = [400, 168, 10, 30];
const [LEFT, TOP, PLOT_WIDTH, PLOT_HEIGHT] = [52, 26, 336, 84];
const LEGENDS_MAX = 8;
// Okabe and Ito's, which people who see colours otherwise tell apart; the rest are shades between.
const COLOURS = ["#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#0072b2", "#d55e00", "#999999"];

/** The panels of a dashboard as one SVG: small, without a script, a font or anything from elsewhere. */
export function drawDashboard(title: string, rows: readonly DrawnRow[]): string {
  const parts: string[] = [];
  let y = 44;
  for (const row of rows) {
    parts.push(text(14, y + 19, row.title, 14, "#d8d9da", "600"));
    y += HEAD;
    for (const [at, panel] of row.panels.entries()) {
      const column = at % COLUMNS;
      const below = Math.floor(at / COLUMNS) * (HEIGHT + GAP);
      parts.push(
        `<g transform="translate(${GAP + column * (WIDTH + GAP)},${y + below})">${drawPanel(panel)}</g>`,
      );
    }
    y += Math.ceil(row.panels.length / COLUMNS) * (HEIGHT + GAP);
  }
  const width = COLUMNS * (WIDTH + GAP) + GAP;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" font-family="sans-serif">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${y}" fill="#111217"/>`,
    text(14, 28, title, 17, "#ffffff", "600"),
    ...parts,
    "</svg>\n",
  ].join("\n");
}

function drawPanel({ title, unit, stacked, series, from, to }: DrawnPanel): string {
  const shown = series.filter(({ points }) => points.length > 0);
  const parts = [
    `<rect width="${WIDTH}" height="${HEIGHT}" rx="3" fill="#181b1f" stroke="#2c3235"/>`,
    text(10, 18, title, 12, "#d8d9da", "600"),
  ];
  if (shown.length === 0) return [...parts, text(WIDTH / 2 - 20, 75, "nothing", 11, "#6e7077")].join("");
  const lines = stacked ? stackUp(shown) : shown.map(({ points }) => points);
  const finite = lines.flatMap((points) => points.map(([, value]) => value)).filter(Number.isFinite);
  const top = niceAbove(Math.max(...finite, unit === "percentunit" ? 1 : 0));
  const x = (at: number) => LEFT + ((at - from) / Math.max(1, to - from)) * PLOT_WIDTH;
  const y = (value: number) => TOP + PLOT_HEIGHT * (1 - Math.min(1, value / top));
  for (const part of [0, 0.5, 1]) {
    const at = TOP + PLOT_HEIGHT * (1 - part);
    parts.push(`<path d="M${LEFT} ${at}h${PLOT_WIDTH}" stroke="#2c3235"/>`);
    parts.push(text(LEFT - 5, at + 4, inUnit(top * part, unit), 9, "#8e9097", "400", "end"));
  }
  // The topmost first, so that what lies below is drawn over it.
  for (const index of lines.keys().toArray().reverse()) {
    const colour = COLOURS[index % COLOURS.length]!;
    for (const piece of pieces(lines[index]!)) {
      const path = piece
        .map(([at, value], i) => `${i === 0 ? "M" : "L"}${x(at).toFixed(0)} ${y(value).toFixed(1)}`)
        .join("");
      const [first, last] = [x(piece[0]![0]).toFixed(0), x(piece.at(-1)![0]).toFixed(0)];
      if (stacked)
        parts.push(
          `<path d="${path}L${last} ${TOP + PLOT_HEIGHT}L${first} ${TOP + PLOT_HEIGHT}z" fill="${colour}" fill-opacity=".85"/>`,
        );
      else parts.push(`<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.4"/>`);
    }
  }
  for (const [index, { legend, points }] of shown.slice(0, LEGENDS_MAX).entries()) {
    const [column, line] = [index % 2, Math.floor(index / 2)];
    const [lx, ly] = [LEFT - 38 + column * 190, TOP + PLOT_HEIGHT + 13 + line * 12.5];
    const more =
      index === LEGENDS_MAX - 1 && shown.length > LEGENDS_MAX
        ? ` and ${shown.length - LEGENDS_MAX} more`
        : "";
    parts.push(
      `<rect x="${lx}" y="${ly - 7}" width="9" height="4" fill="${COLOURS[index % COLOURS.length]}"/>`,
    );
    parts.push(text(lx + 14, ly - 2, `${legend} ${inUnit(points.at(-1)![1], unit)}${more}`, 9, "#b0b2b8"));
  }
  return parts.join("");
}

/** Each on top of the ones before it. */
function stackUp(series: readonly Series[]): readonly Series["points"][] {
  const sums = new Map<number, number>();
  return series.map(({ points }) =>
    points.map(([at, value]) => {
      const sum = (sums.get(at) ?? 0) + (Number.isFinite(value) ? value : 0);
      sums.set(at, sum);
      return [at, sum] as const;
    }),
  );
}

/** What is not known makes a gap. */
function pieces(points: Series["points"]): readonly (readonly (readonly [number, number])[])[] {
  const found: (readonly [number, number])[][] = [[]];
  let before: number | undefined;
  for (const point of points) {
    const gap = !Number.isFinite(point[1]) || (before !== undefined && point[0] - before > 5);
    if (gap) found.push([]);
    if (Number.isFinite(point[1])) found.at(-1)!.push(point);
    before = point[0];
  }
  return found.filter((piece) => piece.length > 1);
}

function niceAbove(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= value * 0.999) ?? value;
}

function inUnit(value: number, unit: string): string {
  if (!Number.isFinite(value)) return "–";
  const short = (n: number) => String(Number(n.toPrecision(3)));
  switch (unit) {
    case "s":
      return value === 0 ? "0" : value < 1 ? `${short(value * 1_000)} ms` : `${short(value)} s`;
    case "bytes":
      return `${short(value / 2 ** 20)} MiB`;
    case "percentunit":
      return `${short(value * 100)} %`;
    case "reqps":
    case "ops":
      return `${short(value)}/s`;
    default:
      return Math.abs(value) >= 10_000 ? `${short(value / 1_000)} k` : short(value);
  }
}

const text = (
  x: number,
  y: number,
  said: string,
  size: number,
  fill: string,
  weight = "400",
  anchor = "start",
): string =>
  `<text x="${x}" y="${y}" font-size="${size}" fill="${fill}" font-weight="${weight}" text-anchor="${anchor}">${escaped(said)}</text>`;

const escaped = (said: string): string =>
  said.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
