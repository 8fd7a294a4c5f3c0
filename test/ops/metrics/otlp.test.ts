import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { makeMetrics } from "../../../src/ops/metrics/metrics.ts";
import { exportByOtlp } from "../../../src/ops/metrics/otlp.ts";
import { importsOf, read, typescriptFiles } from "../../architecture/source.ts";

interface Point {
  readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue: string } }[];
  readonly asDouble?: number;
  readonly count?: number;
  readonly sum?: number;
  readonly bucketCounts?: readonly number[];
  readonly explicitBounds?: readonly number[];
}
interface Told {
  readonly resourceMetrics: readonly {
    readonly resource: Point;
    readonly scopeMetrics: readonly {
      readonly metrics: readonly {
        readonly name: string;
        readonly unit: string;
        readonly sum?: { readonly isMonotonic: boolean; readonly dataPoints: readonly Point[] };
        readonly histogram?: { readonly dataPoints: readonly Point[] };
      }[];
    }[];
  }[];
}

it("a collector is told the same numbers by OpenTelemetry's protocol, at the latest as the process ends", async () => {
  const told: Told[] = [];
  const collector = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    told.push(JSON.parse(Buffer.concat(chunks).toString("utf8")) as Told);
    response.setHeader("content-type", "application/json").end("{}");
  }).listen(0, "127.0.0.1");
  await once(collector, "listening");
  onTestFinished(() => {
    collector.closeAllConnections();
    collector.close();
  });
  const { meters, registry } = makeMetrics();
  const exporter = await exportByOtlp({
    url: `http://127.0.0.1:${(collector.address() as AddressInfo).port}/v1/metrics`,
    everyMs: 60_000,
    registry,
    resource: { "service.name": "imanage-token-broker", "service.instance.id": "a" },
  });
  meters.tokenRequest("served", "client", 4);
  meters.tokenRequest("served", "client", 40);
  await exporter.close();

  const [{ resource, scopeMetrics } = told[0]!.resourceMetrics[0]!] = told[0]!.resourceMetrics;
  expect(resource.attributes).toContainEqual({ key: "service.instance.id", value: { stringValue: "a" } });
  const metrics = scopeMetrics.flatMap((scope) => scope.metrics);
  const served = (points: readonly Point[]) =>
    points.find(({ attributes }) => attributes.some(({ value }) => value.stringValue === "served"))!;
  const requests = metrics.find(({ name }) => name === "token_broker_token_requests_total")!;
  expect(requests.sum!.isMonotonic).toBe(true);
  expect(served(requests.sum!.dataPoints).asDouble).toBe(2);
  expect(
    Object.fromEntries(
      served(requests.sum!.dataPoints).attributes.map(({ key, value }) => [key, value.stringValue]),
    ),
  ).toEqual({
    ...{ result: "served", by: "client", fault: "none" },
  });
  const seconds = metrics.find(({ name }) => name === "token_broker_token_request_seconds")!;
  expect(seconds.unit).toBe("s");
  const point = served(seconds.histogram!.dataPoints);
  expect([point.count, point.sum]).toEqual([2, 0.044]);
  expect(point.bucketCounts!.length).toBe(point.explicitBounds!.length + 1);
  expect(
    point
      .bucketCounts!.map((count, at) => [point.explicitBounds![at], count])
      .filter(([, count]) => count !== 0),
  ).toEqual([
    [0.005, 1],
    [0.05, 1],
  ]);
});

it("OpenTelemetry is loaded only where it is configured", () => {
  const all = typescriptFiles("src").flatMap((file) => importsOf(file));
  const known = all.filter(({ to, typeOnly }) => !typeOnly && to.startsWith("@opentelemetry/"));
  expect(known.length).toBeGreaterThan(0);
  const lazily = (from: string, to: string) =>
    new RegExp(`\\bimport\\("[./]*${to}"\\)`).test(read(from)) &&
    !new RegExp(`(?:from|import) "[./]*${to}"`).test(read(from));
  for (const { from, to } of known) {
    // Where it is loaded, or where the file is that loads it.
    const importers = all.filter((one) => one.to === from && !one.typeOnly);
    const late = importers.map((one) => lazily(one.from, from.slice("src/".length)));
    expect(lazily(from, to) || (late.length > 0 && late.every(Boolean)), `${from} loads ${to}`).toBe(true);
  }
});
