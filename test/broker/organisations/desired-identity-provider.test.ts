import { describe, expect, it } from "vitest";
import { readDesiredConfiguration } from "../../../src/broker/organisations/desired-configuration.ts";
import { identityProviderText } from "../../../src/broker/organisations/desired-identity-provider.ts";
import { planConfiguration } from "../../../src/broker/organisations/plan-configuration.ts";
import type { IdentityProvider } from "../../../src/domain/identity-provider.ts";

const rules = { loopbackOrigins: [], loopbackReturnUrls: false };
const ISSUER = "https://login.microsoftonline.com/5b1a6f7e-0000-4000-8000-000000000000/v2.0";
const read = (provider: unknown) =>
  readDesiredConfiguration(
    { version: 1, organisations: [{ name: "firm", identity_provider: provider }] },
    rules,
  );
const faultsOf = (provider: unknown) => {
  const reading = read(provider);
  return reading.ok ? [] : reading.faults.map(({ path, message }) => `${path.at(-1)} ${message}`);
};

it.each([
  [{ issuer: ISSUER, audiences: ["app"] }, `${ISSUER} for app, by sub, RS256 PS256 ES256, keys by discovery`],
  [
    {
      issuer: "https://idp.firm.example/",
      audiences: ["a", "b", "a"],
      subject_claim: "oid",
      algorithms: ["RS256"],
    },
    "https://idp.firm.example/ for a b, by oid, RS256, keys by discovery",
  ],
  [
    { issuer: "https://idp.firm.example", audiences: ["a"] },
    "https://idp.firm.example for a, by sub, RS256 PS256 ES256, keys by discovery",
  ],
  [
    { issuer: ISSUER, audiences: ["a"], jwks_uri: "https://idp.firm.example/keys" },
    `${ISSUER} for a, by sub, RS256 PS256 ES256, keys at https://idp.firm.example/keys`,
  ],
  ["none", "none"],
])("an organisation's identity provider is told in a file: %j", (provider, text) => {
  const reading = read(provider);
  expect(reading.ok ? [] : reading.faults).toEqual([]);
  const told = reading.ok ? reading.desired.organisations[0]!.identityProvider : undefined;
  expect(told === "none" ? "none" : identityProviderText(told)).toBe(text);
});

it.each(["email", "upn", "preferred_username", "unique_name"])(
  "nobody is found by %s, and a sentence says why",
  (claim) => {
    expect(faultsOf({ issuer: ISSUER, audiences: ["a"], subject_claim: claim }).join()).toMatch(
      new RegExp(`subject_claim must not be ${claim}: it is given to somebody else one day`),
    );
  },
);

it.each([
  [{ issuer: "http://idp.firm.example", audiences: ["a"] }],
  [{ issuer: "https://idp.firm.example?x=1", audiences: ["a"] }],
  [{ issuer: "https://u:p@idp.firm.example", audiences: ["a"] }],
  [{ issuer: "idp.firm.example", audiences: ["a"] }],
  [{ issuer: "https://127.0.0.1/", audiences: ["a"] }],
  [{ issuer: ISSUER }],
  [{ issuer: ISSUER, audiences: [] }],
  [{ issuer: ISSUER, audiences: ["a b"] }],
  [{ issuer: ISSUER, audiences: ["a"], subject_claim: "employee" }],
  [{ issuer: ISSUER, audiences: ["a"], algorithms: ["HS256"] }],
  [{ issuer: ISSUER, audiences: ["a"], algorithms: ["none"] }],
  [{ issuer: ISSUER, audiences: ["a"], jwks_uri: "http://idp.firm.example/keys" }],
  [{ issuer: ISSUER, audiences: ["a"], jwks_uri: "https://i.example/k", jwks_file: "k.json" }],
  [{ issuer: ISSUER, audiences: ["a"], client_id: "a" }],
])("and not like this: %j", (provider) => {
  expect(faultsOf(provider)).not.toEqual([]);
});

describe("an identity provider that is told anew", () => {
  const jwk = (kid: string) => ({ kty: "OKP", crv: "Ed25519", x: "A".repeat(43), kid }) as const;
  const provider = (kid: string): IdentityProvider => ({
    issuer: "https://idp.example.com",
    audiences: ["app"],
    subjectClaim: "sub",
    algorithms: ["EdDSA"],
    source: { jwks: [jwk(kid)] },
  });
  const planned = (is: IdentityProvider, will: IdentityProvider) => {
    const desired = {
      sharedRegistrations: [],
      clients: [],
      organisations: [
        { name: "firm", displayName: "Firm", identityProvider: will, servers: [], registrations: [] },
      ],
    };
    const record = {
      v: 1,
      id: "org_a",
      name: "firm",
      displayName: "Firm",
      enabled: true,
      members: { everyone: true },
      identityProvider: is,
      createdAt: 0,
    };
    const stored = {
      sharedRegistrations: [],
      clients: [],
      organisations: [{ record, servers: [], registrations: [] }],
    };
    const standing = () => "not given" as const;
    const plan = planConfiguration(desired as never, stored as never, {
      registration: standing,
      client: standing,
    });
    return plan.steps.map(({ act }) => act);
  };

  it("is changed where its key has another name alone: assertions name keys by it", () => {
    expect(planned(provider("one"), provider("two"))).toEqual(["change"]);
    expect(planned(provider("one"), provider("one"))).toEqual(["keep"]);
  });
});
