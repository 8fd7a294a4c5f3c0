import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readDesiredConfiguration } from "../../../src/broker/organisations/desired-configuration.ts";
import { changed, desiredOf, faultsOf, listOf, smallFile, warningsOf } from "./wanted.ts";

describe("what a file means", () => {
  test("names, defaults and units become ours", () => {
    const desired = desiredOf(
      changed("organisations.0.servers.0.settings", { code_life_seconds: 45, refresh_token_life_days: 30 }),
    );
    expect(desired.organisations[0]).toMatchObject({
      name: "meridian",
      displayName: "Meridian Legal",
      enabled: true,
    });
    expect(desired.organisations[0]?.servers[0]).toEqual({
      name: "dms",
      displayName: "dms",
      kind: "on-premises",
      endpoints: {
        authorizationEndpoint: "https://dms.meridian.example/auth/oauth2/authorize",
        tokenEndpoint: "https://dms.meridian.example/auth/oauth2/token",
        revocationEndpoint: "https://dms.meridian.example/auth/oauth2/revoke-token",
        apiBaseUrl: "https://dms.meridian.example",
      },
      registration: {
        own: {
          name: "dms",
          clientId: "broker",
          tokenOrigin: "https://dms.meridian.example",
          secret: { file: "dms" },
          secretExpiresAt: undefined,
        },
      },
      customerId: "1",
      settings: { codeLifeMs: 45_000, refreshTokenLifeMs: 30 * 86_400_000 },
    });
    expect(desired.clients[0]?.policies[0]?.tokensPerMinute).toBe(600);
  });

  test("a cloud server needs no address", () => {
    expect(desiredOf(smallFile()).organisations[0]?.servers[1]?.endpoints.apiBaseUrl).toBe(
      "https://cloudimanage.com",
    );
  });

  test("the three URLs of a settings form say the same as an address", () => {
    const file = changed("organisations.0.servers.0.address", undefined);
    Object.assign(listOf(file, "organisations.0.servers")[0] as object, {
      authorization_url: "https://m.cloudimanage.com/auth/oauth2/authorize",
      token_url: "https://m.cloudimanage.com/auth/oauth2/token",
      endpoint_url: "",
    });
    expect(desiredOf(file).organisations[0]?.servers[0]?.endpoints).toEqual({
      authorizationEndpoint: "https://m.cloudimanage.com/auth/oauth2/authorize",
      tokenEndpoint: "https://m.cloudimanage.com/auth/oauth2/token",
      revocationEndpoint: "https://m.cloudimanage.com/auth/oauth2/revoke-token",
      apiBaseUrl: "https://m.cloudimanage.com",
    });
  });

  test("a field with nothing behind it counts as not given", () => {
    expect(
      desiredOf(changed("organisations.0.servers.0.customer_id", null)).organisations[0]?.servers[0]
        ?.customerId,
    ).toBe(undefined);
  });

  test("a date of expiry is the start of that day, UTC", () => {
    const desired = desiredOf(changed("shared_registrations.0.client_secret_expires", "2028-02-29"));
    expect(desired.sharedRegistrations[0]?.secretExpiresAt).toBe(Date.UTC(2028, 1, 29));
  });
});

describe("bad files and their sentences", () => {
  const dms = "organisations.0.servers.0";
  const BAD: readonly [string, string, unknown, string][] = [
    ["another version", "version", 2, "version must be 1"],
    [
      "a misspelt field",
      `${dms}.adress`,
      "https://x.example",
      `${dms}.adress is not a field here; fields are name`,
    ],
    [
      "a misspelt setting",
      `${dms}.settings`,
      { code_life: 3 },
      `${dms}.settings.code_life is not a field here`,
    ],
    [
      "an inline client secret",
      `${dms}.registration`,
      { client_id: "b", client_secret: "hunter2" },
      `${dms}.registration.client_secret must not stand in this file`,
    ],
    ["an inline secret", "clients.0.secret", "hunter2", "clients.0.secret must not stand in this file"],
    [
      "a value for the name of a variable",
      `${dms}.registration`,
      { client_id: "b", client_secret_env: "hunter2!" },
      "client_secret_env must be the name of an environment variable",
    ],
    [
      "two sources of one secret",
      `${dms}.registration.client_secret_env`,
      "X",
      "client_secret_env does not go with client_secret_file",
    ],
    ["a name with capitals", "clients.0.name", "Tracker", "clients.0.name must be of lower-case letters"],
    ["no kind", `${dms}.kind`, undefined, `${dms}.kind is required`],
    [
      "an unknown kind",
      `${dms}.kind`,
      "cloudy",
      `${dms}.kind must be cloud or cloud-subdomain or hosted or on-premises`,
    ],
    ["no address", `${dms}.address`, undefined, `${dms}.address is required, as iManage's address`],
    [
      "http",
      `${dms}.address`,
      "http://dms.meridian.example",
      `${dms}.address must begin with https://: give https://dms`,
    ],
    [
      "another origin for tokens",
      `${dms}.token_url`,
      "https://evil.example/auth/oauth2/token",
      `${dms}.token_url must have the same origin`,
    ],
    [
      "another origin for the API",
      `${dms}.endpoint_url`,
      "https://evil.example",
      `${dms}.endpoint_url must have the same origin`,
    ],
    ["no registration", `${dms}.registration`, undefined, `${dms}.registration is required`],
    [
      "an empty registration",
      `${dms}.registration`,
      {},
      `${dms}.registration.client_id is required, or shared`,
    ],
    [
      "a shared registration with a secret",
      "organisations.0.servers.1.registration.client_id",
      "x",
      "client_id does not go with shared",
    ],
    [
      "an unknown shared registration",
      "organisations.0.servers.1.registration.shared",
      "eu",
      "registration.shared names no registration",
    ],
    [
      "a shared registration elsewhere",
      "organisations.0.servers.1.address",
      "https://m.cloudimanage.com",
      "registration.shared is a registration at https://cloudimanage.com",
    ],
    [
      "a customer id that is none",
      `${dms}.customer_id`,
      "a b",
      `${dms}.customer_id must be iManage's customer id`,
    ],
    [
      "a customer id with a fraction",
      `${dms}.customer_id`,
      1.5,
      `${dms}.customer_id must be iManage's customer id`,
    ],
    ["a number as text", `${dms}.registration.client_id`, 12, "client_id must be text; put it in quotes"],
    [
      "a code that lives too short",
      `${dms}.settings`,
      { code_life_seconds: 5 },
      "code_life_seconds must be a whole number from 6",
    ],
    [
      "a day that is none",
      "shared_registrations.0.client_secret_expires",
      "2027-02-30",
      "client_secret_expires must be never or a date",
    ],
    ["an unknown action", "clients.0.policies.0.actions", ["tokens"], "actions.0 must be token or status"],
    ["no actions", "clients.0.policies.0.actions", undefined, "clients.0.policies.0.actions is required"],
    [
      "an unknown organisation",
      "clients.0.policies.0.organisation",
      "other",
      "organisation names no organisation",
    ],
    ["an unknown server", "clients.0.policies.0.servers", ["nowhere"], "servers.0 names no server"],
    ["no server at all", "clients.0.policies.0.servers", [], "servers must name a server; leave it out"],
    [
      "a return URL without its slash",
      "clients.0.return_urls",
      ["https://a.example"],
      "compared letter by letter: give https://a.example/",
    ],
    ["text where a list belongs", "clients", "tracker", "clients must be a list"],
    [
      "a control character in a title",
      "organisations.0.display_name",
      "a\u0007b",
      "display_name must be one line",
    ],
  ];
  test.each(BAD)("%s", (_, path, value, sentence) => {
    expect(faultsOf(changed(path, value))).toEqual([expect.stringContaining(sentence)]);
  });

  test("names that stand twice", () => {
    const file = smallFile();
    file.organisations.push({ name: "meridian" });
    file.clients.push({ name: "tracker" });
    file.shared_registrations.push({ ...file.shared_registrations[0] });
    listOf(file, "organisations.0.servers").push({
      name: "dms",
      kind: "on-premises",
      address: "https://other.example",
      registration: { client_id: "x" },
    });
    listOf(file, "clients.0.policies").push({ organisation: "meridian", actions: [] });
    expect(faultsOf(file).map((fault) => fault.split(" ")[0])).toEqual([
      "shared_registrations.1.name",
      "organisations.1.name",
      "organisations.0.servers.2.name",
      "clients.1.name",
      "clients.0.policies.1.organisation",
    ]);
  });

  test("two organisations cannot claim one customer of a shared registration", () => {
    const file = smallFile();
    file.organisations.push({
      name: "other",
      servers: [{ name: "cloud", kind: "cloud", customer_id: "5948", registration: { shared: "us" } }],
    });
    expect(faultsOf(file)).toEqual([
      expect.stringContaining("organisations.1.servers.0.customer_id is claimed by meridian/cloud already"),
    ]);
  });

  test("two firms may both be customer 1 on their own premises", () => {
    const file = smallFile();
    file.organisations.push({
      name: "other",
      servers: [
        {
          name: "dms",
          kind: "on-premises",
          address: "https://dms.other.example",
          customer_id: 1,
          registration: { client_id: "x", client_secret_file: "y" },
        },
      ],
    });
    expect(faultsOf(file)).toEqual([]);
  });
});

test("faults of fields and faults between fields are told together", () => {
  const file = changed("organisations.0.name", "Meridian");
  file.clients[0] = { name: "tracker", policies: [{ organisation: "nobody", actions: [] }], colour: "red" };
  expect(faultsOf(file)).toHaveLength(3);
});

test("what is odd but possible is a warning", () => {
  expect(warningsOf(smallFile())).toEqual([]);
  expect(
    warningsOf(changed("organisations.0.servers.0.address", "https://dms.meridian.example:8443")),
  ).toEqual([expect.stringContaining("address has port 8443")]);
  expect(warningsOf(changed("organisations.0.servers.0.kind", "hosted"))).toEqual([
    expect.stringContaining("kind does not look right: an address like this is usually on-premises"),
  ]);
  expect(warningsOf(changed("organisations.0.servers.1.customer_id", undefined))).toEqual([
    expect.stringContaining("customer_id is not given"),
  ]);
  expect(warningsOf(changed("organisations.0.servers.0.registration.client_secret_file", undefined))).toEqual(
    [expect.stringContaining("registration has no client secret yet")],
  );
});

test("whatever a file holds, reading it answers with remarks and never throws or repeats a secret", () => {
  const keys = fc.constantFrom(
    "version",
    "organisations",
    "clients",
    "servers",
    "name",
    "registration",
    "client_secret",
    "secret",
    "shared_registrations",
    "policies",
    "address",
    "settings",
    "customer_id",
    "return_urls",
    "actions",
  );
  const { node } = fc.letrec((tie) => ({
    node: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.constantFrom(
        1,
        null,
        true,
        "",
        "meridian",
        "canary-hunter2",
        "https://canary-hunter2@x.example/login",
      ),
      fc.array(tie("node"), { maxLength: 3 }),
      fc
        .dictionary(keys, tie("node"), { maxKeys: 6 })
        // An address is no secret, and its corrected form is offered; what stands before an @ in it is one.
        .map((entry) => (entry.address === "canary-hunter2" ? { ...entry, address: "dms.example" } : entry)),
    ),
  }));
  fc.assert(
    fc.property(node, (value) => {
      const reading = readDesiredConfiguration(value, { loopbackOrigins: [], loopbackReturnUrls: true });
      expect(
        JSON.stringify(reading.ok ? reading.warnings : reading.faults.map(({ message }) => message)),
      ).not.toContain("canary-");
    }),
    { numRuns: 500 },
  );
});
