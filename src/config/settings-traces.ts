import { z } from "zod";
import { tracesUrl } from "./addresses.ts";

export const traceSettings = {
  TRACES_URL: z
    .string()
    .transform(tracesUrl)
    .optional()
    .describe(
      "Address of a collector that takes OpenTelemetry traces (OTLP over HTTP), for example `http://otel-collector:4318/v1/traces`. None: no traces, and nothing of OpenTelemetry is loaded. Headers it asks for: OTEL_EXPORTER_OTLP_HEADERS.",
    ),
  TRACES_RATIO: z
    .string()
    .regex(/^(0(\.\d{1,6})?|1(\.0{1,6})?)$/, "must be a number from 0 to 1")
    .transform(Number)
    .default(0.01)
    .describe("Share of the traces beginning here that are sent, from 0 to 1."),
  TRACES_ACCEPT_PARENT: z
    .enum(["true", "false"], "must be true or false")
    .default("false")
    .transform((text) => text === "true")
    .describe(
      "Whether a caller's W3C `traceparent` header is gone on from: its trace is then one with ours, and it decides whether it is sent. For callers of one's own.",
    ),
};
