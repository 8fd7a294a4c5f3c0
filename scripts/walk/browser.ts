/** What a browser does with redirects, cookies and one form, over HTTP: for the demo and the tests. Follows nothing by itself. */
export class WalkingBrowser {
  /** By origin: what a browser would send back. */
  readonly #cookies = new Map<string, Map<string, string>>();

  async get(url: string): Promise<Visit> {
    return this.#visit(url, { method: "GET" });
  }

  async post(url: string, form: Readonly<Record<string, string>>): Promise<Visit> {
    return this.#visit(url, {
      method: "POST",
      body: new URLSearchParams(form),
      headers: { origin: new URL(url).origin, "sec-fetch-site": "same-origin" },
    });
  }

  /** What a script of a page sends, with an empty object as its body where it changes something. */
  async send(url: string, method: string, headers: Readonly<Record<string, string>> = {}): Promise<Visit> {
    const changes = method !== "GET" && method !== "HEAD";
    const body = changes && { body: "{}", headers: { ...headers, "content-type": "application/json" } };
    return this.#visit(url, { method, headers, ...body });
  }

  cookie(origin: string, name: string): string | undefined {
    return this.#cookies.get(origin)?.get(name);
  }

  /** Goes where `visit` points, as long as that is at one of `origins`; answers the last one. */
  async follow(visit: Visit, origins: readonly string[]): Promise<Visit> {
    let at = visit;
    for (let hops = 0; at.location !== undefined && origins.includes(new URL(at.location).origin); hops++) {
      if (hops === 10) throw new Error("redirected in circles");
      at = await this.get(at.location);
    }
    return at;
  }

  cookieNames(origin: string): readonly string[] {
    return [...(this.#cookies.get(origin)?.keys() ?? [])];
  }

  async #visit(url: string, init: RequestInit): Promise<Visit> {
    const { origin } = new URL(url);
    const jar = this.#cookies.get(origin) ?? new Map<string, string>();
    this.#cookies.set(origin, jar);
    const headers = new Headers(init.headers);
    headers.set("accept", "text/html");
    if (jar.size > 0) headers.set("cookie", [...jar].map(([name, value]) => `${name}=${value}`).join("; "));
    const response = await fetch(url, { ...init, headers, redirect: "manual" });
    for (const line of response.headers.getSetCookie()) keepCookie(jar, line);
    const location = response.headers.get("location");
    return {
      url,
      status: response.status,
      headers: response.headers,
      body: await response.text(),
      location: location === null ? undefined : new URL(location, url).href,
    };
  }
}

export interface Visit {
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
  readonly location: string | undefined;
}

function keepCookie(jar: Map<string, string>, line: string): void {
  const [pair = "", ...attributes] = line.split(";").map((part) => part.trim());
  const equals = pair.indexOf("=");
  const name = pair.slice(0, equals);
  const gone = attributes.some(
    (attribute) => /^max-age=0$/i.test(attribute) || /^expires=thu, 01 jan 1970/i.test(attribute),
  );
  if (gone) jar.delete(name);
  else jar.set(name, pair.slice(equals + 1));
}
