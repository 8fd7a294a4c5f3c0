import { collectDefaultMetrics, type Metric, Registry } from "prom-client";
import type { Meters } from "../../broker/meter-ports.ts";
import { REFRESH_ENDS } from "../../domain/outcomes.ts";
import { COUNTED } from "./catalogue.ts";
import { CounterCells, HistogramCells, type Sample } from "./series.ts";

/** What this process counts, and the text in which it is asked for. */
export interface Metrics {
  readonly meters: Meters;
  readonly registry: Registry;
}

const STATUS = ["", "", "2xx", "3xx", "4xx", "5xx"] as const;

export function makeMetrics(): Metrics {
  const registry = new Registry();
  const add = <T extends CounterCells | HistogramCells>(cells: T): T => {
    expose(registry, { ...headOf(cells), samples: () => cells.samples() });
    return cells;
  };
  const tokens = add(new CounterCells(COUNTED.tokenRequests));
  const tokenSeconds = add(new HistogramCells(COUNTED.tokenSeconds));
  const refreshes = add(new CounterCells(COUNTED.refreshes));
  const refreshSeconds = add(new HistogramCells(COUNTED.refreshSeconds));
  const heldBack = add(new CounterCells(COUNTED.refreshesHeldBack));
  const calls = add(new HistogramCells(COUNTED.callSeconds));
  const storeSeconds = add(new HistogramCells(COUNTED.storeSeconds));
  const storeFailures = add(new CounterCells(COUNTED.storeFailures));
  const deliveries = add(new HistogramCells(COUNTED.deliverySeconds));
  const jobs = add(new HistogramCells(COUNTED.jobSeconds));
  const exported = add(new CounterCells(COUNTED.auditExported));
  const exportFailures = add(new CounterCells(COUNTED.auditExportFailures));
  const http = add(new HistogramCells(COUNTED.httpSeconds));

  const meters: Meters = {
    tokenRequest(result, by, elapsedMs) {
      tokens.add(1, result, by);
      if (by === "client") tokenSeconds.observe(elapsedMs / 1_000, result);
    },
    refresh(end, why, elapsedMs) {
      refreshes.add(1, end, why);
      refreshSeconds.observe(elapsedMs / 1_000, REFRESH_ENDS[end]);
    },
    refreshHeldBack: (why) => heldBack.add(1, why),
    call: (to, end, elapsedMs) => calls.observe(elapsedMs / 1_000, to, end),
    storeCall(operation, end, elapsedMs) {
      if (end === "answered") storeSeconds.observe(elapsedMs / 1_000, operation);
      else storeFailures.add(1, operation);
    },
    delivery: (end, elapsedMs) => deliveries.observe(elapsedMs / 1_000, end),
    job: (queue, end, elapsedMs) => jobs.observe(elapsedMs / 1_000, queue, end),
    auditExported: (entries) => exported.add(entries),
    auditExportFailed: () => exportFailures.add(1),
    httpRequest: (surface, status, elapsedMs) =>
      http.observe(
        elapsedMs / 1_000,
        surface,
        status === "aborted" ? status : STATUS[Math.floor(status / 100)],
      ),
  };
  return { meters, registry };
}

/** Event loop, heap, garbage, file descriptors, processor time. Once in a process. */
export const addProcessMetrics = (registry: Registry): void => collectDefaultMetrics({ register: registry });

export interface Exposed {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly samples: () => readonly Sample[] | Promise<readonly Sample[]>;
}

/** Lets the registry ask for numbers that are counted elsewhere: of a metric it wants no more than these. */
export function expose(registry: Registry, { samples, ...head }: Exposed): void {
  const get = async () => ({ ...head, aggregator: "sum", values: await samples() });
  registry.registerMetric({ ...head, get, reset() {} } as unknown as Metric);
}

const headOf = ({ name, help, type }: CounterCells | HistogramCells) => ({ name, help, type });
