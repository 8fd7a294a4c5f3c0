/** The broker, as its clients see it: HTTP with their own secret, JSON, and problems that say who must act. */
export class Broker {
  readonly #base: string;
  readonly #authorization: string;

  constructor(base: string, clientId: string, clientSecret: string) {
    this.#base = base;
    this.#authorization = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString("base64")}`;
  }

  /** @throws BrokerProblem where the broker refuses; whatever `fetch` throws where it is not there */
  async ask<T>(method: "GET" | "POST", path: string, { body, signal }: Asking = {}): Promise<T> {
    const response = await this.#send(method, path, body, signal);
    return (await response.json()) as T;
  }

  /** An answer of many lines (NDJSON), one by one: however long it is, it need not fit into memory. */
  async *lines<T>(path: string, signal?: AbortSignal): AsyncGenerator<T> {
    const { body } = await this.#send("GET", path, undefined, signal);
    let rest = "";
    for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      for (const line of lines) yield JSON.parse(line) as T;
    }
  }

  async #send(method: string, path: string, body?: object, signal?: AbortSignal): Promise<Response> {
    const response = await fetch(this.#base + path, {
      method,
      headers: {
        authorization: this.#authorization,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal: signal ?? null,
    });
    if (!response.ok) throw new BrokerProblem(response, (await response.json()) as Problem);
    return response;
  }
}

interface Asking {
  readonly body?: object;
  readonly signal?: AbortSignal;
}

/** RFC 9457, with what the broker adds: a code to decide by, and for people what to do about it. */
interface Problem {
  readonly code: string;
  readonly title: string;
  readonly action: string;
}

export class BrokerProblem extends Error {
  readonly code: string;
  readonly action: string;
  /** When it is worth asking again; undefined: when somebody has acted. */
  readonly retryAfterMs: number | undefined;

  constructor({ headers }: Response, { code, title, action }: Problem) {
    super(title);
    this.name = "BrokerProblem";
    this.code = code;
    this.action = action;
    const seconds = headers.get("retry-after");
    this.retryAfterMs = seconds === null ? undefined : Number(seconds) * 1_000;
  }
}

/** How long to wait before asking again: as long as the broker says, and a while where it says nothing or is not there. */
export function patience(error: unknown): number {
  return error instanceof BrokerProblem ? (error.retryAfterMs ?? 30_000) : 2_000;
}
