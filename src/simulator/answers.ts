/** What an endpoint wants said. Faults may change it before it is sent. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

export const json = (status: number, body: unknown, headers: Record<string, string> = {}): Answer => ({
  status,
  headers: { "content-type": "application/json; charset=utf-8", ...headers },
  body: JSON.stringify(body),
});

export const page = (status: number, body: string, headers: Record<string, string> = {}): Answer => ({
  status,
  headers: {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    // No form-action: it would stop the 303 back to the application (CSP3 checks redirects of forms).
    "content-security-policy":
      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    ...headers,
  },
  body,
});

/** 303, so that a form POST becomes a GET and the password is not sent on (RFC 9700 §4.12). */
export const redirect = (location: string, headers: Record<string, string> = {}): Answer => ({
  status: 303,
  headers: { location, "cache-control": "no-store", ...headers },
  body: "",
});
