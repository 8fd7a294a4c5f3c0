/** The simulator's control endpoint (src/simulator/README.md), as far as the demo turns its switches. */
export class SimulatorControl {
  readonly origin: string;

  constructor(origin: string) {
    this.origin = origin;
  }

  setRedirectUrl(clientId: string, redirectUrl: string): Promise<unknown> {
    return this.#ask("PATCH", `registrations/${clientId}`, { redirect_urls: [redirectUrl] });
  }

  /** What Control Center's form does. */
  putRegistration(clientId: string, fields: object): Promise<unknown> {
    return this.#ask("PUT", `registrations/${encodeURIComponent(clientId)}`, fields);
  }

  setSwitches(switches: Readonly<Record<string, unknown>>): Promise<unknown> {
    return this.#ask("PATCH", "switches", switches);
  }

  advance(ms: number): Promise<unknown> {
    return this.#ask("POST", "advance", { ms });
  }

  async addFault(fault: object): Promise<string> {
    return (await this.#ask<{ id: string }>("POST", "faults", fault)).id;
  }

  /** Also lets go what the faults hold. */
  clearFaults(): Promise<unknown> {
    return this.#ask("DELETE", "faults");
  }

  /** Resolves once the fault holds a request. */
  held(fault: string): Promise<unknown> {
    return this.#ask("GET", `wait?${new URLSearchParams({ event: "held", fault, timeout_ms: "20000" })}`);
  }

  async refreshesOf(user: string): Promise<number> {
    const { refreshes_by_user } = await this.#ask<{ refreshes_by_user: Record<string, number> }>(
      "GET",
      "counts",
    );
    return refreshes_by_user[user] ?? 0;
  }

  /** Somebody at the firm saves a document. */
  editDocument(library: string, id: string, change: object): Promise<unknown> {
    return this.#ask("POST", "documents", { library, id, change });
  }

  async #ask<T>(method: string, path: string, body?: object): Promise<T> {
    const response = await fetch(`${this.origin}/_simulator/${path}`, {
      method,
      ...(body === undefined
        ? {}
        : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok)
      throw new Error(`the simulator's ${method} ${path} answered ${response.status}: ${text}`);
    return JSON.parse(text) as T;
  }
}
