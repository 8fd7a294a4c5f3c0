import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import express, { type Express, type Request } from "express";
import { exportJWK, generateKeyPair } from "jose";
import { Provider } from "oidc-provider";
import { onTestFinished, vi } from "vitest";

/**
 * `oidc-provider`, an OpenID-certified server that nobody here wrote, at iManage's addresses. Its protocol is its own:
 * authorization code with PKCE, refresh tokens that rotate and whose reuse ends the grant. Only the few things that are
 * iManage's are added around it: the name of the revocation field, and `GET /api` with `X-Auth-Token`.
 */
export interface IndependentServer {
  readonly origin: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** What it did, in order: `authorization_code`, `refresh_token`, and `error:<code>`. */
  readonly tokenRequests: string[];
  /** Refresh tokens as it issued them, oldest first. */
  readonly refreshTokens: string[];
  /** Grants that it ended, by revocation or because a used refresh token came back. */
  readonly revokedGrants: string[];
  /** Starts to answer; its client may be sent back to this address alone. */
  open(redirectUri: string): Promise<void>;
  /** A refresh presented by somebody else. */
  present(refreshToken: string): Promise<{ readonly status: number; readonly error: string | undefined }>;
}

const PEOPLE: Readonly<Record<string, { readonly password: string; readonly name: string }>> = {
  "amelia.hart": { password: "hart", name: "Amelia Hart" },
};

export async function startIndependentServer(): Promise<IndependentServer> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    listener.closeAllConnections();
    await new Promise((resolve) => listener.close(resolve));
  });
  const origin = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
  const server: IndependentServer = {
    origin,
    clientId: "token-broker",
    clientSecret: "sim_secret_token-broker",
    tokenRequests: [],
    refreshTokens: [],
    revokedGrants: [],
    async open(redirectUri) {
      listener.on("request", appOf(await providerOf(server, redirectUri)));
    },
    async present(refreshToken) {
      const response = await fetch(`${origin}/auth/oauth2/token`, {
        method: "POST",
        body: new URLSearchParams({
          grant_type: "refresh_token",
          refresh_token: refreshToken,
          ...credentials(server),
        }),
      });
      const { error } = (await response.json()) as { error?: string };
      return { status: response.status, error };
    },
  };
  return server;
}

const credentials = ({ clientId, clientSecret }: IndependentServer) => ({
  client_id: clientId,
  client_secret: clientSecret,
});

async function providerOf(server: IndependentServer, redirectUri: string): Promise<Provider> {
  // It warns whoever would run it so in production.
  for (const level of ["warn", "info"] as const) vi.spyOn(console, level).mockImplementation(() => {});
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  const provider = new Provider(server.origin, {
    clients: [
      {
        ...credentials(server),
        redirect_uris: [redirectUri],
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        token_endpoint_auth_method: "client_secret_post",
      },
    ],
    routes: {
      authorization: "/auth/oauth2/authorize",
      token: "/auth/oauth2/token",
      revocation: "/its-own/revocation",
    },
    features: { devInteractions: { enabled: false }, revocation: { enabled: true } },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    // As *Allow Refresh Token* does: OpenID Connect itself would ask for `prompt=consent` in the request.
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed("refresh_token"),
    expiresWithSession: async () => false,
    ttl: {
      AuthorizationCode: 30,
      AccessToken: 1_800,
      RefreshToken: 86_400,
      Grant: 86_400,
      Session: 600,
      Interaction: 600,
      IdToken: 600,
    },
    findAccount: async (_ctx, id) =>
      Object.hasOwn(PEOPLE, id) ? { accountId: id, claims: async () => ({ sub: id }) } : undefined,
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    cookies: { keys: ["only for this test"] },
    jwks: { keys: [await exportJWK(privateKey)] },
  });
  provider.on("grant.success", (ctx) => void server.tokenRequests.push(String(ctx.oidc.params?.grant_type)));
  provider.on("grant.error", (_ctx, error) => void server.tokenRequests.push(`error:${error.error}`));
  provider.on("refresh_token.saved", (token) => void server.refreshTokens.push(token.jti));
  provider.on("grant.revoked", (_ctx, grant) => void server.revokedGrants.push(grant));
  return provider;
}

function appOf(provider: Provider): Express {
  const app = express();
  const form = express.urlencoded({ extended: false });

  app.get("/interaction/:uid", async (request, response) => {
    const { prompt } = await provider.interactionDetails(request, response);
    response
      .type("html")
      .send(`<form method="post"><input name="username"><input name="password"> ${prompt.name}</form>`);
  });
  app.post("/interaction/:uid", form, async (request, response) => {
    const { prompt, session, params } = await provider.interactionDetails(request, response);
    if (prompt.name === "login") {
      const { username, password } = request.body as Record<string, string>;
      if (PEOPLE[username ?? ""]?.password !== password) return void response.status(401).end();
      return provider.interactionFinished(request, response, { login: { accountId: username! } });
    }
    const grant = new provider.Grant({ accountId: session!.accountId, clientId: String(params.client_id) });
    grant.addOIDCScope(String(params.scope));
    return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
  });

  // iManage names the field `access_token` (facts page, 1); RFC 7009 names it `token`.
  app.post("/auth/oauth2/revoke-token", form, async (request, response) => {
    const { access_token, ...rest } = request.body as Record<string, string>;
    const answer = await fetch(`${provider.issuer}/its-own/revocation`, {
      method: "POST",
      body: new URLSearchParams({ token: access_token ?? "", ...rest }),
    });
    response.status(answer.status).send(await answer.text());
  });
  app.get("/api", async (request, response) => {
    const accountId = await accountOf(provider, request);
    if (accountId === undefined) return void response.json({ data: { auth_status: "unauthenticated" } });
    response.json({
      data: {
        auth_status: "authenticated",
        user: { id: accountId, customer_id: 5948, name: PEOPLE[accountId]?.name },
        versions: [{ name: "v2", url: `${provider.issuer}/work/api/v2` }],
      },
    });
  });
  app.use(provider.callback());
  return app;
}

async function accountOf(provider: Provider, request: Request): Promise<string | undefined> {
  const token = await provider.AccessToken.find(request.get("x-auth-token") ?? "");
  return token?.isValid ? token.accountId : undefined;
}
