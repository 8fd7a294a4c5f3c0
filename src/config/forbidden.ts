import type { SettingFault } from "./settings.ts";

/** Variables of others that would weaken this program, or hold a secret where every child process reads it. */
const FORBIDDEN: Readonly<Record<string, string>> = {
  NODE_TLS_REJECT_UNAUTHORIZED:
    "must not be set: it switches the checking of certificates off. For a firm's own certificate authority name its file as ca_file of the server",
  REDIS_PASSWORD: "must not be set: put the password into a file and name that in REDIS_PASSWORD_FILE",
  VAULT_TOKEN: "must not be set: put the token into a file and name that in VAULT_TOKEN_FILE",
  VAULT_SKIP_VERIFY:
    "must not be set: it switches the checking of certificates off. Name the authority's file in VAULT_CACERT",
  ROOT_KEYSET: "must not be set: secrets come from files; name one in ROOT_KEYSET_FILE",
};

export const forbidden = (env: Readonly<Record<string, unknown>>): SettingFault[] =>
  Object.entries(FORBIDDEN)
    .filter(([name]) => env[name] !== undefined)
    .map(([setting, message]) => ({ setting, message }));
