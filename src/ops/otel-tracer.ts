import { AsyncLocalStorage } from "node:async_hooks";
import {
  type Attributes,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { SpanBeginning, SpanFields, Tracer } from "../broker/tracer.ts";
import { Problem } from "../domain/problem.ts";
import { printable } from "./printable.ts";

/**
 * The port `Tracer` by OpenTelemetry, sent as OTLP over HTTP. `main/` imports this file only where traces are asked for.
 * Nothing is instrumented by itself: a span is made where a room says so, and has no field that is not in the list below.
 */
export function makeOtelTracer(by: {
  /** Where spans are sent to, `/v1/traces` included. */
  readonly url: string;
  /** Of traces that begin here; one that goes on is kept where it began as kept. */
  readonly ratio: number;
  /** `http`, `worker` or both. */
  readonly role: string;
  readonly sendEveryMs?: number;
}): Tracer & { close(): Promise<void> } {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": "imanage-token-broker", "service.role": by.role }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(by.ratio) }),
    spanProcessors: [
      new BatchSpanProcessor({
        // A collector that is away costs spans, and never a request: they wait in a bounded queue.
        exporter: new OTLPTraceExporter({ url: by.url, timeoutMillis: 5_000 }),
        scheduledDelayMillis: by.sendEveryMs ?? 2_000,
      }),
    ],
  });
  const tracer = provider.getTracer("imanage-token-broker");
  const underWay = new AsyncLocalStorage<Span>();

  return {
    span(name, fields, work, begins) {
      const parent = spanOf(begins?.parent) ?? underWay.getStore();
      if (parent === undefined && begins === undefined) return work(SILENT);
      const context = parent === undefined ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, parent);
      const kind = begins === undefined ? SpanKind.INTERNAL : KINDS[begins.kind];
      const span = tracer.startSpan(name, { kind, attributes: attributesOf(fields) }, context);
      return underWay.run(span, async () => {
        try {
          return await work({
            note(more, renamed) {
              span.setAttributes(attributesOf(more));
              if (renamed !== undefined) span.updateName(renamed);
            },
          });
        } catch (error) {
          // A foreign error may hold anything: its name says enough.
          const code = error instanceof Problem ? error.code : error instanceof Error ? error.name : "error";
          span.setStatus({ code: SpanStatusCode.ERROR, message: printable(code) });
          throw error;
        } finally {
          span.end();
        }
      });
    },
    get parent() {
      const context = underWay.getStore()?.spanContext();
      if (context === undefined) return undefined;
      return `00-${context.traceId}-${context.spanId}-0${context.traceFlags & 1}`;
    },
    async close() {
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, CLOSE_MS);
      // What a collector does not take is lost: nothing may wait for it.
      await Promise.race([provider.shutdown().catch(() => {}), late]);
      clearTimeout(timer);
    },
  };
}

/** The exporter tries again and again, longer than a process may take to end. */
const CLOSE_MS = 1_500;

const SILENT = { note: () => {} };

const KINDS: Readonly<Record<SpanBeginning["kind"], SpanKind>> = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

/** What of a span leaves, and under which name (OpenTelemetry's where it has one). */
const ATTRIBUTES: Readonly<Record<keyof SpanFields, string>> = {
  method: "http.request.method",
  route: "http.route",
  status: "http.response.status_code",
  outcome: "broker.outcome",
  code: "broker.code",
  requestId: "broker.request",
  grant: "broker.grant",
  server: "broker.server",
  sync: "broker.sync",
  subscription: "broker.subscription",
  count: "broker.count",
};

function attributesOf(fields: SpanFields): Attributes {
  const attributes: Attributes = {};
  for (const [field, name] of Object.entries(ATTRIBUTES)) {
    const value = fields[field as keyof SpanFields];
    if (value !== undefined) attributes[name] = typeof value === "string" ? printable(value) : value;
  }
  return attributes;
}

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** What a `traceparent` names (W3C Trace Context §3.2); undefined: it is none. */
function spanOf(parent: string | undefined): Span | undefined {
  const [, traceId = "", spanId = "", flags = ""] = TRACEPARENT.exec(parent ?? "") ?? [];
  const context = { traceId, spanId, traceFlags: Number.parseInt(flags || "0", 16) & 1, isRemote: true };
  return isSpanContextValid(context) ? trace.wrapSpanContext(context) : undefined;
}
