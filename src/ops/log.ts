import { AsyncLocalStorage } from "node:async_hooks";
import { type DestinationStream, pino, stdTimeFunctions } from "pino";
import type { Log, LogFields } from "../broker/ports.ts";
import { Secret } from "../domain/secret.ts";
import { printable } from "./printable.ts";

export type LogLevel = "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "silent";

/** The log, and the one line per request that only the access log writes. */
export interface OperatorLog extends Log {
  request(line: RequestLine): void;
}

export interface RequestLine {
  readonly method: string;
  /** The pattern of the route (`/v1/grants/:grant`), never the address that was asked for. */
  readonly route: string;
  readonly status: number;
  readonly elapsedMs: number;
  readonly requestId?: string;
  /** Who proved to be calling. */
  readonly client?: string;
  /** Of the problem that was answered. */
  readonly code?: string;
  /** `aborted` where the caller went away before the answer was complete. */
  readonly outcome?: string;
}

/**
 * JSON, one line per decision. Only the fields named here are ever written, whatever an object carries besides (T36):
 * no error object, body or URL can reach a line. Written synchronously, so that the last words of a process arrive.
 * @param options.destination where lines go; standard output without it.
 */
export function makeLog(options: {
  readonly level: LogLevel;
  readonly destination?: DestinationStream;
}): OperatorLog {
  const logger = pino(
    {
      level: options.level,
      // Whoever collects the lines knows the host and the process; the line need not repeat it.
      base: null,
      messageKey: "message",
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // Pino would write an `err` or `error` by itself; nothing of that name gets this far.
      serializers: {},
    },
    options.destination ?? pino.destination({ fd: 1, sync: true }),
  );
  const write = (level: "info" | "warn" | "error", fields: LogFields, message: string): void => {
    if (logger.isLevelEnabled(level))
      logger[level](pick({ requestId: underWay.getStore(), ...fields }, FIELDS), text(message) ?? "");
  };
  return {
    info: (fields, message) => write("info", fields, message),
    warn: (fields, message) => write("warn", fields, message),
    error: (fields, message) => write("error", fields, message),
    request(line) {
      const level = line.status >= 500 ? "warn" : "info";
      if (logger.isLevelEnabled(level)) logger[level](pick(line, REQUEST_FIELDS), "request");
    },
  };
}

const underWay = new AsyncLocalStorage<string>();

/** Every line that is written on the way carries this id, unless it says another: of a request, or of a job. */
export const inRequest = <T>(requestId: string, work: () => T): T => underWay.run(requestId, work);

type Kind = "text" | "number";

/** The allow-list. It holds exactly the port's fields: the compiler compares. */
const FIELDS = {
  requestId: "text",
  organisation: "text",
  server: "text",
  client: "text",
  grant: "text",
  sync: "text",
  subscription: "text",
  code: "text",
  outcome: "text",
  detail: "text",
  elapsedMs: "number",
  count: "number",
} as const satisfies Record<keyof LogFields, Kind>;

const REQUEST_FIELDS = {
  method: "text",
  route: "text",
  status: "number",
  elapsedMs: "number",
  requestId: "text",
  client: "text",
  code: "text",
  outcome: "text",
} as const satisfies Record<keyof RequestLine, Kind>;

function pick(given: object, allowed: Readonly<Record<string, Kind>>): Record<string, string | number> {
  const line: Record<string, string | number> = {};
  for (const [name, kind] of Object.entries(allowed)) {
    const value: unknown = Object.hasOwn(given, name) ? given[name as never] : undefined;
    const printed = kind === "text" ? text(value) : number(value);
    if (printed !== undefined) line[name] = printed;
  }
  return line;
}

/** An object has no place in a line: it is dropped, and a secret says that it is one. */
function text(value: unknown): string | undefined {
  if (typeof value === "string") return printable(value);
  if (value instanceof Secret) return String(value);
  return typeof value === "number" ? String(value) : undefined;
}

function number(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? Math.round(value * 1_000) / 1_000 : undefined;
}
