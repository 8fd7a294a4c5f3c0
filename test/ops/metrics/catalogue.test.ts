import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { REFRESH_ENDS, TOKEN_RESULTS } from "../../../src/domain/outcomes.ts";
import { accessTokenProblems } from "../../../src/http/post-access-tokens.ts";
import { ALL_METRICS, metricsTable } from "../../../src/ops/metrics/all-metrics.ts";
import { COUNTED, QUEUE_NAMES } from "../../../src/ops/metrics/catalogue.ts";
import { CounterCells, HistogramCells } from "../../../src/ops/metrics/series.ts";
import { QUEUES } from "../../../src/workers/queues.ts";

describe("the catalogue of metrics", () => {
  it("is the table in its README", () => {
    const readme = readFileSync(new URL("../../../src/ops/metrics/README.md", import.meta.url), "utf8");
    expect(readme).toContain(metricsTable());
  });

  it("names by the rules: ours, in base units, counters by `_total`, each once and with a sentence", () => {
    const names = ALL_METRICS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, type, help, labels = {} } of ALL_METRICS) {
      expect(name).toMatch(/^token_broker_[a-z_]+$/);
      expect(name.endsWith("_total"), name).toBe(type === "counter");
      expect(name).not.toMatch(/_ms$|milli|_minutes|_mib/);
      expect(help, name).toMatch(/^(?:[A-Z01]|iManage).*\.$/);
      for (const label of Object.keys(labels)) expect(label).toMatch(/^[a-z]+$/);
    }
  });

  it("knows every queue, and every problem that a request for a token may end in", () => {
    expect(QUEUE_NAMES.filter((name) => name !== "other")).toEqual(Object.values(QUEUES));
    // What is refused before the story begins is told by the HTTP metric.
    const before = ["user_assertion_refused", "identity_provider_unavailable"];
    const unknown = accessTokenProblems.filter((code) => !before.includes(code) && !(code in TOKEN_RESULTS));
    expect(unknown).toEqual([]);
  });

  it("holds a bounded number of series, however busy or attacked", () => {
    const series = ALL_METRICS.reduce((sum, { labels = {}, buckets = [] }) => {
      const cells = Object.values(labels).reduce(
        (product, values) => product * Math.max(1, values.length),
        1,
      );
      return sum + cells * (buckets.length === 0 ? 1 : buckets.length + 3);
    }, 0);
    expect(series).toBeLessThan(2_000);
  });

  it("puts the blame where somebody can act, in one place", () => {
    expect(TOKEN_RESULTS).toMatchObject({
      ...{ served: "none", authorization_required: "owner", reauthorization_required: "owner" },
      ...{ client_secret_refused: "operator", imanage_unavailable: "imanage", store_unavailable: "broker" },
      ...{ rate_limited: "client", contained: "client", not_allowed: "client" },
    });
    expect(REFRESH_ENDS).toMatchObject({ ended: "owner", invalid_client: "operator", unknown: "imanage" });
  });
});

describe("cells", () => {
  it("count each combination by itself, and what is in no list as `other`", () => {
    const cells = new CounterCells({
      ...{ name: "x_total", type: "counter", help: "X.", of: "process" },
      labels: { a: ["one", "two", "other"], b: ["yes", "no"] },
    });
    for (const [a, b] of [
      ["two", "no"],
      ["two", "no"],
      ["never heard of", "yes"],
    ] as const)
      cells.add(1, a, b);
    const counted = cells.samples().filter(({ value }) => value > 0);
    expect(counted).toEqual([
      { labels: { a: "two", b: "no" }, value: 2 },
      { labels: { a: "other", b: "yes" }, value: 1 },
    ]);
    expect(cells.samples()).toHaveLength(6);
  });

  it("put a value into the bucket whose bound it does not exceed, and add buckets up", () => {
    const cells = new HistogramCells({
      ...{ name: "x_seconds", type: "histogram", help: "X.", of: "process" },
      buckets: [0.1, 1],
    });
    for (const value of [0.1, 0.05, 1, 7]) cells.observe(value);
    expect(cells.samples().map(({ metricName, labels, value }) => [metricName, labels.le, value])).toEqual([
      ["x_seconds_bucket", 0.1, 2],
      ["x_seconds_bucket", 1, 3],
      ["x_seconds_bucket", "+Inf", 4],
      ["x_seconds_sum", undefined, 8.15],
      ["x_seconds_count", undefined, 4],
    ]);
  });

  it("are cheap enough for the token path: a million counts in well under a second", () => {
    const counter = new CounterCells(COUNTED.tokenRequests);
    const histogram = new HistogramCells(COUNTED.tokenSeconds);
    const startedAt = performance.now();
    for (let i = 0; i < 1_000_000; i++) {
      counter.add(1, "served", "client");
      histogram.observe(0.0042, "served");
    }
    // Both together some 40 ns; prom-client's own takes 450. The bound leaves room for a busy machine.
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
});
