import { kind, type ProblemKind } from "./problem-kind.ts";

/** What iManage answers: other people than expected, roles that are missing, an application or its package that is set up wrongly. */
export const IMANAGE_PROBLEMS = {
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
} as const satisfies Record<string, ProblemKind>;
