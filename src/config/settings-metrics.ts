import { z } from "zod";
import { integer } from "./kinds.ts";

/** What operators see in numbers. */

export const metricsSettings = {
  METRICS_SERVERS_MAX: integer(0, 1_000)
    .default(50)
    .describe(
      "Servers that metrics name by their id while nothing is sent to them; those closed longest come first. 0: none is named.",
    ),
  OTEL_METRICS_URL: z
    .url({ protocol: /^https?$/, error: "must be an address, http:// or https://" })
    .optional()
    .describe(
      "Address of an OpenTelemetry collector that is told the metrics each half minute, whole (`https://collector:4318/v1/metrics`). Empty: nothing of OpenTelemetry is loaded; `/metrics` is there either way.",
    ),
};
