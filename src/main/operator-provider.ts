import { readFile } from "node:fs/promises";
import type { OperatorPorts } from "../broker/operators/ports.ts";
import { type Settings, SettingsError } from "../config/settings.ts";
import { Secret } from "../domain/secret.ts";
import { OpenIdOperatorProvider } from "../ops/operator-identity-provider.ts";

/** What the settings say of operators' sign-in. */
export const operatorSettings = async (
  settings: Settings,
): Promise<Pick<OperatorPorts, "provider" | "rules" | "publicBaseUrl">> => ({
  provider: await operatorProvider(settings),
  rules: {
    operators: settings.OPERATORS_VALUES,
    queues: settings.OPERATORS_QUEUE_VALUES,
    support: settings.OPERATORS_SUPPORT,
  },
  publicBaseUrl: settings.PUBLIC_BASE_URL,
});

/** The operators' identity provider as they name it. Undefined: none, and nobody signs in there. */
async function operatorProvider(settings: Settings): Promise<OpenIdOperatorProvider | undefined> {
  const { OPERATORS_ISSUER: issuer, OPERATORS_CLIENT_ID: clientId } = settings;
  const file = settings.OPERATORS_CLIENT_SECRET_FILE;
  if (issuer === undefined || clientId === undefined || file === undefined) return undefined;
  return new OpenIdOperatorProvider({
    issuer,
    clientId,
    clientSecret: new Secret(
      await readFile(file, "utf8").then(
        (text) => text.trim(),
        () => {
          const message = "names a file that cannot be read";
          throw new SettingsError([{ setting: "OPERATORS_CLIENT_SECRET_FILE", message }]);
        },
      ),
    ),
    claim: settings.OPERATORS_CLAIM,
  });
}
