/**
 * Where the time of a request went, from step to step and from process to process. Names are patterns and kinds; fields are
 * these and no others: ids as the log shows them, codes and numbers, never an address, a query, a token or a person's name.
 */
export interface SpanFields {
  readonly method?: string;
  /** The route's pattern. */
  readonly route?: string;
  readonly status?: number;
  readonly outcome?: string;
  readonly code?: string;
  readonly requestId?: string;
  readonly grant?: string;
  readonly server?: string;
  readonly sync?: string;
  readonly subscription?: string;
  readonly count?: number;
}

export interface OpenSpan {
  /** @param name where it is known only at the end */
  note(fields: SpanFields, name?: string): void;
}

export interface SpanBeginning {
  readonly kind: "server" | "client" | "producer" | "consumer";
  /**
   * W3C `traceparent` of what this goes on from, as a caller or a job brought it; what is none begins a trace of its own.
   * Without `parent` it begins one where none is under way. Where neither is said, only what is under way gets spans.
   */
  readonly parent?: string | undefined;
}

export interface Tracer {
  /** Does the work within a span of what is under way here, also across `await`. A thrown error ends it as failed. */
  span<T>(
    name: string,
    fields: SpanFields,
    work: (span: OpenSpan) => Promise<T>,
    begins?: SpanBeginning,
  ): Promise<T>;
  /** W3C `traceparent` of what is under way here, for a job that goes on with it. */
  readonly parent: string | undefined;
}
