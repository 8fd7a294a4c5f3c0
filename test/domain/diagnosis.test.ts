import { describe, expect, it } from "vitest";
import {
  changedFindings,
  diagnosisSteps,
  type Finding,
  isGood,
  verdictOf,
} from "../../src/domain/diagnosis.ts";
import { CAUSES, type Cause, stepOf } from "../../src/domain/diagnosis-causes.ts";
import { changesSince, findingOf } from "../../src/domain/diagnosis-finding.ts";
import type {
  AuthorizeProbes,
  AuthorizeSeen,
  CertificateSeen,
  ConnectionSeen,
  DiscoverySeen,
  TokenProbes,
  TokenSeen,
} from "../../src/domain/diagnosis-seen.ts";
import { diagnosisTexts } from "../../src/domain/diagnosis-texts.en.ts";
import { days, minutes } from "../../src/domain/instant.ts";
import {
  compareVersions,
  judgeApi,
  judgeClock,
  judgeDns,
  judgeEgress,
  judgeReach,
  judgeTls,
  judgeVersion,
} from "../../src/domain/judge-connection.ts";
import {
  judgeApplication,
  judgeAuthorize,
  judgeClientType,
  judgePkce,
  judgeSecret,
  judgeSecretExpiry,
} from "../../src/domain/judge-registration.ts";
import {
  judgeAccess,
  judgeCodeLife,
  judgeCustomer,
  judgeRefreshLife,
  judgeRefreshToken,
  type PastSeen,
} from "../../src/domain/judge-sign-ins.ts";
import { defaultServerSettings } from "../../src/domain/server.ts";

const NOW = Date.parse("2026-11-22T09:00:00Z");
const server = { settings: defaultServerSettings, customerId: "5948", kind: "on-premises" } as const;

describe("versions are compared by numbers", () => {
  it.each([
    ["10.2.3812", "10.2", 1],
    ["10.2", "10.2", 0],
    ["10.2.0", "10.2", 0],
    ["10.10", "10.2", 1],
    ["10.1.9999", "10.2", -1],
    ["9.10", "10.2", -1],
    ["11", "10.2", 1],
  ])("%s and %s: %d", (a, b, sign) => expect(Math.sign(compareVersions(a, b)!)).toBe(sign));

  it.each(["", "10.2-beta", "v10.2", "10..2", ".10", "1e3", "10.2.", "１０.2"])("%s is none", (text) => {
    expect(compareVersions(text, "10.2")).toBeUndefined();
    expect(judgeVersion(discovery({ version: text })).cause).toBe("version.not_told");
  });
});

const connection = (change: Partial<ConnectionSeen> = {}): ConnectionSeen => ({
  host: "dms.firm.example",
  port: 443,
  ended: "open",
  failure: undefined,
  addresses: ["203.0.113.9"],
  denied: [],
  proxied: false,
  localAddress: "192.0.2.1",
  connectMs: 12,
  tls: { protocol: "TLSv1.3", chain: [certificate()] },
  ...change,
});
const certificate = (change: Partial<CertificateSeen> = {}): CertificateSeen => ({
  subject: "dms.firm.example",
  issuer: "Issuing CA",
  selfSigned: false,
  fingerprint: "AA:BB",
  validTo: NOW + days(200),
  issuerAddress: undefined,
  ...change,
});

describe("the way there", () => {
  it.each<[string, Partial<ConnectionSeen>, [dns: string, egress: string, reach: string, tls: string]]>([
    ["open", {}, ["resolved", "allowed", "connected", "trusted"]],
    [
      "a URL that is none of ours",
      { ended: "url", failure: "url_scheme", tls: undefined },
      ["skipped", "url", "skipped", "skipped"],
    ],
    [
      "no such name",
      { ended: "dns", failure: "dns", addresses: [], tls: undefined },
      ["not_found", "skipped", "skipped", "skipped"],
    ],
    [
      "an address that is closed to us",
      { ended: "egress", denied: ["10.0.0.1"], tls: undefined },
      ["resolved", "address", "skipped", "skipped"],
    ],
    [
      "refused",
      { ended: "connect", failure: "connection_refused", tls: undefined },
      ["resolved", "allowed", "refused", "skipped"],
    ],
    [
      "silence",
      { ended: "connect", failure: "connect_timeout", tls: undefined },
      ["resolved", "allowed", "timeout", "skipped"],
    ],
    [
      "no route",
      { ended: "connect", failure: "connection_failed", tls: undefined },
      ["resolved", "allowed", "failed", "skipped"],
    ],
    [
      "a proxy that refuses",
      { ended: "connect", failure: "proxy_refused", proxied: true, addresses: [], tls: undefined },
      ["by_proxy", "allowed", "proxy", "skipped"],
    ],
    ["through a proxy", { proxied: true, addresses: [] }, ["by_proxy", "allowed", "connected", "trusted"]],
    ["plain http on loopback", { tls: undefined }, ["resolved", "allowed", "connected", "plain"]],
    [
      "TLS 1.1",
      { ended: "tls", failure: "tls_handshake", tls: undefined },
      ["resolved", "allowed", "connected", "handshake"],
    ],
  ])("%s", (_what, change, [dns, egress, reach, tls]) => {
    const seen = connection(change);
    expect(judgeDns(seen).cause).toBe(`dns.${dns}`);
    expect(judgeEgress(seen).cause).toBe(`egress.${egress}`);
    expect(judgeReach(seen, []).cause).toBe(`reach.${reach}`);
    expect(judgeTls(seen, NOW).cause).toBe(`tls.${tls}`);
  });

  it.each<[string, string, readonly CertificateSeen[], string, string?]>([
    ["its own alone", "tls_untrusted", [certificate()], "missing_intermediate", "Issuing CA"],
    [
      "one too few",
      "tls_untrusted",
      [certificate(), certificate({ subject: "Issuing CA", issuer: "Policy CA" })],
      "missing_intermediate",
      "Policy CA",
    ],
    [
      "up to a root that nobody knows",
      "tls_untrusted",
      [certificate(), certificate({ subject: "Firm Root", issuer: "Firm Root", selfSigned: true })],
      "unknown_root",
      "Firm Root",
    ],
    ["signed by itself", "tls_untrusted", [certificate({ selfSigned: true })], "self_signed"],
    ["over", "tls_expired", [certificate()], "expired"],
    ["of another host", "tls_wrong_host", [certificate()], "wrong_host"],
  ])("a chain that is %s", (_what, failure, chain, cause, missing) => {
    const judged = judgeTls(connection({ ended: "tls", failure, tls: { protocol: undefined, chain } }), NOW);
    expect([judged.cause, judged.facts?.missing]).toEqual([`tls.${cause}`, missing]);
    if (missing !== undefined) expect(findingOf(judged).seen).toContain(missing);
  });

  it("a certificate is warned of in its last thirty days", () => {
    const ending = (left: number) =>
      judgeTls(
        connection({ tls: { protocol: "TLSv1.3", chain: [certificate({ validTo: NOW + left })] } }),
        NOW,
      ).cause;
    expect([ending(days(30)), ending(days(30) - 1)]).toEqual(["tls.trusted", "tls.ends_soon"]);
  });
});

type Answered = Extract<DiscoverySeen, { kind: "answer" }>;
const discovery = (change: Partial<Answered> = {}): DiscoverySeen => ({
  kind: "answer",
  status: 200,
  shape: "imanage",
  authenticated: false,
  version: "10.2.3812",
  capabilities: ["oauth"],
  ownRoot: true,
  location: undefined,
  clockAheadMs: 0,
  said: "",
  ...change,
});

describe("what answers at /api", () => {
  it.each<[Partial<Answered>, string]>([
    [{}, "imanage"],
    [{ ownRoot: false }, "foreign_root"],
    [{ status: 401, shape: "refusal" }, "wants_token"],
    [{ status: 401, shape: "other" }, "other"],
    [{ status: 302, shape: "other" }, "redirected"],
    [{ status: 404, shape: "refusal" }, "other"],
    [{ status: 200, shape: "other" }, "other"],
    [{ status: 429, shape: "other" }, "throttled"],
    [{ status: 502, shape: "other" }, "unavailable"],
  ])("%j", (change, cause) => expect(judgeApi(discovery(change)).cause).toBe(`api.${cause}`));

  it.each([
    [0, "agrees"],
    [90_000, "agrees"],
    [-90_000, "agrees"],
    [90_001, "differs"],
    [-minutes(4), "differs"],
    [undefined, "not_told"],
  ] as const)("a clock that is %s ms ahead", (clockAheadMs, cause) =>
    expect(judgeClock(discovery({ clockAheadMs })).cause).toBe(`clock.${cause}`),
  );
});

const page = (likeness: string, looks: "sign_in" | "refused" | "sent_back" = "refused"): AuthorizeSeen => ({
  kind: "answer",
  status: looks === "refused" ? 400 : 200,
  looks,
  error: undefined,
  said: "",
  likeness,
});
const token = (
  refusal: Extract<TokenSeen, { kind: "answer" }>["refusal"],
  likeness: string = refusal,
): TokenSeen => ({ kind: "answer", status: 400, refusal, said: "", likeness });

const SIGN_IN = page("sign in", "sign_in");
const authorize = (change: Partial<AuthorizeProbes> = {}): AuthorizeProbes => ({
  real: SIGN_IN,
  inventedRedirect: page("redirect"),
  inventedClient: page("client"),
  inventedChallengeMethod: page("method", "sent_back"),
  withoutChallenge: SIGN_IN,
  ...change,
});
const tokens = (
  real: TokenSeen = token("invalid_grant"),
  inventedSecret: TokenSeen = token("invalid_client"),
  inventedClient: TokenSeen = token("invalid_client"),
): TokenProbes => ({ real: [real], inventedSecret, inventedClient });

describe("what iManage knows of our registration is seen in what it tells apart", () => {
  const all = (probes: AuthorizeProbes, of: TokenProbes | undefined) => {
    const seen = { authorize: probes, token: of };
    return [
      judgeAuthorize(seen, server).cause,
      judgeSecret(seen, "some").cause,
      judgeApplication(seen).cause,
      judgeClientType(seen).cause,
    ].map((cause) => cause.split(".")[1]);
  };
  const one = { inventedRedirect: page("no"), inventedClient: page("no") };

  it.each<[string, AuthorizeProbes, TokenProbes | undefined, readonly string[]]>([
    ["all well", authorize(), tokens(), ["known", "right", "enabled", "confidential"]],
    [
      "refused as an invented redirect URL",
      authorize({ real: page("redirect") }),
      tokens(),
      ["redirect_unregistered", "right", "not_told", "confidential"],
    ],
    [
      "refused as an invented client",
      authorize({ real: page("client") }),
      tokens(token("invalid_client")),
      ["client_unknown", "wrong", "not_told", "not_told"],
    ],
    [
      "one page for all, the secret right",
      authorize({ real: page("no"), ...one }),
      tokens(),
      ["redirect_unregistered", "right", "not_told", "confidential"],
    ],
    [
      "one page for all, the secret wrong",
      authorize({ real: page("no"), ...one }),
      tokens(token("invalid_client")),
      ["client_unknown", "wrong", "not_told", "not_told"],
    ],
    [
      "one page for all, the token endpoint silent",
      authorize({ real: page("no"), ...one }),
      tokens(token("upstream")),
      ["refused", "unavailable", "not_told", "not_told"],
    ],
    [
      "a sign-in page for all",
      authorize({ inventedRedirect: SIGN_IN, inventedClient: SIGN_IN }),
      tokens(),
      ["not_told", "right", "not_told", "confidential"],
    ],
    [
      "turned away otherwise than what is invented",
      authorize({ real: page("not enabled") }),
      tokens(token("invalid_client", "not enabled")),
      ["known_and_refused", "hidden", "not_enabled", "not_told"],
    ],
    [
      "the same where the token endpoint has one answer for everything",
      authorize({ real: page("not enabled") }),
      tokens(token("invalid_client")),
      ["known_and_refused", "hidden", "not_enabled", "not_told"],
    ],
    [
      "unauthorized_client",
      authorize(),
      tokens(token("unauthorized_client")),
      ["known", "hidden", "not_enabled", "not_allowed"],
    ],
    [
      "a secret that is not looked at",
      authorize(),
      tokens(token("invalid_grant"), token("invalid_grant")),
      ["known", "not_told", "enabled", "public"],
    ],
    [
      "a code that is looked at first",
      authorize(),
      tokens(token("invalid_grant"), token("invalid_grant"), token("invalid_grant")),
      ["known", "not_told", "enabled", "not_told"],
    ],
    [
      "a secret that is wrong",
      authorize(),
      tokens(token("invalid_client")),
      ["known", "wrong", "enabled", "not_told"],
    ],
    ["no secret to ask with", authorize(), undefined, ["known", "skipped", "enabled", "not_told"]],
    [
      "tokens for an invented code",
      authorize(),
      tokens(token("tokens")),
      ["known", "other", "enabled", "not_told"],
    ],
  ])("%s", (_what, probes, of, expected) => expect(all(probes, of)).toEqual(expected));

  it("of two secrets the older one may be the right one", () => {
    const real = [token("invalid_client"), token("invalid_grant")];
    const seen = { authorize: authorize(), token: { ...tokens(), real } };
    expect(judgeSecret(seen, "some").cause).toBe("secret.older_right");
  });

  it("on the cloud the vendor has iManage add a redirect URL", () => {
    const seen = { authorize: authorize({ real: page("redirect") }), token: tokens() };
    expect(judgeAuthorize(seen, { kind: "cloud" })).toMatchObject({ who: "vendor" });
    expect(findingOf(judgeAuthorize(seen, { kind: "cloud" })).remedy).toContain("one to two days");
    expect(findingOf(judgeAuthorize(seen, server)).who).toBe("imanage_admin");
  });

  it.each([
    ["invalid_scope", "not_told"],
    ["temporarily_unavailable", "not_told"],
    ["unauthorized_client", "not_enabled"],
    ["access_denied", "not_enabled"],
  ])("people who are sent back with %s do not prove more of the application than that", (error, cause) => {
    const real: AuthorizeSeen = { ...page("back", "sent_back"), error } as AuthorizeSeen;
    const seen = { authorize: authorize({ real }), token: tokens() };
    expect(judgeAuthorize(seen, server).cause).toBe("authorize.sent_back");
    expect(judgeApplication(seen).cause).toBe(`application.${cause}`);
  });

  it.each<[string, Partial<AuthorizeProbes>, string]>([
    ["a method that does not exist is refused", {}, "read"],
    ["so is none", { withoutChallenge: page("none", "sent_back") }, "enforced"],
    ["neither, where invented clients are", { inventedChallengeMethod: SIGN_IN }, "ignored"],
    [
      "neither, nor anything else before the sign-in",
      { inventedChallengeMethod: SIGN_IN, inventedClient: SIGN_IN, inventedRedirect: SIGN_IN },
      "not_told",
    ],
    ["nothing can be said of who is refused anyway", { real: page("client") }, "not_told"],
  ])("PKCE: %s", (_what, change, cause) =>
    expect(
      judgePkce({ authorize: authorize(change), token: tokens() }, { pkce: undefined, good: undefined })
        .cause,
    ).toBe(`pkce.${cause}`),
  );

  it.each([
    ["a wrong verifier was refused, and codes are redeemed", "refused", true, "honoured"],
    ["a wrong verifier was refused, and so may be every code", "refused", false, "read"],
    ["a wrong verifier was redeemed", "redeemed", true, "not_honoured"],
    ["a wrong verifier was redeemed, before anything else", "redeemed", false, "not_honoured"],
  ] as const)("T04 PKCE: %s", (_what, wrongVerifier, redeems, cause) => {
    const good = redeems ? { at: 1, refreshToken: true, customerId: "1" } : undefined;
    const probes = { authorize: authorize(), token: tokens() };
    expect(judgePkce(probes, { pkce: { at: 1, wrongVerifier }, good }).cause).toBe(`pkce.${cause}`);
  });

  it.each([
    [[undefined], "never"],
    [[NOW + days(31)], "later"],
    [[NOW + days(29)], "soon"],
    [[NOW], "expired"],
    [[NOW - 1, NOW + days(90)], "later"],
    [[NOW - 1, undefined], "never"],
    [[], "skipped"],
  ] as const)("Client Secret Expires %j: %s", (ends, cause) => {
    const secrets = ends.map((expiresAt) => ({ sealed: "" as never, addedAt: 0, expiresAt }));
    expect(judgeSecretExpiry(secrets, NOW).cause).toBe(`secret_expiry.${cause}`);
  });
});

describe("what sign-ins tell", () => {
  const past = (
    change: Partial<PastSeen["signIns"]> = {},
    grants: Partial<PastSeen["grants"]> = {},
  ): PastSeen => ({
    signIns: {
      leftAt: undefined,
      backAt: undefined,
      good: undefined,
      failed: undefined,
      pkce: undefined,
      ...change,
    },
    grants: { count: 0, active: 0, newest: undefined, renewBy: undefined, ...grants },
    profile: { codeLifeMs: undefined },
  });
  const failed = (code: "user_not_in_access" | "code_expired_at_imanage", at = NOW) => ({
    at,
    code,
    requestId: undefined,
  });
  const good = { at: NOW - 1, refreshToken: true, customerId: "5948" };

  it("the last one counts: what failed before a good one is over", () => {
    const before = past({ good, failed: failed("user_not_in_access", NOW - 2) });
    const after = past({ good, failed: failed("user_not_in_access") });
    expect(judgeAccess(before, NOW).cause).toBe("access.good");
    expect(judgeAccess(after, NOW).cause).toBe("access.not_in_access");
  });

  it("who left and has not come back is suspicious after three minutes, and no longer once somebody came", () => {
    const left = (ago: number, backAt?: number) =>
      judgeAccess(past({ leftAt: NOW - ago, backAt }), NOW).cause;
    expect(left(minutes(3) - 1)).toBe("access.no_sign_in");
    expect(left(minutes(3))).toBe("access.never_back");
    expect(left(minutes(3), NOW - 1)).toBe("access.no_sign_in");
  });

  it("authorizations that are there speak where no sign-in is remembered", () => {
    const newest = { consentedAt: NOW - days(3), refreshable: true, customerId: "5948" };
    const seen = past({}, { count: 1, active: 1, newest, renewBy: NOW + days(300) });
    expect(judgeAccess(seen, NOW).cause).toBe("access.good");
    expect(judgeCodeLife(seen, server).cause).toBe("code_life.long_enough");
    expect(judgeRefreshToken(seen, server, "id", "1").cause).toBe("refresh_token.present");
    expect(judgeRefreshLife(seen, server, NOW).cause).toBe("refresh_life.long");
    expect(judgeCustomer(seen, server).cause).toBe("customer.expected");
    expect(judgeCustomer(seen, { customerId: undefined }).cause).toBe("customer.not_entered");
    expect(judgeCustomer(seen, { customerId: "1" }).cause).toBe("customer.other");
    expect(
      judgeRefreshLife({ ...seen, grants: { ...seen.grants, renewBy: NOW + days(13) } }, server, NOW).cause,
    ).toBe("refresh_life.soon");
  });
});

describe("words", () => {
  const causes = Object.keys(CAUSES) as (keyof typeof CAUSES)[];

  it.each(causes)(
    "%s is said in whole sentences, and what failed has a remedy and somebody to act",
    (cause) => {
      // Every fact that any cause has, so that none is missing.
      const facts = {
        ...{ host: "h", port: 443, addresses: "a", denied: "d", reason: "r", local: "l", outgoing: "" },
        ...{
          elapsed_ms: 1,
          subject: "s",
          issuer: "i",
          missing: "m",
          fetch: "",
          certificates: 1,
          protocol: "TLS",
        },
        ...{ valid_to: NOW, at: NOW, minutes: 4, way: "ahead", status: 400, said: "", location: "" },
        ...{ version: "1", least: "10.2", capabilities: "c", error: "e", cloud: 0, days: 365, count: 1 },
        ...{
          registered_by: "form",
          client_id: "id",
          customer_id: "1",
          request_id: "",
          expected: "1",
          met: "",
        },
        ...{ least_s: 30, set_s: 30, age_s: 0 },
      };
      const { seen, means, remedy } = diagnosisTexts.causes[cause](facts);
      for (const text of [seen, means, ...(remedy === undefined ? [] : [remedy])]) {
        expect(text).toMatch(/^["“/]?[\p{Lu}\p{Ll}\d].*[.”]$/su);
        expect(text).not.toMatch(/undefined|NaN|Invalid|\[object/);
      }
      const { state, who } = CAUSES[cause];
      if (state === "failed" || state === "warning")
        expect([who === "nobody", remedy === undefined]).toEqual([false, false]);
    },
  );

  it("belong to steps that are listed, and every step has a title", () => {
    expect([...new Set(causes.map(stepOf))].sort()).toEqual([...diagnosisSteps].sort());
    expect(Object.keys(diagnosisTexts.steps).sort()).toEqual([...diagnosisSteps].sort());
  });
});

describe("compared with the last good one", () => {
  const finding = (cause: Cause, mark?: string): Finding => ({
    ...findingOf({ cause }),
    ...(mark !== undefined && { mark }),
  });
  const MAY = Date.parse("2026-05-12T10:00:00Z");
  const compare = (was: Finding, is: Finding) =>
    changesSince([is], { findings: [was], startedAt: MAY }).map(({ sentence }) => sentence);

  it("a certificate that changed is told although all is well", () => {
    expect(compare(finding("tls.plain", "AA"), finding("tls.plain", "BB"))).toEqual([
      "TLS: the certificate changed since 12 May 2026.",
    ]);
    expect(compare(finding("tls.plain", "AA"), finding("tls.plain", "AA"))).toEqual([]);
  });

  it("what became worse is told with what it was, what became unknown is not", () => {
    expect(compare(finding("secret.right"), finding("secret.none"))).toEqual([
      "Client Secret: on 12 May 2026 “Client ID and Client Secret are right.” Now: “iManage gives no token without it.”",
    ]);
    expect(compare(finding("secret.right"), finding("secret.skipped"))).toEqual([]);
    expect(compare(finding("secret.none"), finding("secret.none"))).toEqual([]);
    expect(changesSince([finding("secret.none")], undefined)).toEqual([]);
    expect(changedFindings([finding("secret.none")], { findings: [] })).toEqual([]);
  });

  it("a verdict is as bad as its worst finding, and not_known is not bad", () => {
    const verdict = (...all: Cause[]) => verdictOf(all.map((cause) => finding(cause)));
    expect(verdict("secret.right", "secret_expiry.never", "tls.skipped")).toBe("good");
    expect(verdict("application.not_told", "client_type.not_told")).toBe("good");
    expect(verdict("client_type.public")).toBe("attention");
    expect(verdict("client_type.public", "secret.none")).toBe("failed");
    expect([isGood({ verdict: "attention" }), isGood({ verdict: "failed" })]).toEqual([true, false]);
  });
});
