import { z } from "zod";
import {
  egressCidr,
  egressProxyUrl,
  hostAndPort,
  isLoopback,
  issuer,
  loopbackOrigin,
  otherBaseUrl,
  outgoingAddress,
  proxyCidr,
  publicBaseUrl,
  redisUrl,
} from "./addresses.ts";
import { forbidden } from "./forbidden.ts";
import { host, integer, list, path, port, supportRule } from "./kinds.ts";
import { isOneSlipAway } from "./one-slip.ts";

/**
 * Every setting of the broker and the worker, each with its unit in its name, a default or none on purpose, and a
 * sentence. Lengths that have to fit one another are constants (`src/domain/access-policy.ts`), not settings.
 *
 * No other room reads the environment. Secrets come from files: a variable is inherited by every child process and
 * shown by `docker inspect`.
 */

const PLAIN_CONTACT = "the operator of this broker";

const fields = {
  NODE_ENV: z
    .enum(["development", "test", "production"], "must be development, test or production")
    .default("production")
    .describe(
      "Which rules apply. Whoever forgets it gets the strict ones; `development` and `test` allow loopback http.",
    ),
  REDIS_URL: z
    .string("is required: where Redis is, for example redis://127.0.0.1:6379")
    .transform(redisUrl)
    .describe(
      "Where Redis is: `redis://` or, with TLS, `rediss://`. May name a user; the password comes from REDIS_PASSWORD_FILE.",
    ),
  REDIS_PASSWORD_FILE: path().optional().describe("File with the Redis password."),
  REDIS_CLUSTER_NODES: list(hostAndPort).describe(
    "First nodes of a Redis Cluster, `host:port`, separated by commas. Empty: one Redis at REDIS_URL. User, password and TLS are taken from there.",
  ),
  REDIS_PLAINTEXT_ACCEPTED: z
    .enum(["true", "false"], "must be true or false")
    .default("false")
    .transform((text) => text === "true")
    .describe(
      "`true` allows `redis://` to another machine in production, for a network that only the broker and its Redis share.",
    ),
  PUBLIC_BASE_URL: z
    .string("is required: the address under which browsers and clients reach the broker")
    .transform(publicBaseUrl)
    .describe(
      "The broker's own address, the start of every redirect URI that a firm registers. https in production; no path, no trailing slash. Never derived from a request.",
    ),
  OTHER_PUBLIC_BASE_URLS: list(otherBaseUrl).describe(
    "Further addresses of the same broker, as PUBLIC_BASE_URL, separated by commas. Pages, links and redirect URIs follow the one by which somebody came, and each has its own redirect URL to register; PUBLIC_BASE_URL stays the issuer. With any set, a request whose Host is none of them is refused, so a proxy in front hands Host on as it came.",
  ),
  HTTP_HOST: host().default("0.0.0.0").describe("Address on which the public listener listens."),
  HTTP_PORT: port().default(8080).describe("Port of the public listener."),
  OPS_HOST: host()
    .default("127.0.0.1")
    .describe("Address on which the ops listener (health, metrics, queues) listens. Not for the internet."),
  OPS_PORT: port().default(9090).describe("Port of the ops listener."),
  ROOT_KEYSET_FILE: path()
    .optional()
    .describe(
      "File with the root keyset that wraps every data key (`cli keys create FILE`). Required in production. Lost with it: every authorization.",
    ),
  TRUSTED_PROXY_CIDRS: list(proxyCidr).describe(
    "Address ranges of the proxies in front, separated by commas: only from there is X-Forwarded-For believed.",
  ),
  EGRESS_PRIVATE_CIDRS: list(egressCidr).describe(
    "Private ranges in which on-premises iManage servers may be reached, separated by commas. Everything private is refused otherwise.",
  ),
  EGRESS_LOOPBACK_ORIGINS: list(loopbackOrigin).describe(
    "Exact origins on this machine that may be used as iManage servers: the simulator. Refused in production.",
  ),
  EGRESS_PROXY_URL: z
    .string()
    .transform(egressProxyUrl)
    .optional()
    .describe(
      "Proxy through which every iManage server is reached, by CONNECT alone: `http://host:port`, or `https://` for TLS to the proxy. May name a user. It then is the proxy that must refuse names that resolve to private addresses. Proxies of other variables (`HTTPS_PROXY`) are never used.",
    ),
  EGRESS_PROXY_PASSWORD_FILE: path()
    .optional()
    .describe("File with the password of the user that EGRESS_PROXY_URL names (Basic, RFC 7617)."),
  PACKAGE_TEMPLATE_DIR: path()
    .default("config/package")
    .describe(
      "Folder with the templates of the upload packages for Control Center, a folder for each kind: a firm's own copy may say what its iManage wants.",
    ),
  OUTGOING_ADDRESSES: list(outgoingAddress).describe(
    "Addresses or ranges under which iManage servers see the broker, separated by commas. Shown in a diagnosis to whoever keeps a firm's allow list; behind NAT the broker cannot know them.",
  ),
  OPERATORS_ISSUER: z
    .string()
    .transform(issuer)
    .optional()
    .describe(
      "Issuer of the identity provider by which operators and support sign in (OpenID Connect Discovery). Its redirect URI for this broker is PUBLIC_BASE_URL with `/operators/callback`. Not set: nobody signs in there.",
    ),
  OPERATORS_CLIENT_ID: z
    .string()
    .max(200)
    .optional()
    .describe("This broker's client id at OPERATORS_ISSUER."),
  OPERATORS_CLIENT_SECRET_FILE: path().optional().describe("File with its client secret there."),
  OPERATORS_CLAIM: z
    .string()
    .regex(/^[\w:/.-]{1,200}$/, "must be the name of a claim")
    .default("groups")
    .describe("Claim of the ID token that says who may do what: a list or one text."),
  OPERATORS_VALUES: list((text) => text).describe(
    "Values of that claim that make an operator, who sees every organisation; separated by commas.",
  ),
  OPERATORS_SUPPORT: list(supportRule).describe(
    "Values that make somebody support, each with the organisations he may see, `value=name|name`; separated by commas.",
  ),
  SUPPORT_CONTACT: z
    .string()
    .max(200, "may have at most 200 characters")
    .default(PLAIN_CONTACT)
    .describe("Whom people are told to ask where only a person can help. Required in production."),
  PRODUCT_NAME: z
    .string()
    .max(80, "may have at most 80 characters")
    .default("Token Broker for iManage Work")
    .describe("What the pages and the registration sheets call this product."),
  PRODUCT_LOGO_FILE: path()
    .optional()
    .describe(
      "File with the logo that stands beside the name on every page: SVG without scripts and links, or PNG; at most 100 kB. Read at the start.",
    ),
  LOG_LEVEL: z
    .enum(
      ["fatal", "error", "warn", "info", "debug", "trace", "silent"],
      "must be fatal, error, warn, info, debug, trace or silent",
    )
    .default("info")
    .describe("How much is logged. No level logs a secret."),
  AUDIT_FILE: path()
    .default(".data/audit.jsonl")
    .describe(
      "File to which the worker appends the audit, one JSON object per line. An absolute path, and required, in production: unexported audit stops tokens.",
    ),
  AUDIT_BUFFER_MAX_ENTRIES: integer(1_000, 10_000_000)
    .default(100_000)
    .describe(
      "Audit entries an organisation may have in Redis before they are exported. At the cap its tokens answer 503 `audit_backlog`; at three quarters an alert is raised.",
    ),
  FAIL_POINTS: z
    .enum(["true", "false"], "must be true or false")
    .default("false")
    .transform((text) => text === "true")
    .describe(
      "`true` lets the test that started this process kill, stop or hold it at named points of a refresh. Refused in production.",
    ),
};

const schema = z
  .object(fields)
  .refine(
    (c) => !isProduction(c) || c.ROOT_KEYSET_FILE !== undefined,
    relation(
      "ROOT_KEYSET_FILE",
      ["NODE_ENV"],
      "is required in production: make one with `cli keys create FILE`, keep a copy off this machine, and name it here",
    ),
  )
  .refine(
    (c) =>
      c.OPERATORS_ISSUER === undefined ||
      (c.OPERATORS_CLIENT_ID !== undefined && c.OPERATORS_CLIENT_SECRET_FILE !== undefined),
    relation(
      "OPERATORS_ISSUER",
      ["OPERATORS_CLIENT_ID", "OPERATORS_CLIENT_SECRET_FILE"],
      "needs OPERATORS_CLIENT_ID and OPERATORS_CLIENT_SECRET_FILE, as they are registered there",
    ),
  )
  .refine(
    (c) => !isProduction(c) || c.OPERATORS_ISSUER?.startsWith("http://") !== true,
    relation("OPERATORS_ISSUER", ["NODE_ENV"], "must begin with https:// in production"),
  )
  .refine(
    (c) => !isProduction(c) || c.PUBLIC_BASE_URL.startsWith("https://"),
    relation(
      "PUBLIC_BASE_URL",
      ["NODE_ENV"],
      "must begin with https:// in production: codes and cookies travel through it",
    ),
  )
  .refine(
    (c) => !isProduction(c) || c.OTHER_PUBLIC_BASE_URLS.every((url) => url.startsWith("https://")),
    relation("OTHER_PUBLIC_BASE_URLS", ["NODE_ENV"], "must begin with https:// in production"),
  )
  .refine(
    (c) =>
      new Set([c.PUBLIC_BASE_URL, ...c.OTHER_PUBLIC_BASE_URLS]).size === 1 + c.OTHER_PUBLIC_BASE_URLS.length,
    relation(
      "OTHER_PUBLIC_BASE_URLS",
      ["PUBLIC_BASE_URL"],
      "names one address twice, or PUBLIC_BASE_URL again",
    ),
  )
  .refine(
    (c) => !isProduction(c) || c.EGRESS_LOOPBACK_ORIGINS.length === 0,
    relation(
      "EGRESS_LOOPBACK_ORIGINS",
      ["NODE_ENV"],
      "is refused in production: it is for the simulator. Remove it",
    ),
  )
  .refine(
    (c) => !isProduction(c) || !c.FAIL_POINTS,
    relation("FAIL_POINTS", ["NODE_ENV"], "is refused in production: it is for tests. Remove it"),
  )
  .refine(
    (c) => !isProduction(c) || c.SUPPORT_CONTACT !== PLAIN_CONTACT,
    relation(
      "SUPPORT_CONTACT",
      ["NODE_ENV"],
      "is required in production: an e-mail address, a telephone number or a page",
    ),
  )
  .refine(
    (c) => !isProduction(c) || c.AUDIT_FILE.startsWith("/"),
    relation(
      "AUDIT_FILE",
      ["NODE_ENV"],
      "is required in production, as an absolute path on a disk that is kept",
    ),
  )
  .refine(
    (c) => !isProduction(c) || new URL(c.REDIS_URL).password === "",
    relation(
      "REDIS_URL",
      ["NODE_ENV"],
      "must hold no password in production: put it into a file and name that in REDIS_PASSWORD_FILE",
    ),
  )
  .refine(
    (c) => !isProduction(c) || !isRemoteRedis(c) || c.REDIS_PASSWORD_FILE !== undefined,
    relation(
      "REDIS_PASSWORD_FILE",
      ["NODE_ENV", "REDIS_URL", "REDIS_CLUSTER_NODES"],
      "is required in production when Redis is on another machine",
    ),
  )
  .refine(
    (c) =>
      !isProduction(c) ||
      !isRemoteRedis(c) ||
      c.REDIS_URL.startsWith("rediss:") ||
      c.REDIS_PLAINTEXT_ACCEPTED,
    relation(
      "REDIS_URL",
      ["NODE_ENV", "REDIS_CLUSTER_NODES", "REDIS_PLAINTEXT_ACCEPTED"],
      "must begin with rediss:// in production when Redis is on another machine; REDIS_PLAINTEXT_ACCEPTED=true says that only the broker and its Redis share the network",
    ),
  )
  .refine(
    (c) => c.EGRESS_PROXY_PASSWORD_FILE === undefined || URL.parse(c.EGRESS_PROXY_URL ?? "")?.username,
    relation(
      "EGRESS_PROXY_PASSWORD_FILE",
      ["EGRESS_PROXY_URL"],
      "is of no use without a user: EGRESS_PROXY_URL must look like http://user@proxy.example.com:3128",
    ),
  )
  .refine(
    (c) => c.HTTP_PORT !== c.OPS_PORT,
    relation(
      "OPS_PORT",
      ["HTTP_PORT"],
      "must differ from HTTP_PORT: the ops listener is never the public one",
    ),
  );

export type Settings = z.infer<typeof schema>;

/** Faults of the environment, all of them. Its message is what an operator reads; it holds no value of any setting. */
export class SettingsError extends Error {
  readonly faults: readonly SettingFault[];

  constructor(faults: readonly SettingFault[]) {
    const lines = faults.map(({ setting, message }) => `  ${setting} ${message}.`);
    const count = faults.length === 1 ? "one setting is" : `${faults.length} settings are`;
    super(
      `Not started: ${count} wrong.\n${lines.join("\n")}\nEvery setting is explained in src/config/README.md.`,
    );
    this.name = "SettingsError";
    this.faults = faults;
  }
}

export interface SettingFault {
  readonly setting: string;
  /** Continues the setting's name to a sentence, without the full stop. */
  readonly message: string;
}

/** Reads and checks the environment. Throws {@link SettingsError} with every fault in it. */
export function readSettings(env: Readonly<Record<string, string | undefined>> = process.env): Settings {
  // Compose files pass variables on that nobody set as empty strings.
  const set = Object.fromEntries(
    Object.entries(env)
      .map(([name, value]) => [name, value?.trim()] as const)
      .filter(([, value]) => value !== undefined && value !== ""),
  );
  const parsed = schema.safeParse(set);
  const faults = [
    ...forbidden(set),
    ...misspelt(set),
    ...(parsed.error?.issues ?? []).map(({ path, message }) => ({ setting: String(path[0]), message })),
  ];
  if (faults.length > 0 || !parsed.success) throw new SettingsError(faults);
  return parsed.data;
}

const addressSettings = z.object({
  NODE_ENV: fields.NODE_ENV,
  EGRESS_LOOPBACK_ORIGINS: fields.EGRESS_LOOPBACK_ORIGINS,
});

/**
 * The two settings on which it depends what a configuration file may hold: all that checking one needs, on a machine that
 * runs no broker.
 */
export function readAddressSettings(
  env: Readonly<Record<string, string | undefined>> = process.env,
): z.infer<typeof addressSettings> {
  const { NODE_ENV, EGRESS_LOOPBACK_ORIGINS } = env;
  const parsed = addressSettings.safeParse({
    NODE_ENV: NODE_ENV || undefined,
    EGRESS_LOOPBACK_ORIGINS: EGRESS_LOOPBACK_ORIGINS || undefined,
  });
  if (parsed.success) return parsed.data;
  throw new SettingsError(
    parsed.error.issues.map(({ path, message }) => ({ setting: String(path[0]), message })),
  );
}

/** The table of settings for the README, as the schema has it. A test compares the two. */
export function settingsTable(): string {
  const rows = Object.entries(fields).map(([name, field]) => {
    const sentence = field.description ?? "";
    return `| \`${name}\` | ${shownDefault(field)} | ${sentence} |`;
  });
  return ["| Setting | Default | What it is for |", "| --- | --- | --- |", ...rows].join("\n");
}

function shownDefault(field: z.ZodType): string {
  const parsed = field.safeParse(undefined);
  if (!parsed.success) return "none, required";
  const value: unknown = parsed.data;
  return value === undefined || (Array.isArray(value) && value.length === 0) ? "none" : `\`${value}\``;
}

/** `TRUSTED_PROXY_CIDR` would be ignored in silence otherwise. One letter away is taken for a slip. */
const misspelt = (env: Readonly<Record<string, unknown>>): SettingFault[] =>
  Object.keys(env).flatMap((name) => {
    if (Object.hasOwn(fields, name)) return [];
    const meant = Object.keys(fields).find((known) => isOneSlipAway(name, known));
    return meant === undefined
      ? []
      : [{ setting: name, message: `is not a setting: ${meant} is. Correct or remove it` }];
  });

// Relations. They are checked even where other settings are wrong, so that all faults come together.

type Name = keyof typeof fields;

/** Asked as soon as `setting` and those it depends on are right by themselves, whatever else is wrong. */
function relation(setting: Name, dependsOn: readonly Name[], error: string) {
  const names: readonly unknown[] = [setting, ...dependsOn];
  return {
    path: [setting],
    error,
    params: { relation: true },
    when: ({ issues }: z.core.ParsePayload) =>
      !issues.some((issue) => names.includes(issue.path?.[0]) && !isRelation(issue)),
  };
}

const isRelation = (issue: z.core.$ZodRawIssue): boolean =>
  issue.code === "custom" && issue.params?.relation === true;

const isProduction = (c: { readonly NODE_ENV: string }): boolean => c.NODE_ENV === "production";

const isRemoteRedis = (c: {
  readonly REDIS_URL: string;
  readonly REDIS_CLUSTER_NODES: readonly { readonly host: string }[];
}): boolean =>
  !isLoopback(new URL(c.REDIS_URL).hostname) || c.REDIS_CLUSTER_NODES.some(({ host }) => !isLoopback(host));
