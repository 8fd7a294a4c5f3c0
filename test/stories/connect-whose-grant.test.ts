import { describe, expect, it } from "vitest";
import type { WalkingClient } from "../../scripts/walk/client.ts";
import { complete, connect, type Person } from "../../scripts/walk/connect.ts";
import type { OrganisationId } from "../../src/domain/id.ts";
import type { Simulator } from "../../src/simulator/start-simulator.ts";
import { dataKeysKey } from "../../src/store/keys.ts";
import { addOrganisation } from "../kit/additions.ts";
import {
  CASTELLAN,
  expectFailed,
  expectNothingStored,
  expectProblem,
  returned,
  storedNouns,
  tokenRequests,
} from "../kit/connecting.ts";
import { AMELIA, MOREAU, RETURN_URL, type World, world } from "../kit/world.ts";

const TOKEN_LIFE_MS = 30 * 60_000;

const tokenOf = ({ client, server }: { client: WalkingClient; server: string }, subject = AMELIA.subject) =>
  client.accessToken({ server, subject: { type: "user", id: subject } });

const grantOf = async (client: WalkingClient, id: string) =>
  (await client.call("GET", `/v1/grants/${id}`)).body;

async function ownerOf(base: string, accessToken: string): Promise<string> {
  const answer = await fetch(`${base}/api`, { headers: { "X-Auth-Token": accessToken } });
  const { data } = (await answer.json()) as { data: { user?: { id: string } } };
  return data.user?.id ?? "nobody";
}

const liveTokens = (simulator: Simulator, user: string): number =>
  simulator
    .truth()
    .families.filter(({ user_id }) => user_id === user)
    .flatMap(({ access_tokens }) => access_tokens)
    .filter(({ live }) => live).length;

const returnAs = (built: Pick<World, "client" | "server">, person: Person, subject: string) =>
  returned(built, person, subject);

describe("T10 someone of another iManage customer signs in", () => {
  it("is refused; what he authorised is revoked at iManage, nothing is stored, and a warning is logged", async () => {
    const built = await world({ prepare: (simulator) => simulator.setSwitches({ revoke: "family" }) });
    const { session, completion } = await returnAs(built, CASTELLAN, CASTELLAN.subject);
    const refused = await complete(built.client, session, completion, CASTELLAN.subject);
    expectProblem(refused, "customer_mismatch");
    const page = await expectFailed(built, built.client, session, "customer_mismatch");
    expect(page).not.toContain("6021");
    await expectNothingStored(built);

    const families = built.simulator.truth().families;
    expect(families).toHaveLength(1);
    expect(families[0]).toMatchObject({
      user_id: "s.castellan",
      ended_because: "revoked",
      can_refresh: false,
    });
    expect(liveTokens(built.simulator, "s.castellan")).toBe(0);
    const told = built.lines.map((line) => JSON.parse(line)).filter(({ level }) => level === "warn");
    expect(told).toContainEqual(expect.objectContaining({ code: "customer_mismatch", server: built.server }));
  });

  it("that iManage cannot be told is no reason to keep anything", async () => {
    const built = await world();
    built.simulator.addFault({ on: { route: "revoke" }, times: "always", do: { drop_before: "reset" } });
    const { session, completion } = await returnAs(built, CASTELLAN, CASTELLAN.subject);
    const refused = await complete(built.client, session, completion, CASTELLAN.subject);
    expectProblem(refused, "customer_mismatch");
    await expectNothingStored(built);
  });
});

describe("T11 someone else signs in again", () => {
  it("is refused; the old grant stays, its token is served, and it can still refresh", async () => {
    const built = await world();
    const connected = await built.connect();
    const before = await tokenOf(built);
    const { session, completion } = await returnAs(built, MOREAU, AMELIA.subject);
    const refused = await complete(built.client, session, completion, AMELIA.subject);
    expectProblem(refused, "upstream_user_changed");
    await expectFailed(built, built.client, session, "upstream_user_changed");
    expect(liveTokens(built.simulator, "e.moreau")).toBe(0);
    expect(await storedNouns(built, built.organisation)).toMatchObject({ grant: 1, binding: 1, consent: 1 });

    const after = await tokenOf(built);
    expect(after.body).toMatchObject({ access_token: before.body.access_token, grant: connected.body.grant });
    expect(await ownerOf(built.simulator.origin, after.body.access_token)).toBe("amelia.hart");
    expect(await grantOf(built.client, connected.body.grant!)).toMatchObject({
      consents: 1,
      state: "active",
    });
    built.advance(TOKEN_LIFE_MS);
    const fresh = await tokenOf(built);
    expect(await ownerOf(built.simulator.origin, fresh.body.access_token)).toBe("amelia.hart");
  });

  it("keeps his own grant working, whose refresh token this very sign-in may have ended", async () => {
    const built = await world({
      prepare: (simulator) => simulator.setSwitches({ new_consent: "ends_earlier_refresh_token" }),
    });
    await built.connect();
    const own = await built.connect(MOREAU);
    const { session, completion } = await returnAs(built, MOREAU, AMELIA.subject);
    expectProblem(await complete(built.client, session, completion, AMELIA.subject), "upstream_user_changed");
    for (const elapsed of [0, TOKEN_LIFE_MS, TOKEN_LIFE_MS]) {
      built.advance(elapsed);
      for (const [person, user] of [
        [AMELIA, "amelia.hart"],
        [MOREAU, "e.moreau"],
      ] as const) {
        const token = await tokenOf(built, person.subject);
        expect(token.body, `${user} after ${elapsed}`).toHaveProperty("access_token");
        expect(await ownerOf(built.simulator.origin, token.body.access_token)).toBe(user);
      }
    }
    expect(await grantOf(built.client, own.body.grant!)).toMatchObject({ owner: { user_id: "e.moreau" } });
    expect(await storedNouns(built, built.organisation)).toMatchObject({ grant: 2, binding: 2 });
  });

  it("two who sign in for one subject at the same moment: one is bound, and nobody is replaced in silence", async () => {
    const built = await world();
    for (let round = 0; round < 5; round++) {
      const subject = `u-round-${round}`;
      const both = [
        { user: "amelia.hart", ...(await returnAs(built, AMELIA, subject)) },
        { user: "e.moreau", ...(await returnAs(built, MOREAU, subject)) },
      ];
      const answers = await Promise.all(
        both.map(({ session, completion }) => complete(built.client, session, completion, subject)),
      );
      const winner = answers.findIndex(({ status }) => status === 200);
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409]);
      expectProblem(answers[1 - winner]!, "upstream_user_changed");
      const token = await tokenOf(built, subject);
      expect(await ownerOf(built.simulator.origin, token.body.access_token)).toBe(both[winner]!.user);
    }
  });
});

describe("one iManage user, one grant", () => {
  it("who authorises again keeps one grant, of the second generation, and its newest tokens", async () => {
    const built = await world();
    const first = await built.connect();
    const before = await tokenOf(built);
    const second = await built.connect();
    expect(second.body.grant).toBe(first.body.grant);
    expect(await grantOf(built.client, first.body.grant!)).toMatchObject({ consents: 2, state: "active" });
    const after = await tokenOf(built);
    expect(after.body.access_token).not.toBe(before.body.access_token);
    built.advance(TOKEN_LIFE_MS);
    const fresh = await tokenOf(built);
    expect(await ownerOf(built.simulator.origin, fresh.body.access_token)).toBe("amelia.hart");
    const list = await built.client.call<{ items: object[] }>(
      "GET",
      `/v1/grants?organisation=${built.organisation}`,
    );
    expect(list.body.items).toHaveLength(1);
  });

  it("two sign-ins of one person that are completed together make one grant that can refresh", async () => {
    const built = await world();
    const [a, b] = [await returned(built), await returned(built, AMELIA, "u-amelia-elsewhere")];
    // Where iManage gives two within the same few milliseconds, which of them ended the other is its secret: the wrong one
    // may be kept, and its refusal asks for another sign-in. Here the first has come to its end before the second.
    built.simulator.addFault({ on: { route: "token", nth: 2 }, do: { hold_before: true } });
    const both = [
      complete(built.client, a.session, a.completion, AMELIA.subject),
      complete(built.client, b.session, b.completion, "u-amelia-elsewhere"),
    ];
    await Promise.race(both);
    built.simulator.clearFaults();
    const answers = await Promise.all(both);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(answers[0]!.body.grant).toBe(answers[1]!.body.grant);
    const grant = await grantOf(built.client, answers[0]!.body.grant!);
    expect(grant.used_by).toHaveLength(2);
    built.advance(TOKEN_LIFE_MS);
    expect((await tokenOf(built)).status).toBe(200);
  });

  it("a sign-in that is overtaken by a later one of the same person does not put its dead token in the place of the live one", async () => {
    const built = await world({
      prepare: (simulator) => simulator.setSwitches({ new_consent: "ends_earlier_refresh_token" }),
    });
    const { simulator, client } = built;
    const [slow, quick] = [await returned(built), await returned(built, AMELIA, "u-amelia-elsewhere")];
    // Its code is redeemed, and then iManage takes its time to say whose it is.
    simulator.addFault({ on: { route: "discovery" }, do: { hold_before: true } });
    const overtaken = complete(client, slow.session, slow.completion, AMELIA.subject);
    await simulator.waitFor(() => simulator.held().length === 1);
    const later = await complete(client, quick.session, quick.completion, "u-amelia-elsewhere");
    expect(later.body).toMatchObject({ state: "connected" });
    simulator.release();
    expect((await overtaken).body).toMatchObject({ state: "connected", grant: later.body.grant });

    built.advance(TOKEN_LIFE_MS);
    for (const subject of [AMELIA.subject, "u-amelia-elsewhere"]) {
      const token = await tokenOf(built, subject);
      expect(token.body).toHaveProperty("access_token");
      expect(await ownerOf(simulator.origin, token.body.access_token)).toBe("amelia.hart");
    }
    expect(await grantOf(client, later.body.grant!)).toMatchObject({ state: "active", last_problem: null });
  });

  it("two clients of one person share the grant, and each sees of the other only that it is there", async () => {
    const { built, firm, tracker, drafts } = await twoClients();
    expect(drafts.connected.body.grant).toBe(tracker.connected.body.grant);
    expect(await storedNouns(built, firm.organisation)).toMatchObject({ grant: 1, consent: 1, binding: 2 });
    const seen = await grantOf(tracker.client, tracker.connected.body.grant!);
    expect(seen.used_by).toHaveLength(2);
    expect(seen.used_by).toContainEqual(
      expect.objectContaining({ client: tracker.client.id, subject: "u-in-tracker" }),
    );
    expect(seen.used_by).toContainEqual(expect.objectContaining({ client: drafts.client.id, subject: null }));
    const [one, other] = [await tokenOf(tracker, "u-in-tracker"), await tokenOf(drafts, "u-in-drafts")];
    expect(one.body.access_token).toBe(other.body.access_token);
    // A subject is its own client's word: the other's means nothing here.
    expectProblem(await tokenOf(drafts, "u-in-tracker"), "authorization_required");
  });

  it("deleting ends it for every client and replica at once, and revokes it at iManage", async () => {
    const { built, firm, tracker, drafts } = await twoClients();
    const { simulator } = built;
    const { base } = await built.replica();
    const token = await tokenOf({ ...tracker, client: firm.clientAt("tracker", base) }, "u-in-tracker");
    expect(token.status).toBe(200);

    const revoked = simulator.waitFor((event) => event?.type === "revoked");
    const grant = tracker.connected.body.grant!;
    expect((await drafts.client.call("DELETE", `/v1/grants/${grant}`)).status).toBe(204);
    const served = await Promise.all([
      tokenOf({ ...tracker, client: firm.clientAt("tracker", base) }, "u-in-tracker"),
      tokenOf(tracker, "u-in-tracker"),
      tokenOf({ ...drafts, client: firm.clientAt("drafts", base) }, "u-in-drafts"),
      tokenOf(drafts, "u-in-drafts"),
    ]);
    for (const refused of served) expectProblem(refused, "authorization_required");
    expectProblem(await tracker.client.call("DELETE", `/v1/grants/${grant}`), "not_found");

    await revoked;
    await built.broker.revoker.settled();
    expect(simulator.truth().families.map(({ can_refresh }) => can_refresh)).toEqual([false, false]);
    expect(await ownerOf(simulator.origin, token.body.access_token)).toBe("nobody");
    expect(await storedNouns(built, built.organisation)).not.toHaveProperty("grant");
  });

  it("after deleting, the same person may begin anew", async () => {
    const built = await world({ prepare: (simulator) => simulator.setSwitches({ revoke: "family" }) });
    const first = await built.connect();
    const revoked = built.simulator.waitFor((event) => event?.type === "revoked");
    await built.client.call("DELETE", `/v1/grants/${first.body.grant}`);
    await revoked;
    const second = await built.connect();
    expect(second.body).toMatchObject({ state: "connected" });
    expect(second.body.grant).not.toBe(first.body.grant);
    await built.broker.revoker.revokeOf(built.organisation as OrganisationId);
    expect((await tokenOf(built)).status).toBe(200);
    built.advance(TOKEN_LIFE_MS);
    expect((await tokenOf(built)).status).toBe(200);
  });
});

describe("revocations that wait", () => {
  it("of one organisation do not wait for another whose key is gone", async () => {
    const built = await world({ prepare: (simulator) => simulator.setSwitches({ revoke: "family" }) });
    const { simulator } = built;
    const shredded = await addOrganisation(built, {
      servers: { dms: { simulator } },
      clients: { app: {} },
    });
    const away = simulator.addFault({
      on: { route: "revoke" },
      times: "always",
      do: { answer: { status: 503 } },
    });
    const own = await built.connect();
    const server = shredded.servers.dms.id;
    const theirs = await connect(shredded.clients.app, { server, returnUrl: RETURN_URL }, MOREAU);
    await built.client.call("DELETE", `/v1/grants/${own.body.grant}`);
    await shredded.clients.app.call("DELETE", `/v1/grants/${theirs.body.grant}`);
    await built.broker.revoker.settled();
    expect(liveTokens(simulator, "amelia.hart")).toBe(1);

    simulator.clearFaults(away);
    // Another process, which has no key in memory, and finds the organisation's deleted.
    const { broker } = await built.replica();
    const keys = dataKeysKey(`o:${shredded.organisation.slice(4)}`);
    expect(await broker.stores.fast.call((redis) => redis.del(keys))).toBe(1);
    await broker.revoker.revokeAll();
    expect(liveTokens(simulator, "amelia.hart")).toBe(0);
    expect(simulator.truth().families.filter(({ user_id }) => user_id === "amelia.hart")).toMatchObject([
      { can_refresh: false },
    ]);
  });
});

async function twoClients() {
  const built = await world({ prepare: (simulator) => simulator.setSwitches({ revoke: "family" }) });
  const firm = await addOrganisation(built, {
    servers: { dms: { simulator: built.simulator } },
    clients: { tracker: {}, drafts: {} },
  });
  const server = firm.servers.dms.id;
  const as = async (client: WalkingClient, subject: string) => ({
    client,
    server,
    connected: await connect(client, { server, returnUrl: RETURN_URL }, { ...AMELIA, subject }),
  });
  const tracker = await as(firm.clients.tracker, "u-in-tracker");
  const drafts = await as(firm.clients.drafts, "u-in-drafts");
  expect(tokenRequests(built.simulator)).toBe(2);
  return { built, firm, tracker, drafts };
}
