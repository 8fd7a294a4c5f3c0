import { kind, type ProblemKind } from "./problem-kind.ts";

/** What stands in the way of tokens, operators, diagnoses and syncs. */
export const OPERATION_PROBLEMS = {
  // Serving
  grant_paused: kind(
    503,
    "operator",
    "This authorisation is paused.",
    "The operator lifts it.",
    "temporarily_unavailable",
  ),
  restoring: kind(
    503,
    "operator",
    "The broker's store was put back to an earlier state.",
    "Operators: `cli restore report` tells which authorizations may be stale, `cli restore release` puts the others in use again.",
    "temporarily_unavailable",
  ),
  contained: kind(
    403,
    "operator",
    "Tokens are stopped here.",
    "The operator decides when they flow again.",
    "unauthorized_client",
  ),
  operator_sign_in_failed: kind(
    400,
    "operator",
    "The sign-in at the identity provider did not come to its end here.",
    "Begin again, in one browser window; should it persist, compare the redirect URI and the client at the identity provider.",
  ),
  operator_sign_in_unavailable: kind(
    503,
    "time",
    "The operators' identity provider does not answer.",
    "Try again in a moment; should it persist, check OPERATORS_ISSUER and the way to it.",
  ),
  operator_not_allowed: kind(
    403,
    "operator",
    "You are signed in, and named neither as an operator nor as support.",
    "Have yourself added to a group that OPERATORS_VALUES or OPERATORS_SUPPORT names, and sign in again.",
  ),
  organisation_disabled: kind(
    403,
    "operator",
    "iManage is not enabled for this organisation.",
    "An organisation admin enables it under iManage settings.",
    "unauthorized_client",
  ),
  not_a_member: kind(
    403,
    "operator",
    "iManage is enabled for some members of this organisation, and this person is not among them.",
    "An organisation admin adds the person, or a group of which the application says that he is in it, under iManage settings.",
    "unauthorized_client",
  ),
  token_rejected_again: kind(
    503,
    "time",
    "A token was refreshed a moment ago and is said to be rejected again.",
    "Wait as long as Retry-After says; should it persist, look at the server.",
    "temporarily_unavailable",
  ),
  refresh_pending: kind(
    503,
    "time",
    "A refresh is under way and has not answered yet.",
    "Ask again after Retry-After; the refresh goes on meanwhile.",
    "temporarily_unavailable",
  ),
  imanage_unavailable: kind(
    503,
    "time",
    "iManage does not answer as it should.",
    "Ask again after Retry-After.",
    "temporarily_unavailable",
  ),
  imanage_rate_limited: kind(
    503,
    "time",
    "Waits for iManage's rate limit.",
    "Nothing: it goes on by itself as soon as iManage allows it.",
    "temporarily_unavailable",
  ),
  server_not_trusted: kind(
    502,
    "operator",
    "The certificate of the iManage server is not believed.",
    "Diagnose the server: it names the certificate, and who replaces it or has it trusted.",
    "server_error",
  ),
  server_address_refused: kind(
    502,
    "operator",
    "The broker may not connect to the address of the iManage server.",
    "Diagnose the server: it names the address; an operator grants the exception.",
    "server_error",
  ),
  store_unavailable: kind(
    503,
    "time",
    "The broker's store does not answer.",
    "Ask again after Retry-After; operators are told.",
    "temporarily_unavailable",
  ),
  audit_backlog: kind(
    503,
    "operator",
    "No audit, no token: the audit buffer is full.",
    "Operators: see that a worker runs and that where AUDIT_SINK leads takes what it writes (disk full, address away); the log says which. Tokens flow again as soon as entries are exported.",
    "temporarily_unavailable",
  ),
  integrity_failure: kind(
    500,
    "operator",
    "A stored record does not open with its own identity.",
    "Nothing was sent anywhere. Operators: a record or key was altered; see the log by request id.",
    "server_error",
  ),
  internal_error: kind(
    500,
    "operator",
    "Something unforeseen happened.",
    "Send the request id to support.",
    "server_error",
  ),

  too_much_at_once: kind(
    429,
    "time",
    "This client asks for more at once than is kept or held for it.",
    "Let what it asked for before come to its end, then ask again after Retry-After.",
  ),

  // Diagnosis
  diagnosis_running: kind(
    429,
    "time",
    "This server is being diagnosed already.",
    "Wait for that diagnosis, then read its result.",
  ),
  diagnosed_recently: kind(
    429,
    "time",
    "This server was diagnosed less than a minute ago.",
    "Read that result, or wait as long as Retry-After says.",
  ),

  // Sync
  worker_crashed: kind(
    503,
    "operator",
    "Work on this ended the worker process three times in a row.",
    "It is tried again every hour. Send the workers' log of that time to support; once it is mended, resume the sync.",
  ),
  sync_quota_exceeded: kind(
    507,
    "operator",
    "The syncs of this organisation keep as much as they may.",
    "Delete syncs that nobody reads, or name fewer workspaces or fields; or the operator raises SYNC_SPACE_MAX_MIB. What is older than a week is dropped by itself, and the sync then goes on by itself.",
  ),
  sync_not_ready: kind(
    409,
    "time",
    "The sync has not seen all of its library yet.",
    "Ask again in a while. Its state says how far it is, and who must act where it waits for somebody.",
  ),
  snapshots_busy: kind(
    429,
    "time",
    "This client reads as many snapshots as it may at once.",
    "Read one to its end, or close it; then ask again.",
  ),
  deletions_held: kind(
    409,
    "operator",
    "Far more documents than usual are gone, or another library admin sees fewer, so their deletion is not told yet.",
    "Operators: look whether they are really gone in iManage, or whether the library admin no longer sees them; then `syncs release` tells the deletions, `syncs discard` lets the next full scan look again.",
  ),
  cursor_expired: kind(
    410,
    "client",
    "The cursor is older than what is kept.",
    "Read a snapshot, then go on from its cursor.",
  ),
} as const satisfies Record<string, ProblemKind>;
