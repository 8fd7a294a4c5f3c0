import { kind, type ProblemKind } from "./problem-kind.ts";

/**
 * Every `code` this product answers with. A code is never reused and never changes its meaning; `/v1` only grows.
 * Texts name Control Center's fields as its users see them (facts page, Registration fields).
 */
export const PROBLEMS = {
  // The request
  invalid_request: kind(
    400,
    "client",
    "The request is malformed.",
    "Mend the fields that are named and send it again.",
    "invalid_request",
  ),
  unsupported_grant_type: kind(
    400,
    "client",
    "This grant type is not offered here.",
    "Use client_credentials or urn:ietf:params:oauth:grant-type:token-exchange.",
    "unsupported_grant_type",
  ),
  invalid_client: kind(
    401,
    "client",
    "The client is not known or its proof does not fit.",
    "Check the client id and secret; a new secret is made with the cli.",
    "invalid_client",
  ),
  not_found: kind(
    404,
    "client",
    "There is nothing here for this client.",
    "Check the id, and that a policy names this client for the organisation.",
    "invalid_target",
  ),
  not_allowed: kind(
    403,
    "client",
    "A policy does not allow this client to do this.",
    "Ask the operator to add the action to the client's policy.",
    "unauthorized_client",
  ),
  idempotency_conflict: kind(
    409,
    "client",
    "This Idempotency-Key was used with another request.",
    "Send a new key with a new request.",
  ),
  configuration_refused: kind(
    409,
    "client",
    "What was asked for does not go with what is there.",
    "Read the refusals: each says what stands in the way. A dry run tells them beforehand.",
  ),
  rate_limited: kind(
    429,
    "time",
    "This client asks more often than its policy allows.",
    "Wait as long as Retry-After says.",
    "temporarily_unavailable",
  ),
  return_url_not_registered: kind(
    400,
    "client",
    "The return URL is not exactly one of the client's registered URLs.",
    "Register the URL letter by letter, or send the registered one.",
  ),

  configuration_conflict: kind(
    409,
    "client",
    "Somebody else changed the same settings at the same time.",
    "Look at them as they are now, and send the change again if it is still wanted: what it has done already is not done twice.",
  ),

  // Connecting
  authorization_required: kind(
    409,
    "resource-owner",
    "No one has authorised this yet.",
    "Send the person through a connect session.",
    "invalid_grant",
  ),
  reauthorization_required: kind(
    409,
    "resource-owner",
    "iManage no longer accepts this authorisation.",
    "Send the person through a connect session once more.",
    "invalid_grant",
  ),
  connect_session_expired: kind(
    410,
    "client",
    "The connect session is over.",
    "Create a new connect session.",
  ),
  portal_link_used: kind(
    410,
    "client",
    "The link to this page was used already, or is too old.",
    "Open a new portal session; each link works once, for five minutes.",
  ),
  portal_session_over: kind(
    403,
    "resource-owner",
    "The visit to these pages is over, or began in another browser.",
    "Open the page from the application again.",
  ),
  connect_session_used: kind(
    409,
    "client",
    "The completion was used already.",
    "Read the connect session for its outcome; create a new one where it failed.",
  ),
  session_user_mismatch: kind(
    403,
    "client",
    "The one who finishes is not the one who started.",
    "Start again for the person who is signed in. The authorisation was thrown away unused.",
  ),
  authorization_response_invalid: kind(
    400,
    "resource-owner",
    "The answer from iManage does not belong to a sign-in that this browser started.",
    "Start again from the application, in one browser, without the Back button.",
  ),
  authorization_server_mismatch: kind(
    400,
    "operator",
    "The answer came from another authorization server than the one that was asked.",
    "Do not repeat it. Check the server's address and tell support: this can be an attack (RFC 9207).",
  ),
  authorization_denied: kind(
    403,
    "resource-owner",
    "The sign-in at iManage was cancelled.",
    "Start again and choose to continue.",
  ),
  user_not_in_access: kind(
    403,
    "operator",
    "iManage does not let this user use the application.",
    "In Control Center › Applications › the application › Access, choose All Users or add the user.",
  ),
  authorization_refused: kind(
    502,
    "operator",
    "iManage refused the sign-in.",
    "In Control Center › Applications, check that the application is enabled, and its Client ID and Redirect URL.",
  ),
  completed_too_late: kind(
    409,
    "resource-owner",
    "The sign-in was completed too late: its code lives only seconds.",
    "Start the sign-in again; the application must call complete at once.",
  ),
  pkce_honoured: kind(
    409,
    "resource-owner",
    "This sign-in was spent on a check: iManage honours PKCE.",
    "Start the sign-in once more from the application. Nothing was authorised by this one.",
  ),
  code_expired_at_imanage: kind(
    502,
    "operator",
    "iManage answered 403: the authorization code outlived Work Token Grant Expiry.",
    "In Control Center set Work Token Grant Expiry to at least 30 seconds.",
  ),
  refresh_token_missing: kind(
    502,
    "operator",
    "iManage gave no refresh token.",
    "In Control Center › Applications › the application › Authentication set Allow Refresh Token to Yes (Allow Token Refresh where it came as a package), then authorise again.",
  ),
  customer_mismatch: kind(
    403,
    "operator",
    "The person signed in to another iManage customer than this organisation.",
    "Sign in with an account of this firm, or have the operator correct the customer id of the server.",
  ),
  upstream_user_changed: kind(
    409,
    "resource-owner",
    "Another iManage user signed in than the one this authorisation belongs to.",
    "Sign in to iManage as the same user, or disconnect first.",
  ),
  upstream_user_mismatch: kind(
    403,
    "resource-owner",
    "The iManage user is not the one named on the page.",
    "Sign out of iManage, then sign in with the e-mail id you entered.",
  ),
  asserted_user_mismatch: kind(
    403,
    "resource-owner",
    "Another iManage user signed in than the one the application named.",
    "Sign out of iManage, then sign in as the iManage user that the application knows.",
  ),
  not_library_admin: kind(
    403,
    "resource-owner",
    "This iManage user has no NRTADMIN access to the library.",
    "Ask for the NRTADMIN role in this library; on the cloud a change takes up to eight hours.",
  ),
  library_role_lost: kind(
    409,
    "resource-owner",
    "The one who lent this library's authorisation has no NRTADMIN access to it any more.",
    "Another library admin authorises it; or an iManage administrator gives the role back, and tokens flow again by themselves. On the cloud a change takes up to eight hours.",
    "invalid_grant",
  ),
  library_gone: kind(
    409,
    "resource-owner",
    "iManage does not list this library any more to the one who lent its authorisation.",
    "If it was removed, withdraw its authorisation; otherwise another library admin authorises it, or an iManage administrator gives access back.",
    "invalid_grant",
  ),
  imanage_answer_unusable: kind(
    502,
    "operator",
    "iManage answered, but not as an iManage Work server does.",
    "Check the server's address; send the request id to support.",
  ),
  client_secret_refused: kind(
    502,
    "operator",
    "iManage does not accept this application's Client ID and Client Secret.",
    "Compare both with Control Center › Applications; a secret may have expired. Enter the new one; nobody needs to sign in again.",
  ),

  package_template_faulty: kind(
    500,
    "operator",
    "The template of the upload package is faulty.",
    "Operators: correct the file that is named; PACKAGE_TEMPLATE_DIR says in which folder. The templates that came along are in config/package.",
  ),

  // Serving
  grant_paused: kind(
    503,
    "operator",
    "This authorisation is paused.",
    "The operator lifts it.",
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
    "Operators: see that the audit export runs.",
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
  cursor_expired: kind(
    410,
    "client",
    "The cursor is older than what is kept.",
    "Read a snapshot, then go on from its cursor.",
  ),
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof PROBLEMS;
