import type { Client, ClientSecret } from "../../domain/client.ts";
import { secretId } from "../../domain/client-secrets.ts";
import { Problem } from "../../domain/problem.ts";
import type { Secret } from "../../domain/secret.ts";
import type { Clock, Log } from "../ports.ts";
import type { ClientConfigurationStore, ClientSecrets } from "./ports.ts";

export interface RenewalPorts {
  readonly clock: Pick<Clock, "now">;
  readonly clientSecrets: ClientSecrets;
  readonly store: Pick<ClientConfigurationStore, "putClient">;
  readonly log: Log;
}

/**
 * Keeps a secret that was shown under the primary root key from now on, so that the one before can be retired: nothing but the
 * secret itself can do that. The client is answered meanwhile.
 */
export function makeSecretRenewal(ports: RenewalPorts) {
  const renewing = new Set<string>();
  return (client: Client, secret: Secret): void => {
    const { clientSecrets } = ports;
    // Most never are, and it costs nothing to see.
    if (client.secrets.every(({ hmac }) => clientSecrets.rootKeyOf(hmac) === clientSecrets.primary)) return;
    if (renewing.has(client.id)) return;
    renewing.add(client.id);
    void renewSecretHmac(ports, client, secret).finally(() => renewing.delete(client.id));
  };
}

/** Its generation stays: the client's broker tokens are as good as before. */
export async function renewSecretHmac(
  { clientSecrets, clock, store, log }: RenewalPorts,
  client: Client,
  secret: Secret,
): Promise<void> {
  // Another secret of the client may need a key that is gone: that is told to who shows it, and is no matter of this one.
  const isShown = (kept: ClientSecret): boolean => {
    try {
      return clientSecrets.matches(secret, [kept], clock.now());
    } catch {
      return false;
    }
  };
  const outdated = client.secrets.filter(
    (kept) => clientSecrets.rootKeyOf(kept.hmac) !== clientSecrets.primary && isShown(kept),
  );
  if (outdated.length === 0) return;
  const hmac = clientSecrets.hmac(secret);
  const secrets = client.secrets.map((kept) =>
    outdated.includes(kept) ? { ...kept, id: secretId(kept), hmac } : kept,
  );
  try {
    await store.putClient(
      { ...client, secrets },
      { before: client, fields: ["root key"], note: { actor: "worker", requestId: "root-key-rotation" } },
    );
  } catch (error) {
    // Somebody changes the client at this moment, or does the same: its next sign-in comes.
    const code = error instanceof Problem ? error.code : "internal_error";
    log.warn(
      { client: client.id, code },
      "a client secret is kept under the primary root key at its next use",
    );
  }
}
