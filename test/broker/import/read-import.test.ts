import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { readCsv } from "../../../src/broker/import/read-csv.ts";
import { readImport, readPeople } from "../../../src/broker/import/read-import.ts";
import { readJsonRecords } from "../../../src/broker/import/read-json.ts";
import type { ImportFormat } from "../../../src/domain/import.ts";

const pathOf = (name: string) => {
  const digest = createHash("sha1").update(name).digest("hex");
  return `creds/${digest.slice(0, 4)}/${digest.slice(4, 8)}/${digest.slice(8)}`;
};
const read = (format: ImportFormat, text: string, more: { people?: string; only?: string } = {}) =>
  readImport(text, {
    ...{ format, issuedTo: "token-broker", only: more.only, credentialPath: pathOf },
    people: more.people === undefined ? [] : readPeople(more.people),
  });
const tokensOf = (format: ImportFormat, text: string, more?: { people?: string; only?: string }) => {
  const { rows, faults, skipped } = read(format, text, more);
  return {
    rows: rows.map((row) => [
      row.line,
      row.subject.id,
      row.imanageUser,
      row.issuedTo,
      row.refreshToken.reveal(),
    ]),
    faults: faults.map(({ line, code }) => [line, code]),
    skipped,
  };
};

describe("CSV (RFC 4180)", () => {
  it("keeps commas, quotes and line ends of quoted fields, and tells where a record begins", () => {
    expect(readCsv('\ufeffa,b\r\n"1, ""one""","2\n2"\r\n\r\n3,4')).toEqual([
      { line: 1, fields: ["a", "b"] },
      { line: 2, fields: ['1, "one"', "2\n2"] },
      { line: 5, fields: ["3", "4"] },
    ]);
  });
});

describe("JSON", () => {
  it.each([
    ["a list", '[\n {"a": "},{"},\n\n {"a": ["x", {"b": 1}]}, {"a": 3}\n]', [2, 4, 4]],
    ["an object that holds one", '{"z": {"tokens": [1]},\n"tokens" : [\n{"a": "\\"]"},\n{}]}', [3, 4]],
    ["JSON lines", '{"a": 1}\n\n{"a": 2}\n', [1, 3]],
    ["one record", '\n{"a": 1}', [2]],
  ])("tells where each record begins: %s", (_, text, lines) => {
    expect(readJsonRecords(text, "tokens")!.records.map(({ line }) => line)).toEqual(lines);
  });

  it("tells a broken line among lines by its number, and of a file that is none of these nothing", () => {
    expect(
      tokensOf("json", '{"subject":"a","imanage_user":"b","refresh_token":"c"}\n{"subject":').faults,
    ).toEqual([[2, "unreadable"]]);
    expect(() => read("json", "secret-token")).toThrow(/neither a JSON list, nor an object with "tokens"/);
  });

  it("reads times as RFC 3339 or seconds since 1970", () => {
    const row = { subject: "a", imanage_user: "b", refresh_token: "c", issued_at: "2026-01-01T00:00:00Z" };
    const { rows } = read("json", JSON.stringify([{ ...row, expires_at: 1_798_761_600 }]));
    expect(rows[0]).toMatchObject({ issuedAt: Date.UTC(2026, 0, 1), expiresAt: 1_798_761_600_000 });
  });
});

/** As `GET /connections/{connectionId}` answers. */
const connection = (id: string, more: object = {}, credentials: object = {}) => ({
  id: 7,
  connection_id: id,
  provider_config_key: "imanage",
  provider: "imanage",
  connection_config: {},
  created_at: "2026-02-03T04:05:06.000Z",
  updated_at: "2026-11-20T00:00:00.000Z",
  last_fetched_at: null,
  metadata: null,
  errors: [],
  tags: {},
  end_user: {
    id: `eu-${id}`,
    display_name: null,
    email: `${id}@firm.example`,
    tags: null,
    organization: null,
  },
  credentials: {
    type: "OAUTH2",
    access_token: "at",
    refresh_token: `rt-${id}`,
    expires_at: "2026-11-20T00:30:00.000Z",
    raw: { access_token: "at" },
    ...credentials,
  },
  ...more,
});

describe("Nango's connections", () => {
  it("are those of GET /connections/{connectionId}, one by one or as a list", () => {
    const text = JSON.stringify({ connections: [connection("a"), connection("b")] }, undefined, 2);
    const second = text.split("\n").lastIndexOf("    {") + 1;
    expect(tokensOf("nango", text).rows).toEqual([
      [3, "eu-a", "a@firm.example", "token-broker", "rt-a"],
      [second, "eu-b", "b@firm.example", "token-broker", "rt-b"],
    ]);
    const lines = [connection("a"), connection("b")].map((one) => JSON.stringify(one)).join("\n");
    expect(tokensOf("nango", lines).rows).toHaveLength(2);
  });

  it("name the application where they override it, and are passed over where they are of another integration", () => {
    const text = JSON.stringify([
      connection("a", {}, { config_override: { client_id: "their-own", client_secret: "s" } }),
      connection("b", { connection_config: { oauth_client_id_override: "by-config" } }),
      connection("c", { provider_config_key: "hubspot" }),
    ]);
    expect(tokensOf("nango", text, { only: "imanage" })).toMatchObject({
      rows: [expect.arrayContaining(["their-own"]), expect.arrayContaining(["by-config"])],
      skipped: 1,
    });
  });

  it("are told apart where they hold no refresh token, are none of OAuth 2, or nobody says whose they are", () => {
    const text = JSON.stringify([
      connection("a", {}, { refresh_token: undefined }),
      connection("b", {}, { type: "API_KEY" }),
      connection("c", { end_user: null }),
      { connection_id: "d" },
    ]);
    expect(tokensOf("nango", text).faults.map(([, code]) => code)).toEqual([
      "no_refresh_token",
      "unreadable",
      "person_unknown",
      "unreadable",
    ]);
    expect(tokensOf("nango", text, { people: "name,subject,imanage_user\nc,u-c,c.user\n" }).rows).toEqual([
      [1, "u-c", "c.user", "token-broker", "rt-c"],
    ]);
  });
});

/** As `vault read -format=json sys/raw/logical/…/creds/…` answers, with its path beside it. */
const entry = (name: string, more: object = {}) => ({
  path: `logical/0f1e2d3c-0000-4000-8000-000000000000/${pathOf(name)}`,
  data: {
    value: JSON.stringify({
      access_token: "at",
      token_type: "Bearer",
      refresh_token: `rt-${name}`,
      expiry: "2026-11-20T00:30:00Z",
      auth_server_name: "imanage",
      last_issue_time: "2026-11-20T00:00:00Z",
      last_attempted_issue_time: "0001-01-01T00:00:00Z",
      ...more,
    }),
  },
});

describe("the credentials of the OAuth-app plugin of Vault and OpenBao", () => {
  const people =
    "name,subject,imanage_user,issuer\namelia,u-amelia,amelia.hart,\nmoreau,u-moreau,e.moreau,https://idp\n";

  it("are what it stored, found by the digest of their names", () => {
    expect(pathOf("my-user-auth")).toMatch(/^creds\/[0-9a-f]{4}\/[0-9a-f]{4}\/[0-9a-f]{32}$/);
    const text = [entry("amelia"), entry("moreau"), entry("nobody")]
      .map((one) => JSON.stringify(one))
      .join("\n");
    const { rows, faults } = read("vault", text, { people });
    expect(rows.map((row) => [row.subject, row.imanageUser, row.refreshToken.reveal()])).toEqual([
      [{ type: "user", issuer: "client", id: "u-amelia" }, "amelia.hart", "rt-amelia"],
      [{ type: "user", issuer: "https://idp", id: "u-moreau" }, "e.moreau", "rt-moreau"],
    ]);
    expect(faults).toEqual([{ line: 3, code: "person_unknown" }]);
  });

  it("of another server are passed over, and those that the plugin has given up are told", () => {
    const text = JSON.stringify([
      entry("amelia", { auth_server_name: "bitbucket" }),
      entry("moreau", { user_error: "token expired" }),
      { path: "logical/x/self/abc", data: { value: "{}" } },
    ]);
    expect(tokensOf("vault", text, { people, only: "imanage" })).toEqual({
      rows: [],
      faults: [
        [1, "broken_at_source"],
        [1, "unreadable"],
      ],
      skipped: 1,
    });
  });
});
