import { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** One exchange with a server of this process, as it went over the wire: whole. */
export interface RecordedExchange {
  /** Of the server that answered. */
  readonly port: number;
  readonly method: string;
  readonly url: string;
  readonly requestHeaders: string;
  readonly requestBody: string;
  readonly status: number;
  readonly answerHeaders: string;
  readonly answerBody: string;
}

/** Records every exchange with any HTTP server in this process until the running test has finished. */
export function recordHttp(): readonly RecordedExchange[] {
  const recorded: RecordedExchange[] = [];
  const bodies = new WeakMap<IncomingMessage, Buffer[]>();
  const answers = new WeakMap<ServerResponse, Buffer[]>();

  const push = IncomingMessage.prototype.push;
  IncomingMessage.prototype.push = function (
    this: IncomingMessage,
    chunk: unknown,
    encoding?: BufferEncoding,
  ) {
    if (Buffer.isBuffer(chunk)) bodies.set(this, [...(bodies.get(this) ?? []), Buffer.from(chunk)]);
    return push.call(this, chunk, encoding);
  };
  const { write, end } = ServerResponse.prototype;
  const keep = (response: ServerResponse, chunk: unknown): void => {
    if (typeof chunk !== "string" && !(chunk instanceof Uint8Array)) return;
    answers.set(response, [...(answers.get(response) ?? []), Buffer.from(chunk as string)]);
  };
  ServerResponse.prototype.write = function (this: ServerResponse, ...args: never[]) {
    keep(this, args[0]);
    return write.apply(this, args as unknown as Parameters<typeof write>);
  } as typeof write;
  ServerResponse.prototype.end = function (this: ServerResponse, ...args: never[]) {
    keep(this, args[0]);
    const { req: request } = this;
    const answered = end.apply(this, args as unknown as Parameters<typeof end>);
    recorded.push({
      port: (request.socket.address() as AddressInfo).port,
      method: request.method ?? "",
      url: request.url ?? "",
      requestHeaders: request.rawHeaders.join("\n"),
      requestBody: Buffer.concat(bodies.get(request) ?? []).toString("latin1"),
      status: this.statusCode,
      answerHeaders: Object.entries(this.getHeaders())
        .flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}`))
        .join("\n"),
      answerBody: Buffer.concat(answers.get(this) ?? []).toString("utf8"),
    });
    return answered;
  } as typeof end;

  onTestFinished(() => {
    // It was inherited, so that taking it away is putting it back.
    delete (IncomingMessage.prototype as { push?: unknown }).push;
    Object.assign(ServerResponse.prototype, { write, end });
  });
  return recorded;
}
