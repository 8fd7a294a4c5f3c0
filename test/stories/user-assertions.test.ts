import { describe, expect, it } from "vitest";
import { WalkingBrowser } from "../../scripts/walk/browser.ts";
import { type ConnectSessionAnswer, signIn } from "../../scripts/walk/connect.ts";
import type { ClientId, ServerId } from "../../src/domain/id.ts";
import { organisationOf } from "../../src/domain/id.ts";
import type { Members } from "../../src/domain/members.ts";
import { addOrganisation } from "../kit/additions.ts";
import { put } from "../kit/put-records.ts";
import { ISSUER, type Issuing, issuing } from "../kit/user-assertions.ts";
import { AMELIA, RETURN_URL, type World, world } from "../kit/world.ts";

const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token";
const JWT = "urn:ietf:params:oauth:token-type:jwt";

async function trust({ broker }: World, server: ServerId, { provider }: Issuing, members?: Members) {
  const { configuration } = broker;
  const stored = await configuration.findOrganisation(organisationOf(server));
  if (stored === undefined) throw new Error("no organisation");
  await put.organisation(configuration, {
    ...stored,
    identityProvider: provider,
    ...(members && { members }),
  });
}

const assertion = (token: string) => ({ type: "assertion", token });

async function begin({ client, server }: Pick<World, "client" | "server">, subject: object) {
  return client.call<ConnectSessionAnswer & { subject: object; faults?: object }>(
    "POST",
    "/v1/connect-sessions",
    {
      server,
      subject,
      return_url: RETURN_URL,
    },
  );
}

async function finish(here: World, begun: ConnectSessionAnswer, subject: object) {
  const back = await signIn(new WalkingBrowser(), here.base, begun.start_url, AMELIA);
  const completion = new URL(back).searchParams.get("completion") ?? "";
  return here.client.call<ConnectSessionAnswer>("POST", `/v1/connect-sessions/${begun.id}/complete`, {
    completion,
    subject,
  });
}

const exchange = ({ client, server }: Pick<World, "client" | "server">, token: string, type = ID_TOKEN) =>
  client.token({
    grant_type: TOKEN_EXCHANGE,
    subject_token: token,
    subject_token_type: type,
    audience: server,
  });

describe("a person for whom the organisation's identity provider vouches", () => {
  it("connects and gets tokens by what that signed, from both interfaces, and each time by a new assertion", async () => {
    const here = await world();
    const idp = await issuing();
    await trust(here, here.server, idp);
    const begun = await begin(here, assertion(await idp.sign()));
    expect(begun.body.subject).toEqual({ type: "user", issuer: ISSUER, id: "s-amelia" });
    const done = await finish(here, begun.body, assertion(await idp.sign()));
    expect(done.body.state).toBe("connected");

    for (const type of [ID_TOKEN, JWT]) {
      const { status, body } = await exchange(here, await idp.sign(), type);
      expect(status).toBe(200);
      expect(here.simulator.isAccessTokenLive(String(body.access_token))).toBe(true);
    }
    const vended = await here.client.accessToken({
      server: here.server,
      subject: assertion(await idp.sign()),
    });
    expect(vended.status).toBe(200);
    // Another person of the same provider, and the same id by the client's own word.
    expect((await exchange(here, await idp.sign({ sub: "s-other" }))).body).toMatchObject({
      error: "invalid_grant",
      code: "authorization_required",
    });
    const own = { server: here.server, subject: { type: "user", id: "s-amelia" } };
    expect((await here.client.accessToken(own)).body).toMatchObject({ code: "authorization_required" });
  });

  it("cannot be named by a client that has none of his assertions: not to get a token, to begin or to complete (T02)", async () => {
    const here = await world();
    const idp = await issuing();
    await trust(here, here.server, idp);
    const named = { type: "user", issuer: ISSUER, id: "s-amelia" };
    const begun = await begin(here, assertion(await idp.sign()));
    const faults = [{ field: "subject.issuer", message: expect.stringMatching(/identity provider/) }];
    expect(await begin(here, named)).toMatchObject({
      status: 400,
      body: { code: "invalid_request", faults },
    });
    expect(await here.client.accessToken({ server: here.server, subject: named })).toMatchObject({
      status: 400,
    });
    expect((await finish(here, begun.body, named)).status).toBe(400);
    const other = await begin(here, assertion(await idp.sign()));
    const mismatch = await finish(here, other.body, assertion(await idp.sign({ sub: "s-attacker" })));
    expect(mismatch.body).toMatchObject({ code: "session_user_mismatch" });
  });

  it("is a member by the claims that are signed, and not by those that a client says", async () => {
    const here = await world();
    const idp = await issuing();
    await trust(here, here.server, idp, {
      everyone: false,
      subjects: [],
      claims: [{ name: "groups", value: "dms" }],
    });
    const member = () => idp.sign({ groups: ["hr", "dms"] });
    const begun = await begin(here, assertion(await member()));
    expect((await finish(here, begun.body, assertion(await member()))).body.state).toBe("connected");
    expect((await exchange(here, await member())).status).toBe(200);
    expect((await exchange(here, await idp.sign({ groups: ["hr"] }))).body).toMatchObject({
      code: "not_a_member",
    });
    expect((await begin(here, assertion(await idp.sign()))).body).toMatchObject({ code: "not_a_member" });
    const told = { ...assertion(await idp.sign()), claims: { groups: ["dms"] } };
    expect((await begin(here, told)).status).toBe(400);
  });

  it("of two organisations with the same provider is two people: what he authorised in one is nothing in the other (T27)", async () => {
    const here = await world();
    const idp = await issuing();
    const added = await addOrganisation(here, { servers: { other: { simulator: here.simulator } } });
    const other = added.servers.other.id;
    const { configuration } = here.broker;
    const client = here.credentials.id as ClientId;
    const { policy } = await configuration.findPolicy(client, organisationOf(here.server));
    if (policy === undefined) throw new Error("no policy");
    await put.policy(configuration, { ...policy, organisation: organisationOf(other) });
    for (const server of [here.server, other]) await trust(here, server, idp);
    const begun = await begin(here, assertion(await idp.sign()));
    await finish(here, begun.body, assertion(await idp.sign()));
    const token = await idp.sign();
    expect((await exchange(here, token)).status).toBe(200);
    expect((await exchange({ ...here, server: other }, token)).body).toMatchObject({
      code: "authorization_required",
    });
    // Nor does it complete a session there that it began here.
    const there = await begin({ ...here, server: other }, assertion(await idp.sign()));
    expect(there.status).toBe(201);
  });

  it("is asked for by another way where the organisation has no provider; a refusal is RFC 8693's invalid_request", async () => {
    const here = await world();
    const idp = await issuing();
    const without = await exchange(here, await idp.sign());
    expect(without).toMatchObject({
      status: 400,
      body: { error: "invalid_request", code: "invalid_request" },
    });
    expect(without.body.detail).toMatch(/identity_provider/);
    await trust(here, here.server, idp);
    const refused = await exchange(here, await idp.sign({ aud: "another" }));
    expect(refused).toMatchObject({
      status: 400,
      body: { error: "invalid_request", code: "user_assertion_refused" },
    });
    expect(refused.body.detail).toMatch(/^aud of the assertion/);
    // What was sent is repeated nowhere: an ID token opens doors elsewhere.
    const token = await idp.sign({ iss: "https://elsewhere.example" });
    await exchange(here, token);
    expect(here.lines.join("\n")).not.toContain(token.split(".")[1]);
  });
});
