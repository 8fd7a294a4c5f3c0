import type { Remedy } from "../domain/problem.ts";
import type { ProblemCode } from "../domain/problem-catalogue.ts";
import { audit } from "./texts.en.audit.ts";
import { calendarFile, calendarLink, reminders } from "./texts.en.calendar.ts";
import { containments } from "./texts.en.containments.ts";
import { diagnosis } from "./texts.en.diagnosis.ts";
import { authorizeLibrary, libraries, library, withdrawLibrary } from "./texts.en.libraries.ts";
import { operators } from "./texts.en.operators.ts";
import { disconnectServer, myIntegrations, portal, switchOffApplication } from "./texts.en.portal.ts";
import { settings } from "./texts.en.settings.ts";
import { timeline } from "./texts.en.timeline.ts";

/**
 * Every word that a person reads on our pages. `*name*` sets a field, switch or button apart. Spelled as iManage spells
 * it (authorize), since people compare these words with Control Center's.
 */

/** What is known where a problem is told. */
export interface RemedyFacts {
  /** The application that sent the person. */
  readonly application: string | undefined;
  /** Where the registration was made; the switch is called differently (facts page, C). */
  readonly registeredBy: "form" | "package" | undefined;
  /** One registration for many firms: no firm's Control Center shows its fields. */
  readonly shared: boolean;
  readonly redirectUri: string | undefined;
  readonly support: string;
}

interface RemedyText {
  readonly who: string;
  readonly action: string;
}

const YOU = "You";
const CONTROL_CENTER = "An iManage administrator, in Control Center";
const APPLICATION = "The application you came from";
const FIRM = "Whoever set this iManage server up in your organisation";
const BROKER = "The operator of this service";
const NOBODY = "Nobody: this passes";

const PLACE = "In *Control Center › Settings › Applications*, open the application";

/** One registration for many firms is not in the firm's own Control Center: who runs this service has it mended. */
const ownOrShared = (facts: RemedyFacts, action: string): RemedyText =>
  facts.shared
    ? {
        who: BROKER,
        action: `Send this page to ${facts.support}. The application is registered at iManage once for many firms, so your own Control Center cannot change it. What to change: ${action}`,
      }
    : { who: CONTROL_CENTER, action };

const again = (facts: RemedyFacts): string =>
  facts.application === undefined ? "Then sign in again." : `Then connect again from ${facts.application}.`;

function refreshTokenSwitch({ registeredBy }: RemedyFacts): string {
  switch (registeredBy) {
    case "form":
      return `${PLACE}, go to *Authentication* and set *Allow Refresh Token* to *Yes*.`;
    case "package":
      return `${PLACE} that was uploaded as a package and switch *Allow Token Refresh* on.`;
    case undefined:
      return `${PLACE} and set *Allow Refresh Token* to *Yes* (*Allow Token Refresh* where it came as a package).`;
  }
}

export const en = {
  lang: "en",
  support: (contact: string) => `Help: ${contact}`,
  dash: "–",

  problem: {
    whatToDo: "What to do",
    who: "Who can act",
    code: "Code",
    reference: "Reference",
    supportLabel: "Help",
    byRemedy: {
      client: APPLICATION,
      "resource-owner": YOU,
      operator: BROKER,
      time: NOBODY,
    } satisfies Record<Remedy, string>,
    /** Where the catalogue speaks to developers, a person is told this instead. */
    remedies: {
      invalid_request: () => ({ who: YOU, action: "Go back to the page you came from and start again." }),
      not_found: ({ support }) => ({
        who: YOU,
        action: `Check the address. If a link led you here, tell ${support}.`,
      }),
      authorization_required: (facts) => ({
        who: YOU,
        action: `${facts.application === undefined ? "Sign in with iManage." : `Connect from ${facts.application}.`}`,
      }),
      reauthorization_required: (facts) => ({
        who: YOU,
        action:
          facts.application === undefined
            ? "Sign in with iManage once more."
            : `Connect once more from ${facts.application}.`,
      }),
      connect_session_expired: () => ({
        who: YOU,
        action:
          "Go back to the application you came from and start again there. A link like this works once, and for a few minutes.",
      }),
      connect_session_used: () => ({
        who: YOU,
        action: "Go back to the application: you may be connected already. If not, start again there.",
      }),
      session_user_mismatch: () => ({
        who: YOU,
        action:
          "Nothing was connected: what was given at iManage was thrown away unused. Sign in to the application as the person who started, and start again. If you followed a link that somebody sent you, do not follow it again.",
      }),
      authorization_response_invalid: () => ({
        who: YOU,
        action:
          "Nothing was connected. Start again from the page or application you came from, in one browser, without the *Back* button.",
      }),
      authorization_server_mismatch: ({ support }) => ({
        who: BROKER,
        action: `Nothing was connected. Do not try again; send this page to ${support}. This can be an attack (RFC 9207).`,
      }),
      authorization_denied: (facts) => ({
        who: YOU,
        action:
          facts.application === undefined
            ? "Nothing was changed. To go on, sign in again and choose to continue."
            : `Nothing was connected. To go on, start again from ${facts.application} and choose to continue.`,
      }),
      user_not_in_access: (facts) =>
        ownOrShared(
          facts,
          `${PLACE}, go to *Access* and choose *All Users* or add the user. ${again(facts)}`,
        ),
      authorization_refused: (facts) =>
        ownOrShared(
          facts,
          `${PLACE}. Check that *Enable Application* is *Yes*, that the *Client ID* (*API Key* on older servers) is the one entered here${
            facts.redirectUri === undefined
              ? ", and that the *Redirect URL* is registered."
              : `, and that the *Redirect URL* is exactly ${facts.redirectUri}`
          }`,
        ),
      completed_too_late: (facts) => ({
        who: YOU,
        action: `Start the sign-in again${
          facts.application === undefined ? "" : ` from ${facts.application}`
        }. If it happens again, tell ${facts.support}: the application must finish at once when you come back.`,
      }),
      code_expired_at_imanage: (facts) =>
        ownOrShared(
          facts,
          `In Control Center, set *Work Token Grant Expiry* to at least *30 seconds*. ${again(facts)}`,
        ),
      refresh_token_missing: (facts) =>
        ownOrShared(
          facts,
          `${refreshTokenSwitch(facts)} It is off unless somebody switched it on. ${again(facts)}`,
        ),
      customer_mismatch: ({ support }) => ({
        who: "You, or the operator of this service",
        action: `You: sign out of iManage, then sign in with your account of this firm. If this is your firm's account, send this page to ${support}: the operator corrects the iManage customer id that is entered for this server.`,
      }),
      client_secret_refused: (facts) => ({
        who: BROKER,
        action: `Send this page to ${facts.support}. Compare *Client ID* and *Client Secret* (*API Key* and *API Secret* on older servers) with *Control Center › Settings › Applications*, and look at *Client Secret Expires*. Once the new secret is entered, sign in again; everyone else stays connected.`,
      }),
      upstream_user_changed: () => ({
        who: YOU,
        action:
          "The earlier authorization still stands. Sign out of iManage, then sign in as the same iManage user as before, or have the earlier one disconnected first.",
      }),
      upstream_user_mismatch: () => ({
        who: YOU,
        action:
          "The library was not changed. Sign out of iManage in this browser, then sign in there with the e-mail id you enter on the page.",
      }),
      asserted_user_mismatch: (facts) => ({
        who: YOU,
        action: `Nothing was connected. Sign out of iManage in this browser, then start again${
          facts.application === undefined ? "" : ` from ${facts.application}`
        } and sign in as yourself. If you followed a link that somebody sent you, do not follow it again.`,
      }),
      portal_link_used: () => ({
        who: YOU,
        action:
          "Go back to the application and open the page from there again. Such a link works once, and for five minutes.",
      }),
      portal_session_over: () => ({
        who: YOU,
        action:
          "Go back to the application you came from and open the page from there again. Nothing was changed.",
      }),
      not_library_admin: () => ({
        who: CONTROL_CENTER,
        action:
          "The library was not changed. Ask for the *NRTADMIN* role in this library. On the cloud a change of role takes up to eight hours.",
      }),
      imanage_answer_unusable: ({ support }) => ({
        who: BROKER,
        action: `Send this page to ${support}. The address of the server may be wrong, or something stands between it and us.`,
      }),
      imanage_unavailable: () => ({
        who: NOBODY,
        action: "Wait a minute and try again. Authorizations that exist are kept.",
      }),
      server_not_trusted: ({ support }) => ({
        who: FIRM,
        action: `The certificate of your iManage server is not believed here, so nothing was sent to it. *Check this server* in *iManage settings* names the certificate and what mends it; ${support} has the same.`,
      }),
      server_address_refused: ({ support }) => ({
        who: BROKER,
        action: `Send this page to ${support}. The address of your iManage server is in a network that has to be allowed first.`,
      }),
      store_unavailable: () => ({
        who: NOBODY,
        action: "Wait a minute and try again. The operator is told. Nothing is lost.",
      }),
      refresh_pending: () => ({ who: NOBODY, action: "Wait a minute and try again." }),
      token_rejected_again: () => ({ who: NOBODY, action: "Wait a minute and try again." }),
      organisation_disabled: ({ support }) => ({
        who: BROKER,
        action: `Ask ${support}: iManage is switched off here for your organisation.`,
      }),
      contained: ({ support }) => ({
        who: BROKER,
        action: `Tokens are stopped here while somebody looks into an incident. Nothing of yours is lost by that. Ask ${support} when it is over; then try again.`,
      }),
      rate_limited: () => ({ who: NOBODY, action: "Wait a minute and try again." }),
      too_much_at_once: () => ({ who: NOBODY, action: "Wait a minute and try again." }),
      snapshots_busy: () => ({ who: NOBODY, action: "Wait a minute and try again." }),
      sync_not_ready: () => ({
        who: NOBODY,
        action: "Wait until all of the library has been seen once; how the sync stands says how far it is.",
      }),
      proof_refused_for_now: () => ({ who: NOBODY, action: "Wait a minute and try again." }),
      grant_budget_exceeded: () => ({
        who: NOBODY,
        action:
          "Wait up to an hour and try again. If it happens again, whoever runs the application asks the operator of the token broker.",
      }),
      diagnosed_recently: () => ({
        who: NOBODY,
        action: "Read that result, or wait a minute and look again.",
      }),
      integrity_failure: ({ support }) => ({
        who: BROKER,
        action: `Nothing was sent anywhere. Send this page to ${support}.`,
      }),
      internal_error: ({ support }) => ({
        who: BROKER,
        action: `Try once more. If it happens again, send this page to ${support}.`,
      }),
    } satisfies Partial<Record<ProblemCode, (facts: RemedyFacts) => RemedyText>>,
  },

  notFound: {
    title: "There is no such page",
    body: "The address may be mistyped, or what it showed may be gone.",
  },
  unknownProblem: {
    title: "Something did not work",
    body: "Go back to where you came from and try again.",
  },
  formOutdated: {
    title: "This form is out of date",
    body: "Nothing was changed. It was opened in another sign-in, in another window, or sent from another page.",
    back: "Open the page again",
  },

  leaving: {
    title: "Continue to iManage",
    body: (host: string) =>
      `You are being sent to ${host} to sign in. Enter your iManage password there only, and never on this site.`,
    link: "Continue to iManage",
    back: "Back without signing in",
  },

  result: {
    unknownApplication: "the application",
    connected: {
      title: "iManage is connected",
      body: (application: string, server: string) =>
        `${application} may now work with ${server} on your behalf. You can go back to it.`,
    },
    waiting: {
      title: (application: string) => `Waiting for ${application}`,
      body: (application: string) =>
        `You have signed in at iManage. ${application} still has to finish; this takes seconds.`,
    },
    started: {
      title: "The sign-in is not finished",
      body: "Go on in the window in which iManage asks you to sign in.",
    },
    over: {
      title: "The sign-in was not finished in time",
      body: (application: string) => `Nothing was connected. Start again from ${application}.`,
    },
    failedLead: (application: string, server: string) => `${application} was not connected to ${server}.`,
    close: "You can close this window.",
    checkAgain: "Check again",
    back: (application: string) => `Return to ${application}`,
  },

  libraries,
  library,
  authorizeLibrary,
  withdrawLibrary,
  reminders,
  audit,
  timeline,
  calendarLink,
  calendarFile,
  operators,
  containments,
  portal,
  myIntegrations,
  disconnectServer,
  switchOffApplication,
  settings,
  diagnosis,

  months: [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
  ],
} as const;
