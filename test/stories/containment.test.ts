import { describe, expect, it } from "vitest";
import { WalkingBrowser } from "../../scripts/walk/browser.ts";
import { contain, liftContainment } from "../../src/broker/containment/contain.ts";
import type { ContainmentTarget } from "../../src/domain/containment.ts";
import type { ClientId, OrganisationId } from "../../src/domain/id.ts";
import { minutes } from "../../src/domain/instant.ts";
import { addOrganisation } from "../kit/additions.ts";
import { LibraryAdmin } from "../kit/library-admin.ts";
import { enterPortal, openPortal, submit } from "../kit/portal.ts";
import { put } from "../kit/put-records.ts";

import { AMELIA, MOREAU, type World, world } from "../kit/world.ts";

interface Body {
  readonly dry_run: boolean;
  readonly containment: { readonly id: string; readonly target: object };
  readonly impact: Record<string, unknown>;
}

const BY = { actor: "cli:test", requestId: "req_test" };

const tokenOf = (built: World, subject: string, more: object = {}) =>
  built.client.accessToken({ server: built.server, subject: { type: "user", id: subject }, ...more });

const codeOf = async (built: World, subject: string) => {
  const { status, body } = await tokenOf(built, subject);
  return status === 200 ? 200 : (body as unknown as { code: string }).code;
};

const containing = (built: World, target: object, more: object = {}) =>
  built.client.call<Body>("POST", "/v1/containments", { target, reason: "an incident", ...more });

const lifting = (built: World, id: string) =>
  built.client.call("POST", `/v1/containments/${id}/lift`, { reason: "it is over" });

const work = async (built: World, organisation = built.organisation) => {
  await built.broker.containmentWork.workOf(organisation as OrganisationId);
  await built.broker.revoker.revokeOf(organisation as OrganisationId);
};

describe("a containment stops tokens, and lifting it lets them flow", () => {
  it("for whatever it names, from the moment it is answered, and for nothing else", async () => {
    const built = await world();
    const amelia = await built.connect(AMELIA);
    await built.connect(MOREAU);
    const admin = await LibraryAdmin.signIn(built);
    await admin.authorize(["ACTIVE"]);
    const library = async () =>
      (await built.client.accessToken({ server: built.server, subject: { type: "library", id: "ACTIVE" } }))
        .status;
    const { server, organisation } = built;
    const client = built.client.id;
    const user = { kind: "user", server, user_id: "AMELIA.hart", customer_id: "5948" };
    // What is stopped: Amelia's, Moreau's, the library, which Amelia lent.
    const rows: [object, [unknown, unknown, unknown]][] = [
      [{ kind: "organisation", organisation }, ["contained", "contained", 403]],
      [{ kind: "client", client, organisation }, ["contained", "contained", 403]],
      [{ kind: "client", client, organisation, server }, ["contained", "contained", 403]],
      [{ kind: "server", server }, ["contained", "contained", 403]],
      [user, ["contained", 200, 403]],
      [
        { kind: "subject", server, client, subject: { type: "user", id: AMELIA.subject } },
        ["contained", 200, 200],
      ],
      [{ kind: "library", server, library: "ACTIVE" }, [200, 200, 403]],
      [{ kind: "grant", grant: amelia.body.grant }, ["contained", 200, 403]],
    ];
    for (const [target, stopped] of rows) {
      const { status, body } = await containing(built, target);
      expect([status, body.dry_run], JSON.stringify(target)).toEqual([200, false]);
      const seen = [
        await codeOf(built, AMELIA.subject),
        await codeOf(built, MOREAU.subject),
        await library(),
      ];
      expect(seen, JSON.stringify(target)).toEqual(stopped);
      expect((await lifting(built, body.containment.id)).status).toBe(200);
      expect([
        await codeOf(built, AMELIA.subject),
        await codeOf(built, MOREAU.subject),
        await library(),
      ]).toEqual([200, 200, 200]);
    }
    await built.broker.containmentWork.settled();
  });

  it("of a user who is named without his customer the server's is meant, and none is guessed", async () => {
    const built = await world();
    await built.connect();
    const { configuration } = built.broker;
    const server = (await configuration.findServer(built.server))!;
    const target = { kind: "user", server: built.server, user_id: "amelia.hart" };
    await put.server(configuration, { ...server, customerId: undefined });
    const vague = await built.client.call("POST", "/v1/containments", { target, reason: "a stolen laptop" });
    expect([vague.status, JSON.stringify(vague.body)]).toEqual([
      400,
      expect.stringContaining("target.customer_id"),
    ]);
    await put.server(configuration, { ...server, customerId: "5948" });
    const { body } = await containing(built, target);
    expect(body.containment.target).toMatchObject({ customer_id: "5948" });
    expect(await codeOf(built, AMELIA.subject)).toBe("contained");
  });

  it("two of one thing are two: lifting one leaves the other", async () => {
    const built = await world();
    await built.connect();
    const target = { kind: "server", server: built.server };
    const [one, two] = [await containing(built, target), await containing(built, target)];
    await lifting(built, one.body.containment.id);
    expect(await codeOf(built, AMELIA.subject)).toBe("contained");
    await lifting(built, two.body.containment.id);
    expect(await codeOf(built, AMELIA.subject)).toBe(200);
  });

  it("a window of consents stops what was authorised in it, until its person authorises again", async () => {
    const built = await world();
    await built.connect(AMELIA);
    built.advance(minutes(10));
    const from = new Date(built.broker.clock.now() - minutes(1)).toISOString();
    await built.connect(MOREAU);
    const { body } = await containing(built, { kind: "consents", organisation: built.organisation, from });
    expect([await codeOf(built, AMELIA.subject), await codeOf(built, MOREAU.subject)]).toEqual([
      200,
      "contained",
    ]);
    built.advance(minutes(1));
    await built.connect(MOREAU);
    expect(await codeOf(built, MOREAU.subject)).toBe(200);
    expect(body.containment).toMatchObject({
      in_words: expect.stringContaining("authorizations given from"),
    });
  });

  it("a window of tokens stops that of which tokens were handed out in it, to that client", async () => {
    const built = await world();
    await built.connect(AMELIA);
    await built.connect(MOREAU);
    await tokenOf(built, AMELIA.subject);
    built.advance(minutes(5));
    const from = new Date(built.broker.clock.now() - minutes(1)).toISOString();
    await tokenOf(built, MOREAU.subject);
    const target = { kind: "tokens", organisation: built.organisation, from, client: built.client.id };
    const dry = await containing(built, target, { dry_run: true });
    expect(dry.body).toMatchObject({ containment: null, impact: { grants: 1, users: 1, clients: 1 } });
    expect(await codeOf(built, MOREAU.subject)).toBe(200);
    await containing(built, target);
    expect([await codeOf(built, AMELIA.subject), await codeOf(built, MOREAU.subject)]).toEqual([
      200,
      "contained",
    ]);
  });

  it("a client everywhere is let in nowhere, with secret or token, and in again when it is lifted", async () => {
    const built = await world();
    await built.connect();
    const { body: bearer } = await built.client.token({ grant_type: "client_credentials" });
    const asBearer = async () =>
      (
        await fetch(`${built.base}/v1/grants?organisation=${built.organisation}`, {
          headers: { authorization: `Bearer ${bearer.access_token}` },
        })
      ).status;
    expect(await asBearer()).toBe(200);
    const target: ContainmentTarget = { kind: "client", client: built.client.id as ClientId };
    expect((await containing(built, target)).body).toMatchObject({ code: "not_allowed" });

    const asked = { target, effect: "stop", reason: "leaked" } as const;
    const containment = await contain(built.broker.containment, asked, BY);
    expect([await codeOf(built, AMELIA.subject), await asBearer()]).toEqual(["invalid_client", 401]);
    // Who was let in a moment before is stopped by the script itself.
    const request = {
      client: built.client.id as ClientId,
      server: built.server,
      subject: { type: "user", issuer: "client", id: AMELIA.subject } as const,
      note: BY,
    };
    await expect(built.broker.accessTokens.provide(request)).rejects.toMatchObject({ code: "contained" });
    await liftContainment(built.broker.containment, containment, "found the leak", BY);
    expect([await codeOf(built, AMELIA.subject), await asBearer()]).toEqual([200, 200]);
  });

  it("whoever is stopped does not let himself go: what an operator began only an operator lifts", async () => {
    const built = await world();
    await built.connect();
    const client = built.client.id as ClientId;
    const organisation = built.organisation as OrganisationId;
    const target = { kind: "client", client, organisation } as const;
    const begun = await contain(built.broker.containment, { target, effect: "stop", reason: "a leak" }, BY);
    const refused = await lifting(built, begun.id);
    expect([refused.status, refused.body.code]).toEqual([403, "not_allowed"]);
    expect(await codeOf(built, AMELIA.subject)).toBe("contained");
    await liftContainment(built.broker.containment, begun, "found the leak", BY);
    expect(await codeOf(built, AMELIA.subject)).toBe(200);
  });

  it("a client everywhere is lifted where its policy was taken away meanwhile, too", async () => {
    const built = await world();
    await built.connect();
    const { configuration, containment: ports } = built.broker;
    const client = built.client.id as ClientId;
    const organisation = built.organisation as OrganisationId;
    const target = { kind: "client", client } as const;
    const stop = await contain(ports, { target, effect: "stop", reason: "a leak" }, BY);
    await built.broker.containmentWork.settled();
    const policy = (await configuration.findPolicy(client, organisation)).policy!;
    const taken = { fields: [], note: BY };
    await configuration.deletePolicy(policy, { ...taken, before: policy });
    await liftContainment(ports, stop, "another secret", BY);
    await configuration.putPolicy(policy, { ...taken, before: undefined });
    expect(await codeOf(built, AMELIA.subject)).toBe(200);
  });

  it("nor has a client that is contained everywhere any visitors: nobody changes a firm's settings in its name", async () => {
    const built = await world();
    const user = await enterPortal(built);
    const { browser } = await enterPortal(built, {
      role: "organisation_admin",
      subject: { type: "user", id: "u-admin" },
    });
    const form = await browser.get(`${built.base}/settings/access`);
    expect([user.page.status, form.status]).toEqual([200, 200]);
    const link = await openPortal(built);
    const asked = {
      target: { kind: "client", client: built.client.id as ClientId },
      effect: "stop",
    } as const;
    const containment = await contain(built.broker.containment, { ...asked, reason: "leaked" }, BY);
    const statuses = async () => [
      (await user.browser.get(user.page.url)).status,
      (await browser.get(form.url)).status,
      (await submit(browser, form, "/settings/access", { access: "off" })).status,
    ];
    expect(await statuses()).toEqual([403, 403, 403]);
    const late = new WalkingBrowser();
    const entered = await late.follow(await late.get(link.body.url!), [built.base]);
    expect(entered.status).toBe(403);
    await liftContainment(built.broker.containment, containment, "found the leak", BY);
    expect(await statuses()).toEqual([200, 200, 200]);
  });

  it("nothing begins, and no code is redeemed, where tokens are stopped", async () => {
    const built = await world();
    await built.connect(MOREAU);
    const before = built.simulator.counts().routes.token;
    const { body } = await containing(built, { kind: "server", server: built.server });
    await expect(built.connect()).rejects.toThrow();
    await expect(LibraryAdmin.signIn(built)).rejects.toMatchObject({ code: "contained" });
    expect(built.simulator.counts().routes.token).toBe(before);
    await lifting(built, body.containment.id);
    await built.connect();
  });
});

describe("what a containment would concern is counted first", () => {
  it("grants, those that others share, users, libraries and tokens of the last hour; and nothing changes", async () => {
    const built = await world();
    await built.connect(AMELIA);
    await built.connect(MOREAU);
    const admin = await LibraryAdmin.signIn(built);
    await admin.authorize(["ACTIVE", "TEMPLATES"]);
    await tokenOf(built, AMELIA.subject);
    await tokenOf(built, AMELIA.subject);
    await tokenOf(built, MOREAU.subject);
    const dry = await containing(built, { kind: "server", server: built.server }, { dry_run: true });
    expect(dry.body).toMatchObject({
      dry_run: true,
      containment: null,
      impact: {
        grants: 2,
        clients: 1,
        users: 2,
        libraries: 2,
        tokens_handed_out: 2,
        tokens_known_since: null,
      },
    });
    expect(dry.body.impact.note).toContain("Only revoking ends them");
    expect(await codeOf(built, AMELIA.subject)).toBe(200);
    expect(
      (
        await built.client.call<{ items: unknown[] }>(
          "GET",
          `/v1/containments?organisation=${built.organisation}`,
        )
      ).body.items,
    ).toEqual([]);
  });
});

describe("revoking in bulk", () => {
  it("ends each token at iManage with a receipt, and lists who authorises again until he has", async () => {
    const built = await world();
    await built.connect(AMELIA);
    await built.connect(MOREAU);
    const admin = await LibraryAdmin.signIn(built);
    await admin.authorize(["ACTIVE"]);
    const token = (await tokenOf(built, AMELIA.subject)).body.access_token;
    const { body } = await containing(built, { kind: "server", server: built.server }, { effect: "revoke" });
    const path = `/v1/containments/${body.containment.id}`;
    await work(built);
    expect(built.simulator.isAccessTokenLive(token)).toBe(false);
    const seen = await built.client.call("GET", path);
    expect(seen.body).toMatchObject({
      effect: "revoke",
      progress: {
        finished: true,
        grants: 2,
        users: 2,
        libraries: 1,
        tokens: { all: 4, to_do: 0, given_up: 0 },
      },
    });
    const receipts = await built.client.call<{ items: { outcome: string; kind: string }[] }>(
      "GET",
      `${path}/receipts`,
    );
    expect(receipts.body.items).toHaveLength(4);
    expect(receipts.body.items[0]).toMatchObject({ attempts: 1, why: "" });

    const list = () =>
      built.client.call<{ items: { state: string; used_by: object[] }[] }>("GET", `${path}/reauthorizations`);
    expect((await list()).body.items.map(({ state }) => state)).toEqual(["needed", "needed"]);
    expect(JSON.stringify((await list()).body)).toContain(`${built.base}/servers/${built.server}/libraries`);
    await lifting(built, body.containment.id);
    expect(await codeOf(built, AMELIA.subject)).toBe("reauthorization_required");
    await built.connect(AMELIA);
    expect(await codeOf(built, AMELIA.subject)).toBe(200);
    expect((await list()).body.items.map(({ state }) => state).sort()).toEqual([
      "authorized_again",
      "needed",
    ]);
    const csv = await fetch(`${built.base}${path}/reauthorizations`, {
      headers: {
        accept: "text/csv",
        authorization: `Basic ${btoa(`${built.credentials.id}:${built.credentials.secret}`)}`,
      },
    });
    expect(csv.headers.get("content-type")).toContain("text/csv");
    expect(await csv.text()).toMatch(/^state,server,owner,.*\r\n(authorized_again|needed),srv_/);
  });

  it("a refused one waits with iManage's reason and is tried again; another organisation's does not wait for it", async () => {
    const built = await world();
    await built.connect();
    const refusing = { on: { route: "revoke" }, times: "always", do: { answer: { status: 503 } } } as const;
    built.simulator.addFault(refusing);
    const { body } = await containing(built, { kind: "server", server: built.server }, { effect: "revoke" });
    await work(built);
    const path = `/v1/containments/${body.containment.id}`;
    const seen = await built.client.call("GET", path);
    expect(seen.body).toMatchObject({
      progress: { finished: false, tokens: { all: 2, to_do: 2, refused: 2, revoked: 0 } },
    });
    expect(JSON.stringify(seen.body)).toContain("HTTP 503");
    built.simulator.clearFaults();
    await built.broker.revoker.revokeOf(built.organisation as OrganisationId);
    expect((await built.client.call("GET", path)).body).toMatchObject({
      progress: { finished: true, tokens: { to_do: 0, refused: 0 } },
    });
  });
});

describe("who may contain", () => {
  it("a client whose policy says so, in its organisations and at its servers; others' containments are not there", async () => {
    const built = await world();
    await built.connect();
    const other = await addOrganisation(built, {
      servers: { dms: { simulator: built.simulator } },
      clients: { app: {}, reader: { actions: ["token", "status"] }, limited: { servers: ["dms"] } },
    });
    const foreign = { kind: "organisation", organisation: other.organisation };
    expect((await containing(built, foreign)).body).toMatchObject({ code: "not_found" });
    const mine = await containing(built, { kind: "server", server: built.server });
    const stranger = other.clients.app;
    expect((await stranger.call("GET", `/v1/containments/${mine.body.containment.id}`)).status).toBe(404);
    expect(
      (await other.clients.reader.call("POST", "/v1/containments", { target: foreign, reason: "x" })).body,
    ).toMatchObject({
      code: "not_allowed",
    });
    // A rule for one server is none for its organisation.
    const { limited } = other.clients;
    expect((await limited.call("POST", "/v1/containments", { target: foreign, reason: "x" })).status).toBe(
      403,
    );
    const itsOwn = { kind: "server", server: other.servers.dms.id };
    expect((await limited.call("POST", "/v1/containments", { target: itsOwn, reason: "x" })).status).toBe(
      200,
    );
  });
});
