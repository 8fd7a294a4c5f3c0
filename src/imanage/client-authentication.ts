import { type ClientAuth, ClientSecretBasic, ClientSecretPost, None } from "openid-client";
import type { ClientCredentials } from "../broker/authorization/ports.ts";
import type { Server } from "../domain/server.ts";

/** How we prove who we are (RFC 6749 §2.3.1): one way for each live secret, newest first; by name alone if there is none. */
export function clientAuthentications(server: Server, { secrets }: ClientCredentials): readonly ClientAuth[] {
  if (secrets.length === 0) return [None()];
  const by =
    server.settings.clientAuthentication === "client_secret_basic" ? ClientSecretBasic : ClientSecretPost;
  return secrets.map((secret) => by(secret.reveal()));
}
