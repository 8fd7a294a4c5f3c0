import { z } from "zod";
import { days, type Instant, seconds } from "../../domain/instant.ts";
import { everyone, MEMBERS_LISTED_MAX, type Members } from "../../domain/members.ts";
import {
  endpointsOf,
  type ServerEndpoints,
  type ServerKind,
  type ServerSettings,
  type TrustedCertificates,
} from "../../domain/server.ts";
import type { DesiredConfiguration, DesiredRegistration, DesiredServer } from "./desired.ts";
import type { DocumentReader } from "./desired-client-keys.ts";
import { clientSchema, toClient } from "./desired-clients.ts";
import { identityProviderField } from "./desired-identity-provider.ts";
import { findRelationFaults, findServerAddress, findWarnings } from "./desired-relations.ts";
import {
  checked,
  expiryField,
  name,
  secretFields,
  strict,
  title,
  toReference,
  whole,
} from "./schema-words.ts";
import { type AddressRules, checkEndpointUrl, checkServerAddress } from "./server-address.ts";

/** A fault or warning at a place of the file. */
export interface Remark {
  readonly path: readonly (string | number)[];
  /** Continues the field's name to a sentence, without the full stop. Repeats no value that may be a secret. */
  readonly message: string;
}

export type DesiredReading =
  | { readonly ok: true; readonly desired: DesiredConfiguration; readonly warnings: readonly Remark[] }
  | { readonly ok: false; readonly faults: readonly Remark[]; readonly warnings: readonly Remark[] };

/** Reads certificates from a text in PEM. A fault continues the field's name to a sentence and repeats nothing of the text. */
export type CertificateReader = (pem: string) => TrustedCertificates | { readonly fault: string };

/**
 * How `ca_file` and `ca_certificates` are read, and other files that the file names. Who is given none can name none: a request
 * names no file of ours.
 */
export interface FileReaders {
  readonly file?: (path: string) => ReturnType<CertificateReader>;
  readonly pem?: CertificateReader;
  /** `jwks_file`, `jwk_file`. */
  readonly json?: DocumentReader;
}

/**
 * Reads what a file said (YAML or JSON, already parsed). All faults come together: of single fields and of fields that
 * do not fit one another, whichever else is wrong.
 */
export function readDesiredConfiguration(
  value: unknown,
  rules: AddressRules,
  readers: FileReaders = {},
): DesiredReading {
  const told = withoutNulls(value);
  const parsed = configurationSchema(rules, readers).safeParse(told, { error: plainly });
  const faults = [...(parsed.error?.issues ?? []).flatMap(remarksOf), ...findRelationFaults(told)];
  const warnings = findWarnings(told, rules);
  if (faults.length > 0 || !parsed.success) return { ok: false, faults, warnings };
  return { ok: true, desired: toDesired(parsed.data), warnings };
}

// The shape: strict, snake_case, units in names.

const KINDS = ["cloud", "cloud-subdomain", "hosted", "on-premises"] as const satisfies readonly ServerKind[];

function configurationSchema(rules: AddressRules, readers: FileReaders) {
  const address = checked((text) => checkServerAddress(text, rules));
  const endpoint = checked((text) => checkEndpointUrl(text, rules));

  const registration = {
    client_id: z
      .string()
      .regex(/^[\x21-\x7e]{1,200}$/, "must be Control Center's Client ID (API Key), without blanks"),
    ...secretFields("client_secret"),
    client_secret_expires: expiryField.optional(),
  };

  const settings = strict({
    scope: z
      .string()
      .regex(
        /^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/,
        "must be scopes separated by blanks",
      ),
    client_authentication: z.enum(["client_secret_post", "client_secret_basic"]),
    refresh_client_authentication: z.enum(["send", "omit"]),
    code_life_seconds: whole(6, 3_600),
    refresh_token: z.enum(["required", "optional"]),
    refresh_token_life_days: whole(1, 3_650),
    refresh_extends_life: z.boolean(),
    rotation: z.enum(["unknown", "static", "rotating", "leeway", "strict"]),
    previous_access_tokens: z.enum(["unknown", "survive", "end"]),
    issuer: z.enum(["unknown", "required"]),
    registered_by: z.enum(["form", "package"]),
  }).partial();

  const members = z.union([
    z.literal("all", "must be all, or name subjects or claims"),
    strict({
      subjects: z
        .array(z.string().min(1).max(256))
        .max(MEMBERS_LISTED_MAX, `must name at most ${MEMBERS_LISTED_MAX}: name the others by a claim`)
        .default([]),
      claims: z.record(z.string().min(1).max(64), z.array(z.string().min(1).max(256))).default({}),
    }),
  ]);

  const server = strict({
    name,
    display_name: title.optional(),
    kind: z.enum(KINDS),
    address: address.optional(),
    authorization_url: endpoint.optional(),
    token_url: endpoint.optional(),
    // On the cloud, Avvoka's guide leaves *Endpoint URL* empty.
    endpoint_url: checked((text) =>
      text === "" ? { ok: true } : checkServerAddress(text, rules),
    ).optional(),
    customer_id: z
      .custom<string | number>(
        (id) => typeof id === "string" || Number.isSafeInteger(id),
        "must be iManage's customer id",
      )
      .transform(String)
      .refine((text) => /^[A-Za-z0-9_-]{1,64}$/.test(text), "must be iManage's customer id, for example 5948")
      .optional(),
    ca_file: authorities(readers.file),
    ca_certificates: authorities(readers.pem),
    // Which of the two it is, and that it is one of them, is asked in desired-relations.ts.
    registration: strict({ shared: name, ...registration }).partial(),
    settings: settings.optional(),
  }).refine((told) => told.ca_file === undefined || told.ca_certificates === undefined, {
    path: ["ca_certificates"],
    error: "must not stand beside ca_file: give one of the two",
  });

  return strict({
    version: z.literal(1),
    shared_registrations: z.array(strict({ name, address, ...registration })).default([]),
    organisations: z
      .array(
        strict({
          name,
          display_name: title.optional(),
          enabled: z.boolean().default(true),
          members: members.optional(),
          identity_provider: identityProviderField(rules, readers.json).optional(),
          servers: z.array(server).default([]),
        }),
      )
      .default([]),
    clients: z.array(clientSchema(rules, readers.json)).default([]),
  });
}

type Told = z.infer<ReturnType<typeof configurationSchema>>;
/** Whom an organisation's integration is for, in a file's words. */
export type ToldMembers = NonNullable<Told["organisations"][number]["members"]>;

function authorities(read: CertificateReader = () => ({ fault: "cannot be given here" })) {
  return z
    .string()
    .transform((text, ctx): TrustedCertificates | undefined => {
      // An empty text names none.
      if (text === "") return undefined;
      const outcome = read(text);
      if (!("fault" in outcome)) return outcome;
      ctx.addIssue({ code: "custom", message: outcome.fault });
      return z.NEVER;
    })
    .optional();
}

const KINDS_OF_VALUE: Readonly<Record<string, string>> = {
  string: "text; put it in quotes",
  number: "a number",
  boolean: "true or false",
  array: "a list",
  object: "a mapping of fields",
};

/** Sentences for what the schema does not say itself. None repeats the value. */
const plainly: z.core.$ZodErrorMap = (issue) => {
  if (issue.input === undefined) return "is required";
  if (issue.code === "invalid_type") return `must be ${KINDS_OF_VALUE[issue.expected] ?? issue.expected}`;
  if (issue.code === "invalid_value") return `must be ${issue.values.map(String).join(" or ")}`;
  return "is not as it should be";
};

const aboutFields = ({ path, code }: z.core.$ZodIssue): boolean =>
  path.length > 0 || code === "unrecognized_keys";

const remarksOf = (issue: z.core.$ZodIssue): Remark[] => {
  const path = issue.path.map((part) => (typeof part === "number" ? part : String(part)));
  if (issue.code === "invalid_union") {
    // Of several shapes the one that fits as a whole, and whose fields do not, is the one that was meant.
    const meant = issue.errors.find((faults) => faults.every((fault) => aboutFields(fault)));
    if (meant !== undefined && meant.length > 0) {
      return meant.flatMap(remarksOf).map((inner) => ({ ...inner, path: [...path, ...inner.path] }));
    }
  }
  return issue.code === "unrecognized_keys"
    ? issue.keys.map((key) => ({ path: [...path, key], message: issue.message }))
    : [{ path, message: issue.message }];
};

/** In YAML a field with nothing behind it is null: the same as not given. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== null)
      .map(([field, member]) => [field, withoutNulls(member)]),
  );
}

// From the file's words to ours.

const toDesired = (told: Told): DesiredConfiguration => ({
  sharedRegistrations: told.shared_registrations.map((shared) =>
    toRegistration(shared.name, shared.address, shared),
  ),
  organisations: told.organisations.map((organisation) => ({
    name: organisation.name,
    displayName: organisation.display_name ?? organisation.name,
    enabled: organisation.enabled,
    members: toMembers(organisation.members),
    identityProvider: organisation.identity_provider,
    servers: organisation.servers.map(toServer),
  })),
  clients: told.clients.map(toClient),
});

function toMembers(told: ToldMembers | undefined): Members {
  if (told === undefined || told === "all") return everyone;
  const claims = Object.entries(told.claims).flatMap(([name, values]) =>
    values.map((value) => ({ name, value })),
  );
  return { everyone: false, subjects: told.subjects, claims };
}

type ToldServer = Told["organisations"][number]["servers"][number];

function toServer(server: ToldServer): DesiredServer {
  const endpoints = toEndpoints(server);
  const { shared } = server.registration;
  return {
    name: server.name,
    displayName: server.display_name ?? server.name,
    kind: server.kind,
    endpoints,
    registration:
      shared === undefined
        ? { own: toRegistration(server.name, new URL(endpoints.tokenEndpoint).origin, server.registration) }
        : { shared },
    customerId: server.customer_id,
    trustedCertificates: server.ca_file ?? server.ca_certificates,
    settings: toSettings(server.settings ?? {}),
  };
}

function toEndpoints(server: ToldServer): ServerEndpoints {
  const { authorization_url, token_url, endpoint_url } = server;
  const origin = new URL(findServerAddress(server) as string).origin;
  const usual = endpointsOf(origin);
  return {
    authorizationEndpoint: authorization_url ?? usual.authorizationEndpoint,
    tokenEndpoint: token_url ?? usual.tokenEndpoint,
    revocationEndpoint: token_url?.endsWith("/token")
      ? token_url.replace(/token$/, "revoke-token")
      : usual.revocationEndpoint,
    apiBaseUrl: endpoint_url || usual.apiBaseUrl,
  };
}

function toRegistration(
  name: string,
  tokenOrigin: string,
  told: {
    readonly client_id?: string | undefined;
    readonly client_secret_file?: string | undefined;
    readonly client_secret_env?: string | undefined;
    readonly client_secret_expires?: Instant | "never" | undefined;
  },
): DesiredRegistration {
  const expires = told.client_secret_expires;
  return {
    name,
    clientId: told.client_id as string,
    tokenOrigin,
    secret: toReference(told.client_secret_file, told.client_secret_env),
    secretExpiresAt: expires === "never" ? undefined : expires,
  };
}

function toSettings(told: NonNullable<ToldServer["settings"]>): Partial<ServerSettings> {
  const settings: { [K in keyof ServerSettings]: ServerSettings[K] | undefined } = {
    scope: told.scope,
    clientAuthentication: told.client_authentication,
    refreshClientAuthentication: told.refresh_client_authentication,
    codeLifeMs: told.code_life_seconds === undefined ? undefined : seconds(told.code_life_seconds),
    refreshToken: told.refresh_token,
    refreshTokenLifeMs:
      told.refresh_token_life_days === undefined ? undefined : days(told.refresh_token_life_days),
    refreshExtendsLife: told.refresh_extends_life,
    rotation: told.rotation,
    previousAccessTokens: told.previous_access_tokens,
    issuer: told.issuer,
    registeredBy: told.registered_by,
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}
