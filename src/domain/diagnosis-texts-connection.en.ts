import type { Facts } from "./diagnosis-finding.ts";
import { answered, type CauseTexts, day } from "./diagnosis-words.en.ts";

export const connectionTexts: CauseTexts<
  "dns" | "egress" | "reach" | "tls" | "clock" | "api" | "version" | "oauth"
> = {
  "dns.resolved": (f) => ({ seen: `${f.host} is ${f.addresses}.`, means: "The name is found." }),
  "dns.literal": (f) => ({ seen: `${f.host} is an address.`, means: "No name has to be found." }),
  "dns.by_proxy": (f) => ({
    seen: `The operator's proxy looks ${f.host} up.`,
    means: "What it finds cannot be seen from here.",
  }),
  "dns.not_found": (f) => ({
    seen: `No address is found for ${f.host}.`,
    means: "The server's name does not exist, or cannot be looked up from here.",
    remedy:
      "Compare the server's address with the one in a browser at the firm. Where only the firm's own DNS knows it, the operator makes that DNS reachable.",
  }),
  "egress.allowed": () => ({
    seen: "The address may be connected to.",
    means: "The operator's egress rules let it through.",
  }),
  "egress.url": (f) => ({
    seen: `The server's URL is refused: ${f.reason}.`,
    means: "Only https is spoken, on ports 443 and 8443.",
    remedy: "Enter an address that begins with https://, without path, user or fragment.",
  }),
  "egress.address": (f) => ({
    seen: `${f.denied} may not be connected to.`,
    means: "The address is private, or belongs to this machine or its cloud.",
    remedy:
      "Where this is the firm's own network, the operator adds its range to EGRESS_PRIVATE_CIDRS. Addresses of loopback and of instance metadata are never opened.",
  }),
  "reach.connected": (f) => ({
    seen: `Connected to ${f.host}:${f.port} in ${f.elapsed_ms} ms, from ${f.local}.${outgoing(f)}`,
    means: "The server is reachable.",
  }),
  "reach.refused": (f) => ({
    seen: `${f.host}:${f.port} refuses the connection.${outgoing(f)}`,
    means: "Nothing listens there, or a firewall turns us away.",
    remedy: "See that iManage Work runs, and that the firewall lets our outgoing address in.",
  }),
  "reach.timeout": (f) => ({
    seen: `${f.host}:${f.port} does not answer.${outgoing(f)}`,
    means: "As a rule a firewall or an IP allow list does not know our outgoing address.",
    remedy: "Add our outgoing address to the allow list of the firewall in front of iManage Work.",
  }),
  "reach.proxy": (f) => ({
    seen:
      f.reason === "proxy_refused"
        ? `The operator's proxy does not connect to ${f.host}:${f.port}.`
        : "The operator's proxy does not answer.",
    means: "The server cannot be reached through it.",
    remedy:
      "The operator lets the proxy reach this host and port, and looks whether the name is found there.",
  }),
  "reach.failed": (f) => ({
    seen: `No connection to ${f.host}:${f.port}: ${f.reason}.${outgoing(f)}`,
    means: "The network between here and the server does not carry the connection.",
    remedy: "See that iManage Work runs, and that routing and firewall let our outgoing address in.",
  }),
  "tls.trusted": (f) => ({
    seen:
      f.subject === undefined
        ? `${f.protocol}.`
        : `${f.protocol}, ${f.subject} by ${f.issuer}, until ${day(f.valid_to)}.`,
    means: "The certificate is believed.",
  }),
  "tls.plain": () => ({
    seen: "Plain http on this machine.",
    means: "This is the simulator: there is no certificate to look at.",
  }),
  "tls.ends_soon": (f) => ({
    seen: `The certificate of ${f.subject} ends on ${day(f.valid_to)}.`,
    means: "After that nothing works until it is replaced.",
    remedy: "Replace the certificate of the iManage server before that day.",
  }),
  "tls.missing_intermediate": (f) => ({
    seen: `The server sends ${f.certificates === 1 ? "its own certificate alone" : `${f.certificates} certificates`}. The certificate of “${f.missing}”, which signed ${f.certificates === 1 ? "it" : "the last of them"}, is missing.`,
    means:
      "The chain is incomplete. Browsers often find the missing certificate by themselves, programs do not. Where “the missing one” is the firm's own root, it has to be trusted here instead.",
    remedy: `Install the certificate of “${f.missing}” beside the server's own in the chain that iManage's web server or proxy sends.${f.fetch === "" ? "" : ` It can be fetched at ${f.fetch}.`} If “${f.missing}” is the firm's own root, enter its certificate under *Certificate authorities* of this server instead (ca_file in a configuration file).`,
  }),
  "tls.unknown_root": (f) => ({
    seen: `The chain ends in “${f.missing}”, which is not known here.`,
    means: "The server's certificate comes from a certificate authority of the firm's own.",
    remedy: `Trust “${f.missing}” for this server: enter its certificate under *Certificate authorities* of this server (ca_file in a configuration file).`,
  }),
  "tls.self_signed": (f) => ({
    seen: `${f.subject} signed its certificate itself.`,
    means: "Nobody vouches for the server, so it cannot be told from an impostor.",
    remedy: "Install a certificate of a certificate authority.",
  }),
  "tls.expired": (f) => ({
    seen: `The certificate of ${f.subject} is valid until ${day(f.valid_to)}.`,
    means: "It is over, or not valid yet by the clock here.",
    remedy: "Replace the certificate of the iManage server.",
  }),
  "tls.wrong_host": (f) => ({
    seen: `The certificate is for ${f.subject}, and not for ${f.host}.`,
    means: "Another server answers, or the address is not the one the certificate was made for.",
    remedy: "Install a certificate that names this host, or enter the address that the certificate names.",
  }),
  "tls.handshake": (f) => ({
    seen: `TLS ended early: ${f.reason}.`,
    means: "The server speaks no TLS there, or only versions older than 1.2.",
    remedy: "Enable TLS 1.2 or 1.3 on the iManage server or the proxy in front of it.",
  }),
  "clock.agrees": () => ({ seen: "Its clock and ours agree.", means: "Times can be compared." }),
  "clock.differs": (f) => ({
    seen: `The server's clock is ${f.minutes} minutes ${f.way} of ours.`.replace("behind of", "behind"),
    means:
      "Tokens and sign-ins may end sooner or later than they should; single sign-on often fails so. Which of the two clocks is wrong cannot be seen from here.",
    remedy: "Synchronise the clock of the iManage server (NTP); the operator looks at ours.",
  }),
  "clock.not_told": () => ({ seen: "The answer has no date.", means: "Its clock cannot be compared." }),
  "api.imanage": (f) => ({ seen: `HTTP ${f.status} at /api.`, means: "An iManage Work server answers." }),
  "api.wants_token": (f) => ({
    seen: `HTTP ${f.status} at /api, in iManage's words.`,
    means: "An iManage Work server answers; it tells more to those who are signed in.",
  }),
  "api.foreign_root": (f) => ({
    seen: `HTTP ${f.status} at /api; the address under versions lies on another host.`,
    means:
      "Tokens are sent to the server's own address alone, so the usual path is used there. It may be another one.",
    remedy: "Enter the server's address as iManage itself names it, as a new server.",
  }),
  "api.redirected": (f) => ({
    seen: `HTTP ${f.status}: /api leads to ${f.location === "" ? "somewhere else" : f.location}.`,
    means: "Something in front of iManage, a sign-on page or a load balancer, answers instead of it.",
    remedy:
      "Enter the address of iManage Work itself, without a path such as /login; or let /api and /auth/oauth2 pass without a sign-on.",
  }),
  "api.other": (f) => ({
    seen: `At /api: ${answered(f)}`,
    means: "It does not answer as an iManage Work server does.",
    remedy: "Compare the server's address with the one that people use for iManage Work in a browser.",
  }),
  "api.unavailable": (f) => ({
    seen: `At /api: ${answered(f)}`,
    means: "The server, or the proxy in front of it, is not well.",
    remedy: "See that iManage Work runs.",
  }),
  "api.throttled": (f) => ({
    seen: `At /api: ${answered(f)}`,
    means: "The server asks for time. Diagnose again later.",
  }),
  "api.unanswered": (f) => ({
    seen: `No answer at /api: ${f.reason}.`,
    means: "The connection is there, and no answer comes.",
    remedy: "See that iManage Work runs behind its proxy.",
  }),
  "version.new_enough": (f) => ({ seen: `Version ${f.version}.`, means: `${f.least} or newer has OAuth.` }),
  "version.too_old": (f) => ({
    seen: `Version ${f.version}.`,
    means: `iManage Work has OAuth from ${f.least} on.`,
    remedy: `Upgrade iManage Work Server to ${f.least} or newer.`,
  }),
  "version.not_told": (f) => ({
    seen: f.version === undefined ? "The version is not told." : `“${f.version}” is no version we can read.`,
    means: "It is known after the first sign-in, where iManage tells it at all.",
  }),
  "oauth.listed": (f) => ({ seen: `Capabilities: ${f.capabilities}.`, means: "OAuth is there." }),
  "oauth.missing": (f) => ({
    seen: f.capabilities === "" ? "No capabilities are listed." : `Capabilities: ${f.capabilities}.`,
    means: "oauth is not among them: nobody can authorise an application.",
    remedy: "Enable OAuth on the iManage Work server; ask iManage support how for this version.",
  }),
  "oauth.not_told": () => ({
    seen: "The capabilities are not told.",
    means: "They are known after the first sign-in.",
  }),
};

/** Behind NAT the socket's own address is not what the firm's firewall sees. */
function outgoing({ outgoing: told = "" }: Facts): string {
  return told === ""
    ? " Behind NAT iManage sees another address; the operator knows it (OUTGOING_ADDRESSES)."
    : ` iManage sees us as ${told}, the operator says.`;
}
