import type { Instant } from "../../domain/instant.ts";
import { Problem } from "../../domain/problem.ts";
import type { Secret } from "../../domain/secret.ts";
import type { Server } from "../../domain/server.ts";
import { tokenOriginOf } from "../seal-contexts.ts";
import { applyConfiguration, type ChangeOptions } from "./apply-configuration.ts";
import { type ChangeOutcome, type ChangePorts, outcomeOf } from "./change-organisation.ts";

/**
 * A server's client secret and nothing else of it: settings and certificate authorities stay as they are stored, which a
 * server told anew would put back to their defaults. The one before stays valid beside it.
 * @throws Problem not_found, also for a shared registration: that one is the operator's
 */
export async function changeClientSecret(
  ports: ChangePorts,
  server: Server,
  secret: Secret,
  expiresAt: Instant | undefined,
  options: ChangeOptions,
): Promise<ChangeOutcome> {
  const organisation = await ports.store.findOrganisation(server.organisation);
  const registration = await ports.store.findRegistration(server.registration);
  if (organisation === undefined || registration?.organisation === undefined) throw new Problem("not_found");
  const own = {
    name: registration.name,
    // Whatever application it is by now: told again, it would be put back.
    clientId: undefined,
    tokenOrigin: tokenOriginOf(server),
    secret: { env: "FORM" },
    secretExpiresAt: expiresAt,
  };
  const result = await applyConfiguration(
    { ...ports, secretSource: { read: async () => secret } },
    {
      sharedRegistrations: [],
      organisations: [{ name: organisation.name, servers: [], registrations: [own] }],
      clients: [],
    },
    options,
  );
  return outcomeOf(result, server.id);
}
