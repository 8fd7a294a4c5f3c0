import { days, type Instant, type Milliseconds, seconds } from "../../domain/instant.ts";
import type { ServerKind, ServerSettings, TrustedCertificates } from "../../domain/server.ts";
import { ACCESS_TOKEN_EXPIRY_MINUTES, LIBRARY_PAGE_TITLE } from "./registration-package.ts";

/** What is known when a firm registers the application at its iManage. */
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
  /** Of the broker's other addresses: by each of them somebody may come. */
  readonly otherRedirectUris?: readonly string[];
  /** Our *Background service authorization* page of this server. */
  readonly libraryPage: string;
  /** Where the upload packages are fetched; `?kind=` says which. */
  readonly packageUrl: string;
  readonly server: {
    readonly id: string;
    /** `organisation/server`, or whatever names it for people. */
    readonly name: string;
    readonly kind: ServerKind;
    readonly address: string;
    readonly customerId?: string | undefined;
  };
  readonly registeredBy: ServerSettings["registeredBy"];
  readonly codeLifeMs: Milliseconds;
  readonly refreshTokenLifeMs: Milliseconds;
  /** Of the newest secret, where it is known to expire. */
  readonly secretExpiresAt?: Instant | undefined;
  readonly trustedCertificates?: TrustedCertificates | undefined;
}

export interface RegistrationSheet {
  readonly title: string;
  readonly where: string;
  /** Control Center's four tabs, in their order, with every field. */
  readonly tabs: readonly SheetTab[];
  /** What is listed under Extensions, and the packages that do it. */
  readonly extensions: readonly SheetField[];
  /** The call that stands for a switch which older servers do not have. Undefined on the cloud. */
  readonly olderServers: { readonly when: string; readonly fields: readonly SheetField[] } | undefined;
  readonly notes: readonly string[];
}

export interface SheetBlock {
  readonly heading: string;
  readonly fields: readonly SheetField[];
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
  const lifeDays = Math.round(input.refreshTokenLifeMs / days(1));
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
          {
            field: "Contact email",
            value: input.contactEmail,
            ...(!input.contactEmail.includes("@") && { note: "Control Center wants an e-mail address here" }),
          },
        ],
      },
      {
        tab: "Authentication",
        fields: [
          { field: "iManage Work Authentication Required", value: "Yes" },
          { field: "Application Type", value: "Web" },
          { field: "Client Type", value: "Confidential" },
          { field: "Redirect URL", value: input.redirectUri, note: "letter by letter" },
          ...(input.otherRedirectUris ?? []).map((value) => ({
            field: "Redirect URL",
            value,
            note: "one more, letter by letter: people come by this address too. An upload package holds the first alone",
          })),
          {
            field: "Client Secret Expires",
            value: input.secretExpiresAt === undefined ? "Never" : dayOf(input.secretExpiresAt),
            note: "Never, or a date: then say the same in client_secret_expires, so that it is known here too",
          },
          {
            field: packaged ? "Allow Token Refresh" : "Allow Refresh Token",
            value: "Yes",
            note: `${packaged ? "Allow Refresh Token in the form" : "Allow Token Refresh with a package"}. Off by default, and without it everybody has to sign in again every half hour`,
          },
          { field: "Refresh Token Expiry", value: `${lifeDays} days` },
          { field: "Access Token Expiry", value: `${ACCESS_TOKEN_EXPIRY_MINUTES} min` },
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
    extensions: extensionsFor(input),
    olderServers: isCloud(input) ? undefined : olderServers(input, lifeDays),
    notes: notesFor(input),
  };
}

const isCloud = ({ server }: RegistrationSheetInput): boolean =>
  server.kind === "cloud" || server.kind === "cloud-subdomain";

const dayOf = (at: Instant): string => new Date(at).toISOString().slice(0, 10);

const extensionsFor = ({ libraryPage, packageUrl }: RegistrationSheetInput): SheetField[] => [
  {
    field: LIBRARY_PAGE_TITLE,
    value: libraryPage,
    note: "what Control Center lists under Extensions: here library admins (NRTADMIN) authorise their libraries",
  },
  {
    field: "Control Center extension",
    value: `${packageUrl}?kind=control-center`,
    note: "upload package that lists this page under Extensions; or `cli registration-package … --kind control-center`",
  },
  {
    field: "Work extension",
    value: `${packageUrl}?kind=work`,
    note: "upload package that makes the application known to iManage Work; or `cli registration-package … --kind work`",
  },
];

/** The settings call that Work Server needs where its form has no switch for refresh tokens (facts page, 1). */
const olderServers = ({ server, clientId }: RegistrationSheetInput, lifeDays: number) => ({
  when: "Servers older than the switch Allow Refresh Token: one call with an admin's token",
  fields: [
    {
      field: "Request",
      value: `PUT ${server.address}/api/v2/customers/${server.customerId ?? "1"}/settings/${encodeURIComponent(clientId)}/oauth2.tokens`,
    },
    {
      field: "Body",
      value: JSON.stringify({
        type: "value",
        value: {
          allow_refresh_token: true,
          refresh_token_expiry: lifeDays,
          access_token_max_idle_time: ACCESS_TOKEN_EXPIRY_MINUTES,
        },
      }),
      note: "days and minutes",
    },
  ],
});

function notesFor(input: RegistrationSheetInput): string[] {
  const { server, redirectUri, codeLifeMs, trustedCertificates, libraryPage } = input;
  const grantExpiryMs = Math.max(codeLifeMs, WORK_TOKEN_GRANT_EXPIRY_MIN_MS);
  const authorities = (trustedCertificates?.certificates ?? []).map(
    ({ subject, fingerprint, expiresAt }) => `${subject} (SHA-256 ${fingerprint}, until ${dayOf(expiresAt)})`,
  );
  return [
    `Work Token Grant Expiry: at least ${grantExpiryMs / 1_000} seconds. Below that, iManage answers 403 to whoever signs in slowly.`,
    `Once the application is enabled or a package is uploaded, sign out of iManage and in again: until then ${LIBRARY_PAGE_TITLE} may not show under Extensions. Its address works at once: ${libraryPage}`,
    ...(isCloud(input)
      ? [
          `On the cloud the application is registered already. iManage itself adds ${[redirectUri, ...(input.otherRedirectUris ?? [])].join(" and ")}${
            server.customerId === undefined ? "" : ` and customer id ${server.customerId}`
          } to it on request, within 24 to 48 hours; the firm's admin then enables it.`,
        ]
      : ["Work Server 10.2 or newer is needed: older ones have no OAuth."]),
    ...(server.kind === "cloud-subdomain"
      ? ["A subdomain is another origin than cloudimanage.com: its redirect URL has to be added as well."]
      : []),
    ...(server.kind === "on-premises"
      ? [
          "The server must be reachable from the broker with a complete certificate chain; a firm that lists allowed addresses adds the broker's outgoing one.",
          authorities.length === 0
            ? "A certificate of the firm's own authority is trusted once that authority is entered under Certificate authorities of this server (ca_file in a configuration file)."
            : `Trusted for this server alone, besides the public authorities: ${authorities.join("; ")}.`,
          "Single sign-on in front of iManage must bring the browser back with its query unchanged.",
        ]
      : []),
  ];
}
