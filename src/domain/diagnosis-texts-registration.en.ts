import {
  APPLICATION,
  answered,
  type CauseTexts,
  day,
  moment,
  noAnswer,
  quoted,
} from "./diagnosis-words.en.ts";

export const registrationTexts: CauseTexts<
  "authorize" | "secret" | "secret_expiry" | "application" | "client_type" | "pkce"
> = {
  "authorize.known": (f) => ({
    seen: `HTTP ${f.status}; an invented Client ID or Redirect URL is answered otherwise.`,
    means: "iManage knows our Client ID and Redirect URL.",
  }),
  "authorize.known_and_refused": (f) => ({
    seen: answered(f),
    means: "iManage knows our Client ID and Redirect URL, and turns the sign-in away for another reason.",
  }),
  "authorize.client_unknown": (f) => ({
    seen: answered(f),
    means: "iManage does not know our Client ID.",
    remedy: `Compare the Client ID (API Key on older servers) letter by letter with ${APPLICATION} › Configuration.`,
  }),
  "authorize.redirect_unregistered": (f) => ({
    seen: answered(f),
    means: "The application is known, our Redirect URL is not registered.",
    remedy:
      f.cloud === 1
        ? "On the cloud iManage itself adds a Redirect URL to a vendor's application: the vendor asks iManage, it takes one to two days."
        : `${APPLICATION} › Authentication › Redirect URL: enter the one of the registration sheet, letter by letter.`,
  }),
  "authorize.refused": (f) => ({
    seen: answered(f),
    means: "Client ID or Redirect URL is not known; iManage gives the same page for both.",
    remedy: `Compare Client ID and Redirect URL letter by letter with ${APPLICATION}.`,
  }),
  "authorize.sent_back": (f) => ({
    seen: `HTTP ${f.status}, sent back with ${f.error === "" ? "an error" : f.error}.`,
    means:
      "iManage knows our Client ID and Redirect URL, and refuses what we ask for: the scope, or the kind of application.",
    remedy: `${APPLICATION} › Authentication: Application Type is Web, Client Type is Confidential; ask the vendor about the scope.`,
  }),
  "authorize.not_told": (f) => ({
    seen: `HTTP ${f.status}, as for invented ones.`,
    means:
      "Before somebody signs in, iManage does not tell whether it knows our Client ID and Redirect URL. Try a sign-in.",
  }),
  "authorize.unavailable": (f) => ({
    seen: noAnswer(f),
    means: "The sign-in page does not come.",
    remedy: "See that iManage Work's sign-in runs, and that nothing in front of it holds /auth/oauth2 back.",
  }),
  "secret.right": () => ({
    seen: "An invented code is refused as a code, an invented secret as a secret.",
    means: "Client ID and Client Secret are right.",
  }),
  "secret.older_right": () => ({
    seen: "The newest Client Secret is refused, the one before is accepted.",
    means: "It works, by the older secret alone.",
    remedy:
      "Enter the Client Secret that Control Center shows now; it was copied wrongly, or not yet saved there.",
  }),
  "secret.wrong": (f) => ({
    seen: `${answered(f)} An invented secret is answered alike.`,
    means: "iManage does not accept our Client ID with our Client Secret.",
    remedy: `Compare with ${APPLICATION} › Configuration (API Key and API Secret on older servers). The secret may have expired: Client Secret Expires. Enter the new one; nobody has to sign in again.`,
  }),
  "secret.none": () => ({
    seen: "No Client Secret is stored here.",
    means: "iManage gives no token without it.",
    remedy: `Copy the Client Secret of ${APPLICATION} › Configuration and enter it here.`,
  }),
  "secret.unreadable": () => ({
    seen: "The stored Client Secret does not open for this server's address.",
    means: "A record was altered, or the keys are other ones. Nothing was sent.",
    remedy: "Look at the broker's log by the request id. Then enter the Client Secret anew.",
  }),
  "secret.hidden": (f) => ({
    seen: `${answered(f)}`,
    means: "Our secret is refused otherwise than an invented one: first the application has to be in order.",
  }),
  "secret.not_told": () => ({
    seen: "An invented secret is answered as ours is.",
    means: "This server looks at the code before the secret, so a wrong secret is seen at a sign-in only.",
  }),
  "secret.other": (f) => ({
    seen: answered(f),
    means: "The token endpoint answers in a way that says nothing of the secret.",
    remedy: "Send the support bundle to the vendor.",
  }),
  "secret.unavailable": (f) => ({
    seen: noAnswer(f),
    means: "The token endpoint does not answer as it should. Diagnose again later.",
    remedy: "See that iManage Work's sign-in runs, and that nothing in front of it holds /auth/oauth2 back.",
  }),
  "secret_expiry.never": () => ({
    seen: "No end was entered for the Client Secret.",
    means: `It is taken for one that never ends; ${APPLICATION} › Authentication › Client Secret Expires says the truth.`,
  }),
  "secret_expiry.later": (f) => ({
    seen: `The Client Secret ends on ${day(f.at)}.`,
    means: "That is far off.",
  }),
  "secret_expiry.soon": (f) => ({
    seen: `The Client Secret ends on ${day(f.at)}.`,
    means: "After that nobody gets a token.",
    remedy: `Make a new Client Secret under ${APPLICATION} and enter it here: both are good until then.`,
  }),
  "secret_expiry.expired": (f) => ({
    seen: `The Client Secret ended on ${day(f.at)}.`,
    means: "It is sent no more, so nobody gets a token.",
    remedy: `Make a new Client Secret under ${APPLICATION} and enter it here; nobody has to sign in again.`,
  }),
  "application.enabled": () => ({
    seen: "iManage asks for a sign-in.",
    means: "The application is enabled, as far as can be seen.",
  }),
  "application.not_enabled": (f) => ({
    seen: `iManage knows the application and turns it away.${quoted(f)}`,
    means: "Most often it is not enabled.",
    remedy: `${APPLICATION} › Review: set Enable Application to Yes. On the cloud: enable the vendor's application for your firm.`,
  }),
  "application.not_told": () => ({
    seen: "The answers do not tell whether the application is enabled.",
    means: `${APPLICATION} › Review › Enable Application says it.`,
  }),
  "client_type.confidential": () => ({
    seen: "An invented secret is refused.",
    means: "Client Type is Confidential.",
  }),
  "client_type.public": () => ({
    seen: "Our Client ID gets through with an invented secret.",
    means: "The application seems to be registered as Public: whoever knows its Client ID can pass for it.",
    remedy: `${APPLICATION} › Authentication: set Client Type to Confidential and Application Type to Web.`,
  }),
  "client_type.not_allowed": (f) => ({
    seen: `The application may not do this (unauthorized_client).${quoted(f)}`,
    means:
      "Application Type or Client Type is another than this product needs, or the application is not enabled.",
    remedy: `${APPLICATION} › Authentication: Application Type is Web, Client Type is Confidential.`,
  }),
  "client_type.not_told": () => ({
    seen: "The answers do not tell the Client Type.",
    means: `${APPLICATION} › Authentication › Client Type says it; it has to be Confidential.`,
  }),
  "pkce.honoured": ({ at }) => ({
    seen: `On ${moment(at)} a code was presented with a wrong verifier, and refused.`,
    means: "iManage honours PKCE (RFC 7636).",
  }),
  "pkce.not_honoured": ({ at }) => ({
    seen: `On ${moment(at)} a code was presented with a wrong verifier, and redeemed.`,
    means: "iManage ignores PKCE. Sign-ins work; a stolen code is protected by the Client Secret alone.",
    remedy: "Nothing to do at the firm; the vendor knows that this server does not honour PKCE.",
  }),
  "pkce.read": () => ({
    seen: "A challenge method that does not exist is refused.",
    means: "iManage reads PKCE (RFC 7636).",
  }),
  "pkce.enforced": () => ({
    seen: "A request without a challenge is refused.",
    means: "iManage insists on PKCE (RFC 7636).",
  }),
  "pkce.ignored": () => ({
    seen: "A challenge method that does not exist is let through.",
    means:
      "iManage seems to ignore PKCE. Sign-ins work; a stolen code is protected by the Client Secret alone.",
    remedy: "Nothing to do at the firm; the vendor knows that this server does not honour PKCE.",
  }),
  "pkce.not_told": () => ({
    seen: "Before a sign-in the answers do not tell.",
    means: "PKCE is sent with every sign-in, whether this server reads it or not.",
  }),
};
