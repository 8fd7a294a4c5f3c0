import { describe, expect, test } from "vitest";
import {
  type RegistrationSheetInput,
  registrationSheet,
} from "../../../src/broker/organisations/registration-sheet.ts";
import {
  renderRegistrationSheet,
  sheetAsJson,
} from "../../../src/broker/organisations/render-registration-sheet.ts";

const input: RegistrationSheetInput = {
  applicationName: "Token Broker",
  description: "Holds authorizations.",
  publisher: "Example Ltd",
  website: "https://broker.example.com",
  contactEmail: "it@example.com",
  clientId: "broker",
  redirectUri: "https://broker.example.com/oauth2/callback/reg_1",
  libraryPage: "https://broker.example.com/servers/srv_1/libraries",
  packageUrl: "https://broker.example.com/v1/servers/srv_1/package",
  registeredBy: "form",
  codeLifeMs: 30_000,
  refreshTokenLifeMs: 365 * 86_400_000,
  server: {
    id: "srv_1",
    name: "meridian/dms",
    kind: "on-premises",
    address: "https://dms.meridian.example",
    customerId: "1",
  },
};

const fieldValue = (change: Partial<RegistrationSheetInput>, wanted: string) =>
  registrationSheet({ ...input, ...change })
    .tabs.flatMap(({ fields }) => fields)
    .find(({ field }) => field === wanted)?.value;

test("every field of Control Center's four tabs has its value, in their order", () => {
  const tabs = registrationSheet(input).tabs.map(({ tab, fields }) => [
    tab,
    fields.map(({ field, value }) => [field, value]),
  ]);
  expect(tabs).toEqual([
    [
      "Configuration",
      [
        ["Name", "Token Broker"],
        ["Description", "Holds authorizations."],
        ["Client ID", "broker"],
        ["Client Secret", "the one that is generated"],
        ["Publisher", "Example Ltd"],
        ["Website", "https://broker.example.com"],
        ["Contact email", "it@example.com"],
      ],
    ],
    [
      "Authentication",
      [
        ["iManage Work Authentication Required", "Yes"],
        ["Application Type", "Web"],
        ["Client Type", "Confidential"],
        ["Redirect URL", "https://broker.example.com/oauth2/callback/reg_1"],
        ["Client Secret Expires", "Never"],
        ["Allow Refresh Token", "Yes"],
        ["Refresh Token Expiry", "365 days"],
        ["Access Token Expiry", "30 min"],
      ],
    ],
    ["Access", [["Access", "All Users"]]],
    ["Review", [["Enable Application", "Yes"]]],
  ]);
});

test("the switch is called as the registration's route calls it", () => {
  expect(fieldValue({ registeredBy: "package" }, "Allow Token Refresh")).toBe("Yes");
  expect(fieldValue({ registeredBy: "package" }, "Allow Refresh Token")).toBe(undefined);
});

test("the refresh token's life is the server's own", () => {
  expect(fieldValue({ refreshTokenLifeMs: 90 * 86_400_000 }, "Refresh Token Expiry")).toBe("90 days");
});

test("a secret that expires says when, and otherwise Never", () => {
  expect(fieldValue({}, "Client Secret Expires")).toBe("Never");
  expect(fieldValue({ secretExpiresAt: Date.UTC(2028, 2, 31) }, "Client Secret Expires")).toBe("2028-03-31");
});

test("a support contact that is no e-mail address is pointed out, and not passed off as one", () => {
  const contact = (contactEmail: string) =>
    registrationSheet({ ...input, contactEmail })
      .tabs.flatMap(({ fields }) => fields)
      .find(({ field }) => field === "Contact email");
  expect(contact("it@example.com")).toEqual({ field: "Contact email", value: "it@example.com" });
  expect(contact("+44 20 7946 0000")?.note).toContain("an e-mail address");
});

test("the link under Extensions is our page of this server, with both packages beside it", () => {
  expect(registrationSheet(input).extensions.map(({ field, value }) => [field, value])).toEqual([
    ["Background service authorization", "https://broker.example.com/servers/srv_1/libraries"],
    ["Control Center extension", "https://broker.example.com/v1/servers/srv_1/package?kind=control-center"],
    ["Work extension", "https://broker.example.com/v1/servers/srv_1/package?kind=work"],
  ]);
});

describe("servers older than the switch", () => {
  test("get the settings call, letter by letter", () => {
    const { olderServers } = registrationSheet({ ...input, clientId: "a b/c" });
    expect(olderServers?.fields.map(({ field, value }) => [field, value])).toEqual([
      ["Request", "PUT https://dms.meridian.example/api/v2/customers/1/settings/a%20b%2Fc/oauth2.tokens"],
      [
        "Body",
        '{"type":"value","value":{"allow_refresh_token":true,"refresh_token_expiry":365,"access_token_max_idle_time":30}}',
      ],
    ]);
  });

  test("are none on the cloud", () => {
    const server = { ...input.server, kind: "cloud" } as const;
    expect(registrationSheet({ ...input, server }).olderServers).toBe(undefined);
  });
});

describe("notes", () => {
  const notes = (change: Partial<RegistrationSheetInput>) =>
    registrationSheet({ ...input, ...change }).notes.join("\n");

  test("Work Token Grant Expiry is at least 30 seconds, or longer where the server's codes live longer", () => {
    expect(notes({})).toContain("Work Token Grant Expiry: at least 30 seconds");
    expect(notes({ codeLifeMs: 90_000 })).toContain("at least 90 seconds");
  });

  test("say to sign out and in again, and that 10.2 is needed where the firm runs the server", () => {
    expect(notes({})).toContain("sign out of iManage and in again");
    expect(notes({})).toContain("Work Server 10.2 or newer");
    const server = { ...input.server, kind: "cloud" } as const;
    expect(notes({ server })).toContain("sign out of iManage and in again");
    expect(notes({ server })).not.toContain("10.2");
  });

  test("name the firm's own authorities by fingerprint and expiry", () => {
    const certificate = { subject: "Firm CA", fingerprint: "AB:CD", expiresAt: Date.UTC(2030, 0, 2) };
    expect(notes({ trustedCertificates: { pem: "", certificates: [certificate] } })).toContain(
      "Firm CA (SHA-256 AB:CD, until 2030-01-02)",
    );
    expect(notes({})).toContain("entered under Certificate authorities of this server");
  });

  test("on the cloud iManage is asked to add the redirect URL and the customer id", () => {
    const server = {
      id: "srv_2",
      name: "f/cloud",
      kind: "cloud-subdomain",
      address: "https://f.cloudimanage.com",
      customerId: "7301",
    } as const;
    expect(notes({ server })).toContain(`adds ${input.redirectUri} and customer id 7301`);
    expect(notes({ server })).toContain("another origin");
    expect(notes({})).not.toContain("iManage itself adds");
  });
});

describe("forms", () => {
  test("text holds every value on one line with its field", () => {
    const text = renderRegistrationSheet(registrationSheet(input), "text");
    expect(text).toMatch(/^ {2}Redirect URL +https:\/\/broker\.example\.com\/oauth2\/callback\/reg_1$/m);
  });

  test("Markdown keeps a bar in a name inside its cell", () => {
    const sheet = registrationSheet({ ...input, applicationName: "A | B" });
    expect(renderRegistrationSheet(sheet, "markdown")).toContain("| Name | `A \\| B` |");
  });

  test("Markdown is not steered by what stands in a value", () => {
    const sheet = registrationSheet({ ...input, applicationName: "x` <img src=x> [a](b) |\n# y" });
    const lines = renderRegistrationSheet(sheet, "markdown").split("\n");
    expect(lines.filter((line) => /^# /.test(line))).toHaveLength(1);
    expect(lines.find((line) => line.startsWith("| Name |"))).toBe(
      "| Name | x\\` \\<img src=x\\> \\[a\\](b) \\| # y |  |",
    );
  });

  test.each(["text", "markdown"] as const)("%s holds every value of the sheet", (format) => {
    const sheet = registrationSheet(input);
    const told = renderRegistrationSheet(sheet, format);
    const fields = [
      ...sheet.tabs.flatMap((tab) => tab.fields),
      ...sheet.extensions,
      ...(sheet.olderServers?.fields ?? []),
    ];
    expect(fields.length).toBe(22);
    for (const { value } of fields) expect(told).toContain(value);
    for (const note of sheet.notes) expect(told).toContain(note);
  });

  test("JSON is the sheet itself", () => {
    const sheet = registrationSheet(input);
    expect(JSON.parse(renderRegistrationSheet(sheet, "json"))).toEqual(sheetAsJson(sheet));
  });
});
