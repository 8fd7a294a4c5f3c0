import { type Answer, json } from "./answers.ts";
import type { Switches } from "./switches.ts";

/** A request the token endpoint turns down. The shape of the body is decided when it is answered. */
export class OAuthRefusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Record<string, string>;

  constructor(status: number, code: string, description: string, headers: Record<string, string> = {}) {
    super(description);
    this.name = "OAuthRefusal";
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** The body of a token endpoint error is not documented (?): RFC 6749, iManage's envelope, HTML or nothing. */
export function refusalAnswer(refusal: OAuthRefusal, shape: Switches["error_shape"]): Answer {
  const headers = { "cache-control": "no-store", ...refusal.headers };
  switch (shape) {
    case "rfc6749":
      return json(refusal.status, { error: refusal.code, error_description: refusal.message }, headers);
    case "imanage":
      return json(
        refusal.status,
        { error: { code: refusal.code.toUpperCase(), code_message: refusal.message, messages: [] } },
        headers,
      );
    case "html":
      return {
        status: refusal.status,
        headers: { ...headers, "content-type": "text/html; charset=utf-8" },
        body: `<!doctype html><title>${refusal.status}</title><h1>${refusal.status}</h1><p>The request could not be processed.</p>`,
      };
    case "empty":
      return { status: refusal.status, headers, body: "" };
  }
}
