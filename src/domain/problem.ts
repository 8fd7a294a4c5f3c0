import type { Milliseconds } from "./instant.ts";
import { PROBLEMS, type ProblemCode } from "./problem-catalogue.ts";

/** Who must act before the same request can succeed. */
export type Remedy = "client" | "resource-owner" | "operator" | "time";

/**
 * Something the caller must be told, as a value: a stable code and what acting on it needs. It is thrown by the stories
 * and translated by `http/error-response.ts` and `workers/job-failure.ts` alone. It carries no foreign error: those hold
 * whole bodies, tokens included (design §3.13).
 */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly details: ProblemDetails;

  constructor(code: ProblemCode, details: ProblemDetails = {}) {
    super(details.detail ?? PROBLEMS[code].title);
    this.name = "Problem";
    this.code = code;
    this.details = details;
  }

  get remedy(): Remedy {
    return this.details.instead?.remedy ?? PROBLEMS[this.code].remedy;
  }
}

export interface ProblemDetails {
  /** One sentence about this occurrence, for the developer who reads it. Never upstream text, never a secret. */
  readonly detail?: string;
  /** Where time is the remedy: how long to wait. */
  readonly retryAfterMs?: Milliseconds;
  /** Who acts this time, and how, where the code alone does not tell. */
  readonly instead?: { readonly remedy: Remedy; readonly action: string };
  /** Where a person must act: the page to send him to. */
  readonly link?: string;
  /** Members of the answer that belong to this code (for example `elapsed_ms`). */
  readonly members?: Readonly<Record<string, string | number | boolean | readonly string[]>>;
  /** Faults of the request by field, all of them. */
  readonly faults?: readonly { readonly field: string; readonly message: string }[];
}
