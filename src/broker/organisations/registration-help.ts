import { Problem } from "../../domain/problem.ts";
import { redirectUriOf } from "../../domain/registration.ts";
import type { Server } from "../../domain/server.ts";
import type { ConfigurationStore } from "./ports.ts";
import {
  type PackageInput,
  type PackageKind,
  type PackageMaker,
  packageFileName,
  packageValues,
} from "./registration-package.ts";
import { type RegistrationSheet, registrationSheet } from "./registration-sheet.ts";

export interface RegistrationHelpPorts {
  readonly store: Pick<ConfigurationStore, "findOrganisation" | "findRegistration">;
  readonly packages: PackageMaker;
  readonly names: ProductNames;
}

/** What this product calls itself where people see it. */
export interface ProductNames {
  readonly publicBaseUrl: string;
  /** Under which it can be reached as well: each has a redirect URL of its own. */
  readonly otherBaseUrls: readonly string[];
  readonly productName: string;
  readonly supportContact: string;
}

export interface RegistrationPackage {
  readonly fileName: string;
  readonly bytes: Uint8Array;
}

/**
 * The sheet for one server: the values for every field of Control Center.
 * @throws Problem integrity_failure: its organisation or registration is gone
 */
export async function sheetFor(
  ports: Omit<RegistrationHelpPorts, "packages">,
  server: Server,
): Promise<RegistrationSheet> {
  return registrationSheet(await inputFor(ports, server));
}

/**
 * An upload package for one server.
 * @throws Problem package_template_faulty | integrity_failure
 */
export async function packageFor(
  ports: RegistrationHelpPorts,
  server: Server,
  kind: PackageKind,
): Promise<RegistrationPackage> {
  const input = await inputFor(ports, server);
  const bytes = await ports.packages.make(kind, packageValues(kind, input));
  return { fileName: packageFileName(input.server.name, kind), bytes };
}

async function inputFor(
  { store, names }: Omit<RegistrationHelpPorts, "packages">,
  server: Server,
): Promise<PackageInput> {
  const organisation = await store.findOrganisation(server.organisation);
  const registration = await store.findRegistration(server.registration);
  if (organisation === undefined || registration === undefined) throw new Problem("integrity_failure");
  const { settings, endpoints } = server;
  return {
    applicationName: names.productName,
    description: "Holds this firm's authorizations and gives short-lived tokens to its applications.",
    publisher: names.productName,
    website: names.publicBaseUrl,
    contactEmail: names.supportContact,
    clientId: registration.clientId,
    redirectUri: redirectUriOf(names.publicBaseUrl, registration.id),
    otherRedirectUris: names.otherBaseUrls.map((url) => redirectUriOf(url, registration.id)),
    libraryPage: `${names.publicBaseUrl}/servers/${server.id}/libraries`,
    packageUrl: `${names.publicBaseUrl}/v1/servers/${server.id}/package`,
    server: {
      id: server.id,
      name: `${organisation.name}/${server.name}`,
      kind: server.kind,
      address: endpoints.apiBaseUrl,
      customerId: server.customerId,
    },
    registeredBy: settings.registeredBy,
    codeLifeMs: settings.codeLifeMs,
    refreshTokenLifeMs: settings.refreshTokenLifeMs,
    secretExpiresAt: registration.secrets[0]?.expiresAt,
    trustedCertificates: server.trustedCertificates,
    generation: server.configurationGeneration,
    region:
      registration.organisation === undefined ? registration.name : new URL(endpoints.apiBaseUrl).hostname,
  };
}
