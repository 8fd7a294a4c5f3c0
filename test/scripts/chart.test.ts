import { expect, test } from "vitest";
import { barChart, lineChart } from "../../scripts/bench/chart.ts";

const LINES = {
  title: "Tokens & <grants>",
  note: 'two "cores"',
  x: { label: "Grants", scale: "log" },
  y: { label: "Latency", unit: "ms" },
  lines: [
    {
      name: "p50",
      points: [
        [1_000, 2],
        [10_000, 2],
        [1_000_000, 4],
      ],
    },
    { name: "p99 <late>", points: [[1_000, 10]] },
  ],
  levels: [{ at: 5, name: "wanted" }],
} as const;

test("a chart says its title, axes with units, legend and levels, and whatever stands in them is text", () => {
  const svg = lineChart(LINES);
  for (const words of ["Tokens &#38; &#60;grants&#62;", "two &#34;cores&#34;", "Grants", "Latency (ms)"])
    expect(svg).toContain(`>${words}</t`);
  for (const words of ["p50", "p99 &#60;late&#62;", "wanted", "1,000", "1,000,000"])
    expect(svg).toContain(`>${words}</text>`);
  expect(svg).not.toMatch(/<grants>|<late>|<script|NaN|Infinity|href|url\(/);
  expect(svg).toContain("prefers-color-scheme:dark");
});

test("points lie where their values are: on a logarithmic axis a tenfold is always the same way", () => {
  const [first, second, third] = path(lineChart(LINES));
  const way = second![0] - first![0];
  expect(third![0] - second![0]).toBeCloseTo(2 * way, 0);
  expect(second![1]).toBe(first![1]);
  // From nothing at the bottom (314) to ten at the top (64).
  expect(first![1]).toBeCloseTo(314 - 250 * 0.2, 0);
  expect(third![1]).toBeCloseTo(314 - 250 * 0.4, 0);
});

test("bars begin at nothing, are as high as their values, and have them written on them", () => {
  const svg = barChart({
    title: "Rates",
    y: { label: "Requests", unit: "1/s" },
    bars: ["floor", "broker"],
    groups: [
      { name: "everysec", values: [12_000, 6_000] },
      { name: "always", values: [3_000, undefined] },
    ],
  });
  const heights = [...svg.matchAll(/<rect class="fill[^>]* height="([\d.]+)"/g)].map(([, height]) =>
    Number(height),
  );
  expect(heights).toHaveLength(3);
  expect(heights[0]! / heights[1]!).toBeCloseTo(2, 1);
  expect(heights[0]! / heights[2]!).toBeCloseTo(4, 1);
  for (const words of ["12,000", "6,000", "3,000", "everysec", "always", "floor", "broker"])
    expect(svg).toContain(`>${words}</text>`);
});

test("what cannot be drawn is refused and not drawn wrongly", () => {
  const lines = (points: readonly (readonly [number, number])[]) => ({
    ...LINES,
    lines: [{ name: "a", points }],
  });
  expect(() => lineChart(lines([[0, 1]]))).toThrow("Grants: 0 has no place");
  expect(() => lineChart(lines([[1, Number.NaN]]))).toThrow("Latency");
  expect(() => lineChart({ ...lines([]), levels: [] })).toThrow("needs values");
});

function path(svg: string): readonly (readonly [number, number])[] {
  const [, d] = /class="line c0" d="([^"]+)"/.exec(svg)!;
  return d!
    .slice(1)
    .split("L")
    .map((point) => point.split(" ").map(Number) as [number, number]);
}
