/** A downstream app, as its vendor would write it: plain HTTP, no code of the broker. For the demo and the tests. */
export class WalkingClient {
  readonly base: string;
  readonly id: string;
  readonly #secret: string;
  readonly authorization: string;

  constructor(base: string, id: string, secret: string) {
    this.base = base;
    this.id = id;
    this.#secret = secret;
    this.authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`;
  }

  /** The same client, asking another replica. */
  at(base: string): WalkingClient {
    return new WalkingClient(base, this.id, this.#secret);
  }

  async call<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    return read<T>(
      await fetch(`${this.base}${path}`, {
        method,
        headers: {
          authorization: this.authorization,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    );
  }

  async token(form: Readonly<Record<string, string>>): Promise<Answer<Record<string, unknown>>> {
    return read(
      await fetch(`${this.base}/oauth2/token`, {
        method: "POST",
        headers: { authorization: this.authorization },
        body: new URLSearchParams(form),
      }),
    );
  }

  accessToken(body: object): Promise<Answer<AccessTokenAnswer>> {
    return this.call<AccessTokenAnswer>("POST", "/v1/access-tokens", body);
  }
}

export interface Answer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

export interface AccessTokenAnswer {
  readonly access_token: string;
  readonly expires_in: number;
  readonly fingerprint: string;
  readonly grant: string;
  readonly api_base_url: string;
  readonly customer_id: string;
  readonly warning?: string;
  readonly code?: string;
  readonly remedy?: string;
}

async function read<T>(response: Response): Promise<Answer<T>> {
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: (text === "" ? {} : JSON.parse(text)) as T,
  };
}
