import { days, type Milliseconds, seconds } from "../../domain/instant.ts";
import { defaultServerSettings, type ServerKind } from "../../domain/server.ts";

/** What is known when a firm registers the application at its iManage; no record has to exist yet. */
export interface RegistrationSheetInput {
  /** *Name*: what users read when iManage asks them. */
  readonly applicationName: string;
  readonly description: string;
  readonly publisher: string;
  readonly website: string;
  readonly contactEmail: string;
  readonly clientId: string;
  /** Letter by letter what goes into *Redirect URL*. */
  readonly redirectUri: string;
  readonly server: {
    /** `organisation/server`, or whatever names it for people. */
    readonly name: string;
    readonly kind: ServerKind;
    readonly address: string;
    readonly customerId?: string | undefined;
  };
  readonly registeredBy?: "form" | "package" | undefined;
  readonly codeLifeMs?: Milliseconds | undefined;
  readonly refreshTokenLifeMs?: Milliseconds | undefined;
}

export interface RegistrationSheet {
  readonly title: string;
  readonly where: string;
  /** Control Center's four tabs, in their order, with every field. */
  readonly tabs: readonly SheetTab[];
  readonly notes: readonly string[];
}

export interface SheetTab {
  readonly tab: "Configuration" | "Authentication" | "Access" | "Review";
  readonly fields: readonly SheetField[];
}

export interface SheetField {
  readonly field: string;
  readonly value: string;
  readonly note?: string;
}

/** Below this, iManage answers 403 to people whose sign-in takes a moment longer (facts page, C, from a vendor). */
const WORK_TOKEN_GRANT_EXPIRY_MIN_MS = seconds(30);

/**
 * The exact values for Control Center › Settings › Applications › Add Application (facts page, Registration fields, C),
 * so that nobody has to translate our words into iManage's.
 */
export function registrationSheet(input: RegistrationSheetInput): RegistrationSheet {
  const lifeDays = Math.round(
    (input.refreshTokenLifeMs ?? defaultServerSettings.refreshTokenLifeMs) / days(1),
  );
  const packaged = input.registeredBy === "package";
  return {
    title: `Registration of ${input.applicationName} at ${input.server.name}`,
    where: `${input.server.address} › Control Center › Settings › Applications › Add Application`,
    tabs: [
      {
        tab: "Configuration",
        fields: [
          { field: "Name", value: input.applicationName },
          { field: "Description", value: input.description },
          { field: "Client ID", value: input.clientId, note: "API Key on older servers" },
          {
            field: "Client Secret",
            value: "the one that is generated",
            note: "API Secret on older servers. Copy it at once into the file that client_secret_file names; it goes nowhere else",
          },
          { field: "Publisher", value: input.publisher },
          { field: "Website", value: input.website },
          { field: "Contact email", value: input.contactEmail },
        ],
      },
      {
        tab: "Authentication",
        fields: [
          { field: "iManage Work Authentication Required", value: "Yes" },
          { field: "Application Type", value: "Web" },
          { field: "Client Type", value: "Confidential" },
          { field: "Redirect URL", value: input.redirectUri, note: "letter by letter" },
          {
            field: "Client Secret Expires",
            value: "Never",
            note: "or a date: then say the same in client_secret_expires, so that it is known here too",
          },
          {
            field: packaged ? "Allow Token Refresh" : "Allow Refresh Token",
            value: "Yes",
            note: "off by default, and without it everybody has to sign in again every half hour",
          },
          { field: "Refresh Token Expiry", value: `${lifeDays} days` },
          { field: "Access Token Expiry", value: "30 min" },
        ],
      },
      {
        tab: "Access",
        fields: [
          { field: "Access", value: "All Users", note: "or the users chosen for the applications behind it" },
        ],
      },
      { tab: "Review", fields: [{ field: "Enable Application", value: "Yes" }] },
    ],
    notes: notesFor(input),
  };
}

function notesFor({ server, redirectUri, codeLifeMs }: RegistrationSheetInput): string[] {
  const grantExpiryMs = Math.max(codeLifeMs ?? 0, WORK_TOKEN_GRANT_EXPIRY_MIN_MS);
  const cloud = server.kind === "cloud" || server.kind === "cloud-subdomain";
  return [
    `Work Token Grant Expiry: at least ${grantExpiryMs / 1_000} seconds. Below that, iManage answers 403 to whoever signs in slowly.`,
    ...(cloud
      ? [
          `On the cloud the application is registered already. iManage itself adds ${redirectUri}${
            server.customerId === undefined ? "" : ` and customer id ${server.customerId}`
          } to it on request, within 24 to 48 hours; the firm's admin then enables it.`,
        ]
      : []),
    ...(server.kind === "cloud-subdomain"
      ? ["A subdomain is another origin than cloudimanage.com: its redirect URL has to be added as well."]
      : []),
    ...(server.kind === "on-premises"
      ? [
          "The server must be reachable from the broker with a complete certificate chain; a firm that lists allowed addresses adds the broker's outgoing one.",
          "Single sign-on in front of iManage must bring the browser back with its query unchanged.",
        ]
      : []),
    "Servers older than the Allow Refresh Token switch: an admin sets oauth2.tokens for this Client ID with allow_refresh_token true.",
  ];
}

export type SheetFormat = "text" | "markdown" | "json";

export function renderRegistrationSheet(sheet: RegistrationSheet, format: SheetFormat): string {
  switch (format) {
    case "json":
      return `${JSON.stringify(sheet, undefined, 2)}\n`;
    case "markdown":
      return asMarkdown(sheet);
    case "text":
      return asText(sheet);
  }
}

function asText({ title, where, tabs, notes }: RegistrationSheet): string {
  const width = Math.max(...tabs.flatMap(({ fields }) => fields.map(({ field }) => field.length)));
  const blocks = tabs.map(({ tab, fields }) =>
    [
      tab,
      ...fields.flatMap(({ field, value, note }) => [
        `  ${field.padEnd(width)}  ${value}`,
        ...(note === undefined ? [] : [`  ${"".padEnd(width)}  (${note})`]),
      ]),
    ].join("\n"),
  );
  return `${[`${title}\n${where}`, ...blocks, notes.map((note) => `- ${note}`).join("\n")].join("\n\n")}\n`;
}

function asMarkdown({ title, where, tabs, notes }: RegistrationSheet): string {
  // Values are configuration and not ours: a bar would end the cell, a backtick the code.
  const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
  const code = (text: string) => (text.includes("`") ? cell(text) : `\`${cell(text)}\``);
  const blocks = tabs.map(({ tab, fields }) =>
    [
      `## ${tab}`,
      "",
      "| Field | Value | |",
      "| --- | --- | --- |",
      ...fields.map(({ field, value, note }) => `| ${field} | ${code(value)} | ${cell(note ?? "")} |`),
    ].join("\n"),
  );
  return `${[`# ${title}`, where, ...blocks, notes.map((note) => `- ${note}`).join("\n")].join("\n\n")}\n`;
}
