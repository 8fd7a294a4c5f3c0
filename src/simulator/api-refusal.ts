import { type Answer, json, page } from "./answers.ts";

/** A request the REST API turns down, in iManage's envelope (C). The codes inside are assumptions (?). */
export class ApiRefusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly field: string | undefined;
  readonly headers: Record<string, string>;
  /** What stands in front of iManage answers in another way. */
  readonly shape: "imanage" | "html" | "empty";

  constructor(
    status: number,
    code: string,
    message: string,
    field?: string,
    headers: Record<string, string> = {},
    shape: "imanage" | "html" | "empty" = "imanage",
  ) {
    super(message);
    this.name = "ApiRefusal";
    this.status = status;
    this.code = code;
    this.field = field;
    this.headers = headers;
    this.shape = shape;
  }
}

export function apiRefusalAnswer({ status, code, message, field, headers, shape }: ApiRefusal): Answer {
  if (shape === "html") return page(status, "<!doctype html><title>Error</title><h1>Error</h1>", headers);
  if (shape === "empty") return { status, headers, body: "" };
  const messages = field === undefined ? [] : [{ field, code, code_message: message }];
  return json(status, { error: { code, code_message: message, messages } }, headers);
}
