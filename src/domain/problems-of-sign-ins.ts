import { kind, type ProblemKind } from "./problem-kind.ts";

/** People who authorise: their visits, and how a sign-in ends without an authorisation. */
export const SIGN_IN_PROBLEMS = {
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
} as const satisfies Record<string, ProblemKind>;
