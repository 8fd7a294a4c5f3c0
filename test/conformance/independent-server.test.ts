import { describe, expect, it } from "vitest";
import { WalkingBrowser } from "../../scripts/walk/browser.ts";
import type { WalkingClient } from "../../scripts/walk/client.ts";
import { type ConnectSessionAnswer, complete } from "../../scripts/walk/connect.ts";
import type { ServerSettings } from "../../src/domain/server.ts";
import type { Simulator } from "../../src/simulator/start-simulator.ts";
import { addOrganisation } from "../kit/additions.ts";
import { expireSoon } from "../kit/expire.ts";
import { AMELIA, RETURN_URL, type World, world } from "../kit/world.ts";
import { type IndependentServer, startIndependentServer } from "./independent-server.ts";

/** Connect, token and refresh at a server that nobody here wrote, so that no misreading of ours can cancel itself. */
interface Firm {
  readonly here: World;
  readonly upstream: IndependentServer;
  readonly client: WalkingClient;
  readonly server: string;
}

async function firm(settings: Partial<ServerSettings> = {}): Promise<Firm> {
  const upstream = await startIndependentServer();
  const here = await world({ settings: { EGRESS_LOOPBACK_ORIGINS: upstream.origin } });
  const added = await addOrganisation(here, {
    servers: {
      dms: { simulator: asRegistered(upstream), settings: { scope: "openid offline_access", ...settings } },
    },
    clients: { app: {} },
  });
  await upstream.open(added.servers.dms.redirectUri);
  return { here, upstream, client: added.clients.app, server: added.servers.dms.id };
}

/** What the kit wants to know of an iManage: where it is, and where its registration leads back to. */
const asRegistered = ({ origin }: IndependentServer): Simulator =>
  ({ origin, registrations: { find: () => ({}), patch: () => ({}) } }) as unknown as Simulator;

/** Through the other server's own login and consent pages, as a browser goes. */
async function connected({ upstream, client, server }: Firm): Promise<ConnectSessionAnswer> {
  const subject = { type: "user", id: AMELIA.subject };
  const begun = await client.call<ConnectSessionAnswer>("POST", "/v1/connect-sessions", {
    server,
    subject,
    return_url: RETURN_URL,
  });
  const browser = new WalkingBrowser();
  const away = [new URL(client.base).origin, upstream.origin];
  const login = await browser.follow(await browser.get(begun.body.start_url), away);
  expect(login.url).toMatch(`${upstream.origin}/interaction/`);
  expect(login.body).toContain("login");
  const { username, password } = AMELIA;
  const consent = await browser.follow(await browser.post(login.url, { username, password }), away);
  expect(consent.body).toContain("consent");
  const back = await browser.follow(await browser.post(consent.url, {}), away);
  expect(back.location, back.body).toMatch(RETURN_URL);
  const completion = new URL(back.location!).searchParams.get("completion")!;
  const done = await complete(client, begun.body.id, completion, AMELIA.subject);
  expect(done.body).toMatchObject({ state: "connected" });
  return done.body;
}

const tokenOf = async ({ client, server }: Firm, by = client) => {
  const answer = await by.accessToken({ server, subject: { type: "user", id: AMELIA.subject } });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return answer.body;
};

/** The other server's own word on whether a token lives. */
const statusAt = async ({ upstream }: Firm, token: string): Promise<unknown> => {
  const response = await fetch(`${upstream.origin}/api`, { headers: { "X-Auth-Token": token } });
  return ((await response.json()) as { data: { auth_status: string } }).data.auth_status;
};

const refreshes = ({ upstream }: Firm): number =>
  upstream.tokenRequests.filter((request) => request === "refresh_token").length;

describe("at an independent authorization server that rotates refresh tokens", () => {
  it("a user connects with PKCE and client_secret_post, and the token that the client gets opens it", async () => {
    const at = await firm();
    const session = await connected(at);
    expect(session.grant).toMatch(/^grt_/);
    const token = await tokenOf(at);
    expect(token).toMatchObject({ grant: session.grant, customer_id: "5948" });
    expect(await statusAt(at, token.access_token)).toBe("authenticated");
    expect(at.upstream.tokenRequests).toEqual(["authorization_code"]);
  });

  it("sends iss (RFC 9207), and one that it must send is asked for", async () => {
    const at = await firm({ issuer: "required" });
    expect((await connected(at)).grant).toMatch(/^grt_/);
  });

  it("20 requests at the moment of expiry, on two replicas, are one refresh", async () => {
    const at = await firm();
    const { grant } = await connected(at);
    const before = await tokenOf(at);
    const replica = await at.here.replica();
    const there = at.client.at(replica.base);
    await expireSoon(at.here, grant!);

    const tokens = await Promise.all(
      Array.from({ length: 20 }, (_, i) => tokenOf(at, i % 2 === 0 ? at.client : there)),
    );
    expect(refreshes(at)).toBe(1);
    const [token] = new Set(tokens.map(({ access_token }) => access_token));
    expect(new Set(tokens.map(({ access_token }) => access_token)).size).toBe(1);
    expect(token).not.toBe(before.access_token);
    expect(await statusAt(at, token!)).toBe("authenticated");
  });

  it("ten rotations in a row present each refresh token once, and the grant lives on", async () => {
    const at = await firm();
    const { grant } = await connected(at);
    const seen = new Set([(await tokenOf(at)).access_token]);
    for (let turn = 1; turn <= 10; turn++) {
      await expireSoon(at.here, grant!);
      const { access_token } = await tokenOf(at);
      seen.add(access_token);
      expect(await statusAt(at, access_token)).toBe("authenticated");
    }
    expect(seen.size).toBe(11);
    expect(at.upstream.tokenRequests).toEqual(["authorization_code", ...Array(10).fill("refresh_token")]);
    // It rotated each time, and none of the eleven came back.
    expect(new Set(at.upstream.refreshTokens).size).toBe(11);
    expect(at.upstream.revokedGrants).toEqual([]);
  });

  it("would have noticed: a used refresh token that comes back ends the grant there", async () => {
    const at = await firm();
    const { grant } = await connected(at);
    await expireSoon(at.here, grant!);
    await tokenOf(at);
    expect(await at.upstream.present(at.upstream.refreshTokens[0]!)).toEqual({
      status: 400,
      error: "invalid_grant",
    });
    expect(at.upstream.revokedGrants).toHaveLength(1);
  });

  it("a deleted grant is revoked there, refresh token and access token", async () => {
    const at = await firm();
    const { grant } = await connected(at);
    const { access_token } = await tokenOf(at);
    expect((await at.client.call("DELETE", `/v1/grants/${grant}`)).status).toBe(204);
    await at.here.broker.revoker.settled();

    expect(await statusAt(at, access_token)).toBe("unauthenticated");
    expect((await at.upstream.present(at.upstream.refreshTokens.at(-1)!)).error).toBe("invalid_grant");
    const gone = await at.client.accessToken({
      server: at.server,
      subject: { type: "user", id: AMELIA.subject },
    });
    expect(gone).toMatchObject({ status: 409, body: { code: "authorization_required" } });
  });
});
