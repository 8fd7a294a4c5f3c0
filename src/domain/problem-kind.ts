import type { Remedy } from "./problem.ts";

export interface ProblemKind {
  /** HTTP status under `/v1` (RFC 9457). */
  readonly status: number;
  readonly remedy: Remedy;
  /** RFC 9457 `title`: the same sentence for every occurrence. */
  readonly title: string;
  /** What the one who must act does, in the words his screens use. */
  readonly action: string;
  /** The `error` of RFC 6749 §5.2 at the token endpoint. */
  readonly oauthError?:
    | "invalid_request"
    | "invalid_client"
    | "invalid_grant"
    | "unauthorized_client"
    | "invalid_target"
    | "server_error"
    | "temporarily_unavailable"
    | "unsupported_grant_type";
}

export const kind = (
  status: number,
  remedy: Remedy,
  title: string,
  action: string,
  oauthError?: ProblemKind["oauthError"],
): ProblemKind => ({ status, remedy, title, action, ...(oauthError === undefined ? {} : { oauthError }) });
