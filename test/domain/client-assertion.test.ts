import { describe, expect, it } from "vitest";
import { type AssertionFault, judgeAssertionForm, rememberUseMs } from "../../src/domain/client-assertion.ts";

const ISSUER = "https://broker.example.com";
const NOW = Date.UTC(2026, 10, 22, 12);
const at = (seconds: number) => NOW / 1_000 + seconds;
const claims = { iss: "cli_a", sub: "cli_a", aud: ISSUER, exp: at(60), jti: "one" };

const judge = (claim: Record<string, unknown> = {}, header: Record<string, unknown> = {}) =>
  judgeAssertionForm(
    { header: { alg: "ES256", kid: "key-1", ...header }, claims: { ...claims, ...claim } },
    ISSUER,
    NOW,
  );

describe("what an assertion says of itself", () => {
  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ["the least there must be", {}, { kid: undefined }],
    ["typ JWT", {}, { typ: "JWT" }],
    ["typ client-authentication+jwt", {}, { typ: "client-authentication+jwt" }],
    ["an end five minutes ahead", { exp: at(300) }, {}],
    ["an end 29 s ago", { exp: at(-29) }, {}],
    ["iat and nbf 30 s to come, by a clock that is ahead", { iat: at(30), nbf: at(30) }, {}],
    ["fractions of seconds", { exp: at(60.5), iat: at(-0.5) }, {}],
    ["a jti of 128 characters", { jti: "j".repeat(128) }, {}],
    ["claims that nobody here knows", { scope: "x", client: { a: 1 } }, {}],
  ])("is well with %s", (_, claim, header) => {
    expect(judge(claim, header)).toMatchObject({ ok: true, client: "cli_a" });
  });

  it.each<[AssertionFault, Record<string, unknown>, Record<string, unknown>]>([
    ["expires_too_late", { exp: at(301) }, {}],
    ["expired", { exp: at(-30) }, {}],
    ["no_expiry", { exp: undefined }, {}],
    ["no_expiry", { exp: Number.NaN }, {}],
    ["issued_at", { iat: at(31) }, {}],
    ["not_before", { nbf: at(31) }, {}],
    ["not_before", { nbf: "0" }, {}],
    ["jti", { jti: "j".repeat(129) }, {}],
    ["jti", { jti: undefined }, {}],
    ["audience", { aud: [ISSUER] }, {}],
    ["audience", { aud: `${ISSUER}/` }, {}],
    ["issuer_subject", { iss: "cli_b" }, {}],
    ["issuer_subject", { iss: undefined, sub: undefined }, {}],
    ["algorithm", {}, { alg: "none" }],
    ["algorithm", {}, { alg: "HS256" }],
    ["algorithm", {}, { alg: "ES512" }],
    ["type", {}, { typ: "at+jwt" }],
    ["type", {}, { typ: null }],
    ["critical", {}, { crit: ["exp"] }],
    ["key_in_header", {}, { jku: "https://a.example" }],
    ["key_in_header", {}, { x5c: [] }],
    ["key_in_header", {}, { kid: 7 }],
  ])(
    "is %s with %j %j, and told without a quote or a letter that RFC 6749 does not allow",
    (fault, claim, header) => {
      const judged = judge(claim, header);
      expect(judged).toMatchObject({ ok: false, fault });
      expect((judged as { says: string }).says).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/);
    },
  );

  it("is remembered as used for longer than anybody would take it", () => {
    for (const exp of [at(300) * 1_000, at(-29) * 1_000]) {
      expect(NOW + rememberUseMs(exp, NOW)).toBeGreaterThanOrEqual(exp + 60_000);
    }
  });
});
