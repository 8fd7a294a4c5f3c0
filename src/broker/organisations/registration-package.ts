import { days } from "../../domain/instant.ts";
import type { RegistrationSheetInput } from "./registration-sheet.ts";

/** Vendors ship two per region or pod (facts page, C): one lists a page under Extensions, one makes the application known. */
export const PACKAGE_KINDS = ["control-center", "work"] as const;
export type PackageKind = (typeof PACKAGE_KINDS)[number];

/** What a template's placeholders stand for, by their names. */
export type PackageValues = Readonly<Record<string, string | number>>;

/** Makes a package from the template that the operator keeps. The same template and values give the same bytes. */
export interface PackageMaker {
  /**
   * @returns a zip with `manifest.yaml` at its root
   * @throws Problem package_template_faulty, with a sentence that says where and what
   */
  make(kind: PackageKind, values: PackageValues): Promise<Uint8Array>;
}

/** The page that Control Center lists under Extensions, as its heading reads. */
export const LIBRARY_PAGE_TITLE = "Background service authorization";
/** Access Token Expiry of the form (facts page, C). */
export const ACCESS_TOKEN_EXPIRY_MINUTES = 30;

export interface PackageInput extends RegistrationSheetInput {
  readonly generation: number;
  /** Region or pod: the shared registration's name, else the server's host. */
  readonly region: string;
}

/** The values for the placeholders of both kinds. Secrets are not among them: Control Center makes the client's. */
export function packageValues(kind: PackageKind, input: PackageInput): PackageValues {
  return {
    package_id: `imanage-token-broker.${kind}.${input.server.id}`,
    // A newer package must be seen to be newer, and an unchanged one must have the same bytes.
    package_version: `1.0.${input.generation}`,
    region: input.region,
    application_name: input.applicationName,
    application_description: input.description,
    publisher: input.publisher,
    website: input.website,
    contact_email: input.contactEmail,
    client_id: input.clientId,
    redirect_url: input.redirectUri,
    refresh_token_expiry_days: Math.round(input.refreshTokenLifeMs / days(1)),
    access_token_expiry_minutes: ACCESS_TOKEN_EXPIRY_MINUTES,
    page_title: LIBRARY_PAGE_TITLE,
    page_url: input.libraryPage,
    server_name: input.server.name,
    server_address: input.server.address,
  };
}

/** `meridian-dms.control-center.zip`. Names are of lower-case letters, digits and hyphens, so it is safe in a header. */
export const packageFileName = (serverName: string, kind: PackageKind): string =>
  `${serverName.replaceAll(/[^a-z0-9-]+/g, "-")}.${kind}.zip`;
