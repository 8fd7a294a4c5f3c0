/** One request that was answered or given up. Bodies and headers are not kept; the URL is, so that a test can assert that no secret travels in one. */
export interface LoggedRequest {
  seq: number;
  at: string;
  route: string;
  method: string;
  path: string;
  url: string;
  status: number | null;
  /** What became of it when no whole answer was sent. */
  ended: "answered" | "aborted_before_acting" | "aborted_after_acting" | "dropped" | "cut";
  fault: string | null;
}

const KEPT = 10_000;

export class RequestLog {
  readonly #kept: LoggedRequest[] = [];
  readonly #tell: ((line: string) => void) | undefined;
  #seq = 0;

  /** `tell` hears a line per request: path only, since a query may hold `state`. */
  constructor(tell?: (line: string) => void) {
    this.#tell = tell;
  }

  add(request: Omit<LoggedRequest, "seq">): void {
    this.#seq += 1;
    this.#kept.push({ seq: this.#seq, ...request });
    if (this.#kept.length > KEPT) this.#kept.shift();
    this.#tell?.(
      [request.at, request.method, request.path, request.status ?? "-", request.ended, request.fault ?? ""]
        .join(" ")
        .trim(),
    );
  }

  list(after = 0): LoggedRequest[] {
    return this.#kept.filter((request) => request.seq > after);
  }
}
