import { COUNTED, type MetricSpec } from "./catalogue.ts";
import { CENSUS_GAUGES, LIMITS, QUEUE_GAUGES, REDIS_GAUGES, UP } from "./gauges.ts";

/** Every metric of ours; those of the process itself (`process_…`, `nodejs_…`) are prom-client's. */
export const ALL_METRICS: readonly MetricSpec[] = [
  ...Object.values(COUNTED),
  UP,
  ...REDIS_GAUGES,
  ...CENSUS_GAUGES,
  LIMITS,
  ...QUEUE_GAUGES,
];

const AGGREGATION = { process: "sum", cluster: "max" } as const;

/** As it stands in `README.md` of this folder. */
export function metricsTable(): string {
  const rows = ALL_METRICS.map(({ name, type, labels = {}, derivedNames = [], of, help }) => {
    const named = [...Object.keys(labels), ...derivedNames].map((label) => `\`${label}\``).join(", ");
    return `| \`${name}\` | ${type} | ${named} | ${AGGREGATION[of]} | ${help} |`;
  });
  return [
    "| Metric | Type | Labels | Across processes | What it is |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}
