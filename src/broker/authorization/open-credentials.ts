import { Problem } from "../../domain/problem.ts";
import type { Registration } from "../../domain/registration.ts";
import type { Server } from "../../domain/server.ts";
import type { Clock, Sealer } from "../ports.ts";
import { clientSecretContext } from "../seal-contexts.ts";
import type { ClientCredentials } from "./ports.ts";

/**
 * A registration's credentials, opened for the server they are about to be sent to.
 * @throws Problem("integrity_failure") where that server's token endpoint is not the one they were sealed for (T15).
 * @throws Problem("client_secret_refused") where every secret has expired.
 */
export async function openCredentials(
  ports: { readonly sealer: Sealer; readonly clock: Clock },
  registration: Registration,
  server: Server,
): Promise<ClientCredentials> {
  const now = ports.clock.now();
  const live = registration.secrets.filter(({ expiresAt }) => expiresAt === undefined || expiresAt > now);
  if (live.length === 0) {
    throw new Problem("client_secret_refused", {
      detail: "Every client secret of this registration has expired.",
    });
  }
  const context = clientSecretContext(registration, server);
  return {
    clientId: registration.clientId,
    secrets: await Promise.all(live.map(({ sealed }) => ports.sealer.open(sealed, context))),
  };
}
