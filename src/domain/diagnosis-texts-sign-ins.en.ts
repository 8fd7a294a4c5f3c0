import type { Facts } from "./diagnosis-finding.ts";
import { APPLICATION, type CauseTexts, day, moment, request } from "./diagnosis-words.en.ts";

const refreshSwitch = (f: Facts): string =>
  f.registered_by === "package"
    ? `${APPLICATION} › Authentication: set Allow Token Refresh to Yes. Then everybody who signed in meanwhile signs in again.`
    : `${APPLICATION} › Authentication: set Allow Refresh Token to Yes. An older server has no such switch: there an administrator calls PUT /api/v2/customers/${f.customer_id}/settings/${f.client_id}/oauth2.tokens with allow_refresh_token true. Then everybody who signed in meanwhile signs in again.`;

export const signInTexts: CauseTexts<"access" | "code_life" | "refresh_token" | "refresh_life" | "customer"> =
  {
    "access.good": (f) => ({
      seen: `Somebody got through on ${moment(f.at)}.`,
      means: "People may use the application.",
    }),
    "access.not_in_access": (f) => ({
      seen: `On ${moment(f.at)} iManage refused the person who had signed in${request(f)}.`,
      means: "The person is not among those who may use the application.",
      remedy: `${APPLICATION} › Access: choose All Users, or add the person.`,
    }),
    "access.denied": (f) => ({
      seen: `On ${moment(f.at)} iManage sent somebody back with access_denied.`,
      means:
        "The person cancelled, or is not among those who may use the application: iManage says the same for both.",
      remedy: `Where the person did not cancel: ${APPLICATION} › Access: choose All Users, or add the person.`,
    }),
    "access.refused": (f) => ({
      seen: `On ${moment(f.at)} iManage refused the sign-in of somebody who came back from it${request(f)}.`,
      means:
        "The code was refused. The person may not be among those who may use the application, or something between changed the Redirect URL.",
      remedy: `${APPLICATION} › Access: choose All Users, or add the person. Compare the Redirect URL.`,
    }),
    "access.never_back": (f) => ({
      seen: `Somebody went to iManage on ${moment(f.at)}, and nobody has come back since.`,
      means:
        "iManage shows a page of its own to people who are not in Access, and so do a single sign-on that loses the way back and an application that is not enabled. Or the window was closed.",
      remedy: `Ask what the page said. ${APPLICATION} › Access: choose All Users, or add the person.`,
    }),
    "access.no_sign_in": () => ({
      seen: "Nobody has signed in yet.",
      means: "Whether people may use the application is seen at the first sign-in.",
    }),
    "code_life.long_enough": (f) => ({
      seen: `The code of ${moment(f.at)} was in time.`,
      means: "Work Token Grant Expiry is long enough.",
    }),
    "code_life.too_short": (f) => ({
      seen: `On ${moment(f.at)} iManage answered 403${f.age_s === 0 ? "" : ` to a code of ${f.age_s} s`}.`,
      means: "The code had outlived Work Token Grant Expiry.",
      remedy: `In Control Center set Work Token Grant Expiry to at least ${f.least_s} seconds.`,
    }),
    "code_life.no_sign_in": (f) => ({
      seen: "Nobody has signed in yet.",
      means: `Work Token Grant Expiry is seen at the first sign-in; it should be at least ${f.least_s} seconds.`,
    }),
    "refresh_token.present": (f) => ({
      seen: `The sign-in of ${moment(f.at)} brought a refresh token.`,
      means: "Authorizations last without signing in again.",
    }),
    "refresh_token.missing": (f) => ({
      seen: `The sign-in of ${moment(f.at)} brought no refresh token${request(f)}.`,
      means:
        "It is switched off, which is how the form comes. Everybody would have to sign in every half hour.",
      remedy: refreshSwitch(f),
    }),
    "refresh_token.session_only": (f) => ({
      seen: `The sign-in of ${moment(f.at)} brought no refresh token.`,
      means: "This server is set up to do without: authorizations end with their session.",
      remedy: `Where they should last: ${refreshSwitch(f)}`,
    }),
    "refresh_token.no_sign_in": (f) => ({
      seen: "Nobody has signed in yet.",
      means: `Whether iManage gives refresh tokens is seen at the first sign-in; ${f.registered_by === "package" ? "Allow Token Refresh" : "Allow Refresh Token"} has to be Yes.`,
    }),
    "refresh_life.long": (f) => ({
      seen: `${f.count} authorizations; the first has to be renewed by ${day(f.at)}.`,
      means: `Reckoned with a Refresh Token Expiry of ${f.days} days, as entered here: iManage does not tell it.`,
    }),
    "refresh_life.soon": (f) => ({
      seen: `Of ${f.count} authorizations the first ends on ${day(f.at)}.`,
      means: `Reckoned with a Refresh Token Expiry of ${f.days} days, as entered here: iManage does not tell it.`,
      remedy: "Have those people sign in again before that day; the list of authorizations names them.",
    }),
    "refresh_life.not_told": (f) => ({
      seen: "There is no authorization with a refresh token yet.",
      means: `Refresh Token Expiry is taken to be ${f.days} days, as entered here: iManage does not tell it.`,
    }),
    "customer.expected": (f) => ({
      seen: `People of iManage customer ${f.expected} sign in.`,
      means: "That is the customer entered here.",
    }),
    "customer.other": (f) => ({
      seen: `Somebody of another iManage customer${f.expected === "" ? "" : ` than ${f.expected}`} signed in on ${moment(f.at)}${request(f)}.`,
      means: "Either that person belongs to another firm, or the customer id entered here is not right.",
      remedy: "Sign in with an account of this firm; or the operator corrects the customer id of the server.",
    }),
    "customer.not_entered": (f) => ({
      seen:
        f.met === ""
          ? "No customer id is entered, and nobody has signed in yet."
          : `Customer ${f.met} signed in.`,
      means: "No customer id is entered here, so people of any iManage customer at this address are let in.",
      remedy: "Enter the iManage customer id of the firm.",
    }),
    "customer.no_sign_in": (f) => ({
      seen: "Nobody has signed in yet.",
      means: `Customer ${f.expected} is expected.`,
    }),
  };
