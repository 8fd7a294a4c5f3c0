import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import { exportJWK, generateKeyPair } from "jose";
import { Provider } from "oidc-provider";
import { onTestFinished, vi } from "vitest";

export interface IdentityProvider {
  readonly origin: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Starts to answer; browsers may be sent back to this address alone. */
  open(...redirectUris: readonly string[]): Promise<void>;
}

/** A firm's identity provider: `oidc-provider`, whose people are in groups. It asks for a name and no password. */
export async function startIdentityProvider(
  groups: Readonly<Record<string, readonly string[]>>,
): Promise<IdentityProvider> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    listener.closeAllConnections();
    await new Promise((resolve) => listener.close(resolve));
  });
  const origin = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
  const [clientId, clientSecret] = ["broker-operators", "sim_secret_operators"];
  return {
    origin,
    clientId,
    clientSecret,
    async open(...redirectUris) {
      // It warns whoever would run it so in production.
      for (const level of ["warn", "info"] as const) vi.spyOn(console, level).mockImplementation(() => {});
      const { privateKey } = await generateKeyPair("RS256", { extractable: true });
      const provider = new Provider(origin, {
        clients: [
          {
            client_id: clientId,
            client_secret: clientSecret,
            redirect_uris: [...redirectUris],
            grant_types: ["authorization_code"],
            response_types: ["code"],
            token_endpoint_auth_method: "client_secret_post",
          },
        ],
        claims: { profile: ["name", "groups"] },
        // As Entra ID and others do: claims of a scope stand in the ID token.
        conformIdTokenClaims: false,
        features: { devInteractions: { enabled: false } },
        pkce: { required: () => true },
        findAccount: async (_ctx, id) =>
          Object.hasOwn(groups, id)
            ? {
                accountId: id,
                claims: async () => ({ sub: id, name: `${id} of the firm`, groups: groups[id] }),
              }
            : undefined,
        interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
        cookies: { keys: ["only for this test"] },
        jwks: { keys: [await exportJWK(privateKey)] },
      });
      const app = express();
      app.get("/interaction/:uid", (_request, response) => {
        response.send(
          '<form method="post"><input name="username" aria-label="User name"><button>Sign in</button></form>',
        );
      });
      app.post("/interaction/:uid", express.urlencoded({ extended: false }), async (request, response) => {
        const { prompt, session, params } = await provider.interactionDetails(request, response);
        if (prompt.name === "login") {
          const { username } = request.body as Record<string, string>;
          return provider.interactionFinished(request, response, { login: { accountId: username! } });
        }
        const grant = new provider.Grant({
          accountId: session!.accountId,
          clientId: String(params.client_id),
        });
        grant.addOIDCScope(String(params.scope));
        return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
      });
      app.use(provider.callback());
      listener.on("request", app);
    },
  };
}
