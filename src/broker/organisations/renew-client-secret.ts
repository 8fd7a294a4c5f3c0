import { livingSecrets, withNewSecret } from "../../domain/client-secrets.ts";
import type { ClientId } from "../../domain/id.ts";
import type { Instant } from "../../domain/instant.ts";
import { Problem } from "../../domain/problem.ts";
import type { Secret } from "../../domain/secret.ts";
import type { ClientConfigurationStore, ClientSecrets } from "../clients/ports.ts";
import type { AuditNote, Clock } from "../ports.ts";

export interface RenewOptions {
  readonly expiresAt?: Instant | undefined;
  /** The others are void at once: somebody has seen them. */
  readonly alone?: boolean;
}

export interface RenewedSecret {
  readonly id: ClientId;
  readonly secret: Secret;
  readonly expiresAt: Instant | undefined;
  /** How many secrets count beside it, and when the one ends that is one too many. */
  readonly others: number;
  readonly oldestEndsAt: Instant | undefined;
}

/**
 * Makes a client's next secret. The one before stays valid beside it, so that every replica of the app can be given the
 * new one in its own time; a third gets an end date. Broker tokens given out so far are void.
 */
export async function renewClientSecret(
  ports: {
    readonly store: Pick<ClientConfigurationStore, "findClientByName" | "putClient">;
    readonly clientSecrets: ClientSecrets;
    readonly clock: Clock;
  },
  name: string,
  note: AuditNote,
  { expiresAt, alone = false }: RenewOptions = {},
): Promise<RenewedSecret> {
  const client = await ports.store.findClientByName(name);
  if (client === undefined) throw new Problem("not_found", { detail: `There is no client named ${name}.` });
  const secret = ports.clientSecrets.make();
  const now = ports.clock.now();
  const made = { hmac: ports.clientSecrets.hmac(secret), expiresAt };
  const secrets = withNewSecret(alone ? [] : client.secrets, made, now);
  await ports.store.putClient(
    { ...client, secrets, generation: client.generation + 1 },
    { before: client, fields: ["secret"], act: "secret_added", note },
  );
  return {
    id: client.id,
    secret,
    expiresAt,
    others: livingSecrets(secrets, now).length - 1,
    oldestEndsAt: secrets[2]?.expiresAt,
  };
}
