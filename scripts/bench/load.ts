import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import autocannon from "autocannon";
import { processorMs } from "./processor-time.ts";

export interface Target {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent in turn. */
  readonly bodies: readonly string[];
  /** One that is never sent twice, where that is asked for. */
  readonly nextBody?: () => string;
  /** Whose processor time counts. */
  readonly pids: readonly number[];
}

/** What came of one or more rounds of load. */
export class Measured {
  answered = 0;
  refused = 0;
  seconds = 0;
  /** By process, in the order of the target's. */
  readonly processorMs: number[] = [];
  readonly #micros: RecordableHistogram = createHistogram();

  latency(ms: number): void {
    this.#micros.record(Math.max(1, Math.round(ms * 1_000)));
  }

  /** What came of several loads at the same time, which took so long in all; each counted the last of its processes, which they share. */
  addParallel(parts: readonly Measured[], seconds: number): void {
    this.seconds += seconds;
    for (const [at, part] of parts.entries()) {
      this.answered += part.answered;
      this.refused += part.refused;
      this.#micros.add(part.#micros);
      const [own = Number.NaN, shared = Number.NaN] = part.processorMs;
      this.processorMs[0] = (this.processorMs[0] ?? 0) + own;
      if (at === 0) this.processorMs[1] = (this.processorMs[1] ?? 0) + shared;
    }
  }

  get perSecond(): number {
    return this.answered / this.seconds;
  }
  /** In ms. */
  percentile(percent: number): number {
    return this.#micros.percentile(percent) / 1_000;
  }
  /** Processor time in µs for one answer, of the process with that place in the target's list. */
  microsEach(place: number): number {
    return ((this.processorMs[place] ?? Number.NaN) * 1_000) / this.answered;
  }
}

/**
 * So many requests, each of which is answered, as fast as they come through or `perSecond`; into `measured`. Latencies are
 * autocannon's, unrounded.
 */
export async function load(
  target: Target,
  { connections, amount, perSecond }: { connections: number; amount: number; perSecond?: number },
  measured = new Measured(),
): Promise<Measured> {
  const before = await Promise.all(target.pids.map(processorMs));
  const headers = { "content-type": "application/json", ...target.headers };
  const { nextBody } = target;
  const requests = nextBody
    ? [{ setupRequest: (request: autocannon.Request) => ({ ...request, body: nextBody() }) }]
    : target.bodies.map((body) => ({ body }));
  const startedAt = performance.now();
  let endedAt = startedAt;
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const running = autocannon(
      {
        ...{ url: target.url, method: "POST", headers, connections, amount: Math.max(amount, connections) },
        requests: requests as autocannon.Request[],
        ...(perSecond === undefined ? {} : { overallRate: Math.round(perSecond) }),
      },
      (error: Error | null, done) => (error === null ? resolve(done) : reject(error)),
    );
    running.on("response", (_client, _status, _bytes, ms) => {
      measured.latency(ms);
      endedAt = performance.now();
    });
  });
  const after = await Promise.all(target.pids.map(processorMs));
  measured.answered += result["2xx"];
  measured.refused += result.non2xx + result.errors;
  measured.seconds += (endedAt - startedAt) / 1_000;
  for (const [place, ms] of after.entries())
    measured.processorMs[place] =
      (measured.processorMs[place] ?? 0) + (ms ?? Number.NaN) - (before[place] ?? Number.NaN);
  return measured;
}
