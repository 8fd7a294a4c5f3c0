import type { ClientId } from "../../domain/id.ts";
import { Problem } from "../../domain/problem.ts";
import type { Secret } from "../../domain/secret.ts";
import type { ClientConfigurationStore, ClientSecrets } from "../clients/ports.ts";
import type { AuditNote, Clock } from "../ports.ts";
import { withNewSecret } from "./write-clients.ts";

/**
 * Makes a client's next secret. The one before stays valid beside it, so that every replica of the app can be given the
 * new one in its own time; the one before that is void. Broker tokens given out so far are void too.
 */
export async function renewClientSecret(
  ports: {
    readonly store: ClientConfigurationStore;
    readonly clientSecrets: ClientSecrets;
    readonly clock: Clock;
  },
  name: string,
  note: AuditNote,
): Promise<{ readonly id: ClientId; readonly secret: Secret }> {
  const client = await ports.store.findClientByName(name);
  if (client === undefined) throw new Problem("not_found", { detail: `There is no client named ${name}.` });
  const secret = ports.clientSecrets.make();
  await ports.store.putClient(
    {
      ...client,
      secrets: withNewSecret(client.secrets, ports.clientSecrets.hmac(secret), ports.clock.now()),
      generation: client.generation + 1,
    },
    { before: client, fields: ["secret"], note },
  );
  return { id: client.id, secret };
}
