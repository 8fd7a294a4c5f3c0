import { z } from "zod";
import { forbidden } from "./forbidden.ts";
import { isOneSlipAway } from "./one-slip.ts";
import { checkOf, type Relation } from "./relations.ts";
import {
  listenerRelations,
  listenerSettings,
  publicAddressRelations,
  publicAddressSettings,
  trustedProxySettings,
} from "./settings-addresses.ts";
import { auditRelations, auditSettings } from "./settings-audit.ts";
import { certificateRelations, certificateSettings } from "./settings-certificates.ts";
import {
  egressProxyRelations,
  egressProxySettings,
  egressRelations,
  egressSettings,
  outgoingAddressSettings,
} from "./settings-egress.ts";
import { keyRelations, keySettings, wrapperRelations, wrapperSettings } from "./settings-keys.ts";
import { metricsSettings } from "./settings-metrics.ts";
import { operatorRelations, operatorSettings } from "./settings-operators.ts";
import {
  environmentSettings,
  logSettings,
  shutdownSettings,
  testRelations,
  testSettings,
} from "./settings-process.ts";
import { packageSettings, productRelations, productSettings } from "./settings-product.ts";
import { redisRelations, redisSettings } from "./settings-redis.ts";
import { syncSettings } from "./settings-sync.ts";
import { traceSettings } from "./settings-traces.ts";

/**
 * Every setting of the broker and the worker, each with its unit in its name, a default or none on purpose, and a
 * sentence. Lengths that have to fit one another are constants (`src/domain/access-policy.ts`), not settings.
 *
 * No other room reads the environment. Secrets come from files: a variable is inherited by every child process and
 * shown by `docker inspect`.
 *
 * They stand in files by topic; here they are put together.
 */

/** In the order of the README's table. */
const fields = {
  ...environmentSettings,
  ...redisSettings,
  ...publicAddressSettings,
  ...listenerSettings,
  ...certificateSettings,
  ...keySettings,
  ...wrapperSettings,
  ...trustedProxySettings,
  ...egressSettings,
  ...egressProxySettings,
  ...packageSettings,
  ...outgoingAddressSettings,
  ...operatorSettings,
  ...productSettings,
  ...logSettings,
  ...metricsSettings,
  ...shutdownSettings,
  ...traceSettings,
  ...auditSettings,
  ...syncSettings,
  ...testSettings,
};

const object = z.object(fields);

/** In the order in which an operator reads their faults. */
const relations: readonly Relation<z.output<typeof object>>[] = [
  ...keyRelations,
  ...wrapperRelations,
  ...operatorRelations,
  ...publicAddressRelations,
  ...egressRelations,
  ...testRelations,
  ...productRelations,
  ...auditRelations,
  ...redisRelations,
  ...egressProxyRelations,
  ...listenerRelations,
  ...certificateRelations,
];

const schema = object.check(...relations.map(checkOf));

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

const wrapperObject = z
  .object({ NODE_ENV: fields.NODE_ENV, ...wrapperSettings })
  .check(...wrapperRelations.map(checkOf));
export type WrapperSettings = z.infer<typeof wrapperObject>;

/** What wrapping a root keyset file needs, on a machine that runs no broker. */
export function readWrapperSettings(
  env: Readonly<Record<string, string | undefined>> = process.env,
): WrapperSettings {
  const set = Object.fromEntries(
    Object.entries(env).filter(
      ([name, value]) => (name === "NODE_ENV" || name.startsWith("VAULT_")) && value?.trim(),
    ),
  );
  const parsed = wrapperObject.safeParse(set);
  const faults = [
    ...forbidden(set),
    ...(parsed.error?.issues ?? []).map(({ path, message }) => ({ setting: String(path[0]), message })),
  ];
  if (faults.length > 0 || !parsed.success) throw new SettingsError(faults);
  return parsed.data;
}

/** What a setting's name says that it names; a test holds every setting that is a path to it. */
export function fileKindOf(name: string): "secret file" | "file" | "folder" | undefined {
  if (/_(PASSWORD|SECRET|TOKEN|KEY|KEYSET)_FILE$/.test(name)) return "secret file";
  if (/_(FILE|CACERT)$/.test(name)) return "file";
  return name.endsWith("_DIR") ? "folder" : undefined;
}

/** The table of settings for the README, as the schema has it. A test compares the two. */
export function settingsTable(): string {
  const rows = Object.entries(fields).map(([name, field]) => {
    const sentence = field.description ?? "";
    const kind = fileKindOf(name);
    return `| \`${name}\`${kind === undefined ? "" : ` (${kind})`} | ${shownDefault(field)} | ${sentence} |`;
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
