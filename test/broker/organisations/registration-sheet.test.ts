import { describe, expect, test } from "vitest";
import {
  type RegistrationSheetInput,
  registrationSheet,
  renderRegistrationSheet,
} from "../../../src/broker/organisations/registration-sheet.ts";

const input: RegistrationSheetInput = {
  applicationName: "Token Broker",
  description: "Holds authorizations.",
  publisher: "Example Ltd",
  website: "https://broker.example.com",
  contactEmail: "it@example.com",
  clientId: "broker",
  redirectUri: "https://broker.example.com/oauth2/callback/reg_1",
  server: {
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

describe("notes", () => {
  const notes = (change: Partial<RegistrationSheetInput>) =>
    registrationSheet({ ...input, ...change }).notes.join("\n");

  test("Work Token Grant Expiry is at least 30 seconds, or longer where the server's codes live longer", () => {
    expect(notes({})).toContain("Work Token Grant Expiry: at least 30 seconds");
    expect(notes({ codeLifeMs: 90_000 })).toContain("at least 90 seconds");
  });

  test("on the cloud iManage is asked to add the redirect URL and the customer id", () => {
    const server = {
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

  test("JSON is the sheet itself", () => {
    const sheet = registrationSheet(input);
    expect(JSON.parse(renderRegistrationSheet(sheet, "json"))).toEqual(sheet);
  });
});
