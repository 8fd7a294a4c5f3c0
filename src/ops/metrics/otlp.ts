import type { Attributes, HrTime } from "@opentelemetry/api";
import type { DataPoint, Histogram, MetricData } from "@opentelemetry/sdk-metrics";
import type { MetricObjectWithValues, MetricValueWithName, Registry } from "prom-client";
import type { Milliseconds } from "../../domain/instant.ts";

export interface OtlpOptions {
  /** The collector's, whole: `…/v1/metrics`. */
  readonly url: string;
  readonly everyMs: Milliseconds;
  readonly registry: Registry;
  /** Who tells it: `service.name`, `service.instance.id` … */
  readonly resource: Readonly<Record<string, string>>;
}

/**
 * Tells a collector the same numbers by OpenTelemetry's protocol, each interval and once more as it closes. The SDK's own instruments are not
 * used: what is counted is counted once, in our cells, and this only says it in another language. Loaded where it is configured.
 */
export async function exportByOtlp({ url, everyMs, registry, resource }: OtlpOptions) {
  const [sdk, { OTLPMetricExporter }, { resourceFromAttributes }] = await Promise.all([
    import("@opentelemetry/sdk-metrics"),
    import("@opentelemetry/exporter-metrics-otlp-http"),
    import("@opentelemetry/resources"),
  ]);
  const temporality = sdk.AggregationTemporality.CUMULATIVE;
  const since = hrTime(Date.now() - performance.now());

  const translate = (metric: MetricObjectWithValues<MetricValueWithName<string>>): MetricData => {
    const { name, help } = metric;
    const descriptor = { name, description: help, unit: unitOf(name), valueType: 1 };
    const head = { descriptor, aggregationTemporality: temporality };
    const now = hrTime(Date.now());
    const point = <T>(attributes: Attributes, value: T): DataPoint<T> => ({
      ...{ startTime: since, endTime: now, attributes, value },
    });
    // prom-client's types are an enum's numbers, its values words.
    switch (String(metric.type)) {
      case "histogram":
        return {
          ...{ ...head, dataPointType: sdk.DataPointType.HISTOGRAM },
          dataPoints: histograms(metric.values).map(([labels, value]) => point(labels, value)),
        };
      case "counter":
        return {
          ...{ ...head, dataPointType: sdk.DataPointType.SUM, isMonotonic: true },
          dataPoints: metric.values.map(({ labels, value }) => point(labels as Attributes, value)),
        };
      default:
        return {
          ...{ ...head, dataPointType: sdk.DataPointType.GAUGE },
          dataPoints: metric.values.map(({ labels, value }) => point(labels as Attributes, value)),
        };
    }
  };

  const provider = new sdk.MeterProvider({
    resource: resourceFromAttributes(resource),
    readers: [
      new sdk.PeriodicExportingMetricReader({
        exporter: new OTLPMetricExporter({ url }),
        exportIntervalMillis: everyMs,
        exportTimeoutMillis: everyMs,
        metricProducers: [
          {
            async collect() {
              const metrics = (await registry.getMetricsAsJSON()) as MetricObjectWithValues<
                MetricValueWithName<string>
              >[];
              const scope = { name: "imanage-token-broker" };
              const scopeMetrics = [{ scope, metrics: metrics.map(translate) }];
              return { resourceMetrics: { resource: resourceFromAttributes({}), scopeMetrics }, errors: [] };
            },
          },
        ],
      }),
    ],
  });
  return { close: () => provider.shutdown() };
}

/** Buckets that add up, as Prometheus has them, to buckets each by itself, as OpenTelemetry has them. */
function histograms(
  values: readonly MetricValueWithName<string>[],
): readonly (readonly [Attributes, Histogram])[] {
  const found = new Map<
    string,
    { labels: Attributes; bounds: number[]; sums: number[]; sum: number; count: number }
  >();
  for (const { metricName = "", labels, value } of values) {
    const { le, ...rest } = labels as Record<string, string | number>;
    const key = JSON.stringify(rest);
    const cell = found.get(key) ?? { labels: rest, bounds: [], sums: [], sum: 0, count: 0 };
    found.set(key, cell);
    if (metricName.endsWith("_sum")) cell.sum = value;
    else if (metricName.endsWith("_count")) cell.count = value;
    else {
      if (le !== "+Inf") cell.bounds.push(Number(le));
      cell.sums.push(value);
    }
  }
  return [...found.values()].map(({ labels, bounds, sums, sum, count }) => {
    const counts = sums.map((upTo, at) => upTo - (sums[at - 1] ?? 0));
    return [labels, { buckets: { boundaries: bounds, counts }, sum, count }];
  });
}

const hrTime = (ms: Milliseconds): HrTime => [Math.floor(ms / 1_000), Math.round((ms % 1_000) * 1e6)];

/** UCUM, as OpenTelemetry wants it: the name says it already. */
const unitOf = (name: string): string =>
  /_seconds(_total)?$/.test(name) ? "s" : /_bytes(_total)?$/.test(name) ? "By" : "1";
