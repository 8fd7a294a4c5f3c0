import { defaultServerSettings, type Server, type ServerSettings } from "../../domain/server.ts";
import type { DesiredServer } from "./desired.ts";
import type { Compared } from "./plan.ts";

/** The settings a server is to have: what the file says, else the default. */
export function settingsOf(desired: DesiredServer, stored: Server | undefined): ServerSettings {
  return {
    ...defaultServerSettings,
    // A server that has ever sent `iss` must go on doing so (RFC 9207): silence in a file does not take that back.
    issuer: stored?.settings.issuer ?? defaultServerSettings.issuer,
    ...desired.settings,
  };
}

/** Those that differ. A new server's are told only where they differ from the defaults. */
export function settingsCompared(stored: Server | undefined, desired: DesiredServer): Compared[] {
  const after = settingsOf(desired, stored);
  const before = stored?.settings;
  const base = before ?? defaultServerSettings;
  const fields: readonly [string, (settings: ServerSettings) => string][] = [
    ["scope", ({ scope }) => scope],
    ["client_authentication", ({ clientAuthentication }) => clientAuthentication],
    ["refresh_client_authentication", ({ refreshClientAuthentication }) => refreshClientAuthentication],
    ["code_life_seconds", ({ codeLifeMs }) => String(codeLifeMs / 1_000)],
    ["refresh_token", ({ refreshToken }) => refreshToken],
    ["refresh_token_life_days", ({ refreshTokenLifeMs }) => String(refreshTokenLifeMs / 86_400_000)],
    ["refresh_extends_life", ({ refreshExtendsLife }) => String(refreshExtendsLife)],
    ["rotation", ({ rotation }) => rotation],
    ["previous_access_tokens", ({ previousAccessTokens }) => previousAccessTokens],
    ["issuer", ({ issuer }) => issuer],
    ["registered_by", ({ registeredBy }) => registeredBy],
  ];
  return fields
    .filter(([, read]) => read(base) !== read(after))
    .map(([field, read]) => [`settings.${field}`, before && read(before), read(after)]);
}
