import type { DiagnosisStep, Finding, FindingOwner, Verdict } from "./diagnosis.ts";
import { connectionTexts } from "./diagnosis-texts-connection.en.ts";
import { registrationTexts } from "./diagnosis-texts-registration.en.ts";
import { signInTexts } from "./diagnosis-texts-sign-ins.en.ts";
import { day, type Text } from "./diagnosis-words.en.ts";
import type { Instant } from "./instant.ts";

/**
 * Every sentence of a diagnosis, in the words of Control Center's screens: here and in the `.en.ts` files beside it. Another
 * language is the same files again.
 */
const steps: Readonly<Record<DiagnosisStep, string>> = {
  dns: "DNS",
  egress: "Egress rules",
  reach: "Reachability",
  tls: "TLS",
  clock: "Clock",
  api: "iManage Work API",
  version: "Version",
  oauth: "OAuth capability",
  authorize: "Client ID and Redirect URL",
  secret: "Client Secret",
  secret_expiry: "Client Secret Expires",
  application: "Enable Application",
  client_type: "Client Type",
  pkce: "PKCE",
  access: "Access",
  code_life: "Work Token Grant Expiry",
  refresh_token: "Refresh token",
  refresh_life: "Refresh Token Expiry",
  customer: "Customer",
};

const owners: Readonly<Record<FindingOwner, string>> = {
  organisation_admin: "organisation admin",
  imanage_admin: "iManage administrator",
  operator: "operator of the broker",
  vendor: "vendor",
  nobody: "nobody",
};

const verdicts: Readonly<Record<Verdict, string>> = {
  good: "Nothing is wrong, as far as can be seen.",
  attention: "It works; something wants attention.",
  failed: "Something is wrong.",
};

/** What changes although all is well, as a noun. */
const marks: Partial<Record<DiagnosisStep, string>> = {
  dns: "the addresses",
  tls: "the certificate",
  version: "the version",
};

export const diagnosisTexts = {
  causes: { ...connectionTexts, ...registrationTexts, ...signInTexts },
  steps,
  owners,
  verdicts,
  skipped: { seen: "Not looked at.", means: "Something before it has to be mended first." } satisfies Text,
  markChanged: (step: DiagnosisStep, since: Instant): string =>
    `${steps[step]}: ${marks[step] ?? "what was seen"} changed since ${day(since)}.`,
  stateChanged: (was: Finding, is: Finding, since: Instant): string =>
    `${steps[is.step]}: on ${day(since)} “${was.means}” Now: “${is.means}”`,
};
