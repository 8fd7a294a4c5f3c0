import { type Answer, json } from "./answers.ts";

/** A request the REST API turns down, in iManage's envelope (C). The codes inside are assumptions (?). */
export class ApiRefusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly field: string | undefined;
  readonly headers: Record<string, string>;

  constructor(
    status: number,
    code: string,
    message: string,
    field?: string,
    headers: Record<string, string> = {},
  ) {
    super(message);
    this.name = "ApiRefusal";
    this.status = status;
    this.code = code;
    this.field = field;
    this.headers = headers;
  }
}

export const apiRefusalAnswer = ({ status, code, message, field, headers }: ApiRefusal): Answer =>
  json(
    status,
    {
      error: {
        code,
        code_message: message,
        messages: field === undefined ? [] : [{ field, code, code_message: message }],
      },
    },
    headers,
  );
