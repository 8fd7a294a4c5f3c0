import { describe, expect, it } from "vitest";
import { withdrawLibrary } from "../../src/broker/libraries/library-pages.ts";
import { minutes, seconds } from "../../src/domain/instant.ts";
import { revocationsKey } from "../../src/store/keys.ts";
import { checkInvariants } from "../kit/invariants.ts";
import { LibraryAdmin, NOTE, OKAFOR, VOSS } from "../kit/library-admin.ts";
import { put } from "../kit/put-records.ts";
import { AMELIA, MOREAU, type World, world } from "../kit/world.ts";

const TOKEN_LIFE_MS = minutes(30);

const tokenOf = (built: World, library: string) =>
  built.client.accessToken({ server: built.server, subject: { type: "library", id: library } });

/** The worker's turn, for this organisation alone: others use this Redis. */
const revoke = (built: World) => built.broker.revoker.revokeOf(built.organisation as never);

/** Does iManage accept it? */
async function lives(built: World, token: string): Promise<boolean> {
  return built.simulator.isAccessTokenLive(token);
}

describe("one sign-in for many libraries", () => {
  it("authorizes all of them with one grant, and names those that he does not administer", async () => {
    const built = await world();
    const admin = await LibraryAdmin.signIn(built);
    const { libraries } = await admin.authorize(["ACTIVE", "LITIGATION", "TEMPLATES", "NOWHERE"]);
    expect(libraries).toEqual([
      { library: "ACTIVE", outcome: "authorized" },
      { library: "LITIGATION", outcome: "not_library_admin" },
      { library: "TEMPLATES", outcome: "authorized" },
      { library: "NOWHERE", outcome: "not_library_admin" },
    ]);
    const [active, templates] = [await tokenOf(built, "ACTIVE"), await tokenOf(built, "TEMPLATES")];
    expect([active.status, templates.status]).toEqual([200, 200]);
    expect(active.body.grant).toBe(templates.body.grant);
    expect((await tokenOf(built, "LITIGATION")).body.code).toBe("authorization_required");
    // One sign-in to the page and one for the libraries: two consents, one grant.
    expect(built.simulator.counts().routes.token).toBe(2);
    expect((await checkInvariants(built)).broken).toEqual([]);
  });

  it("refuses where he administers none of them, and keeps what the consent gave to his own grant", async () => {
    const built = await world();
    const connected = await built.connect(MOREAU);
    const nobody = await LibraryAdmin.signIn(built, MOREAU);
    await expect(nobody.authorize(["ACTIVE", "TEMPLATES"])).rejects.toMatchObject({
      code: "not_library_admin",
    });
    built.advance(TOKEN_LIFE_MS);
    const own = await built.client.accessToken({
      server: built.server,
      subject: { type: "user", id: MOREAU.subject },
    });
    expect(own.body).toMatchObject({ grant: connected.body.grant });
  });

  it("lets each be withdrawn alone; the last one ends the grant at iManage too", async () => {
    const built = await world();
    const admin = await LibraryAdmin.signIn(built);
    await admin.authorize(["ACTIVE", "TEMPLATES"]);
    const { access_token: held } = (await tokenOf(built, "ACTIVE")).body;
    const withdraw = (library: string) => admin.withdraw(library);
    await withdraw("ACTIVE");
    expect((await tokenOf(built, "ACTIVE")).body.code).toBe("authorization_required");
    expect((await tokenOf(built, "TEMPLATES")).status).toBe(200);
    await revoke(built);
    expect(await lives(built, held)).toBe(true);
    await withdraw("TEMPLATES");
    await revoke(built);
    expect(await lives(built, held)).toBe(false);
  });
});

const lentByAmelia = async () => {
  const built = await world();
  await (await LibraryAdmin.signIn(built)).authorize(["ACTIVE"]);
  return built;
};

describe("T11 another admin's authorisation", () => {
  it("is not replaced by who was not told of it: 409 upstream_user_changed, both identities masked, the old grant intact", async () => {
    const built = await lentByAmelia();
    const before = (await tokenOf(built, "ACTIVE")).body;
    const okafor = await LibraryAdmin.signIn(built, OKAFOR);
    await expect(okafor.authorize(["ACTIVE"])).rejects.toMatchObject({
      code: "upstream_user_changed",
      details: {
        members: {
          library: "ACTIVE",
          authorized_by: "a***@hartlowell.example",
          signed_in_as: "b***@hartlowell.example",
        },
      },
    });
    expect((await tokenOf(built, "ACTIVE")).body).toMatchObject({
      grant: before.grant,
      fingerprint: before.fingerprint,
    });
  });

  it("is not replaced by who agreed to take another's place than is there when he comes back", async () => {
    const built = await world();
    built.simulator.libraries.patch(5948, "ACTIVE", {
      nrtadmin_role: ["amelia.hart", "b.okafor", "clara.voss"],
      nrtadmin_group: [],
    });
    const [amelia, okafor, voss] = await Promise.all(
      [AMELIA, OKAFOR, VOSS].map((person) => LibraryAdmin.signIn(built, person)),
    );
    await amelia!.authorize(["ACTIVE"]);
    const late = okafor!.authorize(["ACTIVE"], {
      replaces: ["amelia.hart"],
      before: () => voss!.authorize(["ACTIVE"], { replaces: ["amelia.hart"] }),
    });
    await expect(late).rejects.toMatchObject({ code: "upstream_user_changed" });
    expect(await built.broker.libraryStore.findLibrary(built.server, "ACTIVE")).toMatchObject({
      lentBy: { userId: "clara.voss" },
    });
  });

  it("is not touched by who signs in at iManage as somebody else than on the page", async () => {
    const built = await lentByAmelia();
    const before = (await tokenOf(built, "ACTIVE")).body;
    const amelia = await LibraryAdmin.signIn(built);
    await expect(amelia.authorize(["ACTIVE"], { as: OKAFOR })).rejects.toMatchObject({
      code: "upstream_user_mismatch",
      details: {
        members: { expected: "a***@hartlowell.example", signed_in_as: "b***@hartlowell.example" },
      },
    });
    expect((await tokenOf(built, "ACTIVE")).body.grant).toBe(before.grant);
  });
});

it("of an organisation that is switched off nobody signs in or lends, not even who left for iManage before; to withdraw stays", async () => {
  const built = await lentByAmelia();
  const [amelia, okafor] = [await LibraryAdmin.signIn(built), await LibraryAdmin.signIn(built, OKAFOR)];
  const { configuration } = built.broker;
  const redeemed = () => built.simulator.counts().routes.token;
  const before = redeemed();
  const switchOff = async () => {
    const organisation = (await configuration.findOrganisation(built.organisation as never))!;
    await put.organisation(configuration, { ...organisation, enabled: false });
  };
  const off = { code: "organisation_disabled" };
  await expect(amelia.authorize(["TEMPLATES"], { before: switchOff })).rejects.toMatchObject(off);
  await expect(LibraryAdmin.signIn(built)).rejects.toMatchObject(off);
  await expect(okafor.authorize(["LITIGATION"])).rejects.toMatchObject(off);
  expect(redeemed()).toBe(before);
  await amelia.withdraw("ACTIVE");
  expect(await built.broker.libraryStore.findLibrary(built.server, "ACTIVE")).toBeUndefined();
});

describe("withdrawing", () => {
  it("by who lent it takes nothing from the one who took his place at that very moment", async () => {
    const built = await lentByAmelia();
    const [amelia, okafor] = [await LibraryAdmin.signIn(built), await LibraryAdmin.signIn(built, OKAFOR)];
    built.simulator.libraries.patch(5948, "ACTIVE", {
      nrtadmin_role: ["b.okafor"],
      nrtadmin_group: ["b.okafor"],
    });
    const { lent } = amelia.ports;
    const between: typeof lent = {
      listLibraries: (...of) => lent.listLibraries(...of),
      lendLibraries: (...of) => lent.lendLibraries(...of),
      withdrawLibrary: (...of) => lent.withdrawLibrary(...of),
      async findLibrary(...of) {
        const found = await lent.findLibrary(...of);
        if (found?.lentBy.userId === "amelia.hart")
          await okafor.authorize(["ACTIVE"], { replaces: ["amelia.hart"] });
        return found;
      },
    };
    const withdrawn = withdrawLibrary({ ...amelia.ports, lent: between }, amelia.signedIn, "ACTIVE", NOTE);
    // His own authorization was the one that was replaced: what he may do now iManage cannot be asked.
    await expect(withdrawn).rejects.toMatchObject({ code: "reauthorization_required" });
    expect(await lent.findLibrary(built.server, "ACTIVE")).toMatchObject({ lentBy: { userId: "b.okafor" } });
  });
});

it("T22 a token that cannot be opened keeps no other from being revoked, however many of them wait in front", async () => {
  const built = await lentByAmelia();
  const [amelia, okafor] = [await LibraryAdmin.signIn(built), await LibraryAdmin.signIn(built, OKAFOR)];
  await okafor.authorize(["LITIGATION"]);
  const held = (await tokenOf(built, "LITIGATION")).body;
  const redis = built.broker.stores.fast.connection;
  const key = revocationsKey(built.organisation as never);
  await amelia.withdraw("ACTIVE");
  const [[, entry]] = (await redis.xrange(key, "-", "+", "COUNT", 1)) as [[string, string[]]];
  const damaged = entry.map((value, i) => (entry[i - 1] === "sealed" ? `${value.slice(0, -4)}AAAA` : value));
  for (let i = 0; i < 60; i++) await redis.xadd(key, "*", ...damaged);
  await okafor.withdraw("LITIGATION");
  await revoke(built);
  expect(await lives(built, held.access_token)).toBe(false);
  // Kept, for whoever brings the record back.
  expect(await redis.xlen(key)).toBe(60);
});

describe("replacing the owner", () => {
  it("keeps what was handed out alive to its last half minute, and ends the earlier authorisation at iManage while that can", async () => {
    const built = await world({ prepare: (simulator) => simulator.setSwitches({ revoke: "family" }) });
    await (await LibraryAdmin.signIn(built)).authorize(["ACTIVE"]);
    const handedOut = (await tokenOf(built, "ACTIVE")).body;
    built.advance(minutes(10));
    const okafor = await LibraryAdmin.signIn(built, OKAFOR);
    await okafor.authorize(["ACTIVE"], { replaces: ["amelia.hart"] });
    const now = (await tokenOf(built, "ACTIVE")).body;
    expect(now.grant).not.toBe(handedOut.grant);
    expect(await built.broker.grantStore.findGrant(handedOut.grant as never)).toBeUndefined();

    await revoke(built);
    expect(await lives(built, handedOut.access_token)).toBe(true);
    expect(built.simulator.counts().routes.revoke).toBeUndefined();
    built.advance(minutes(20) - seconds(29));
    await revoke(built);
    expect(built.simulator.counts().routes.revoke).toBeGreaterThan(0);
    const amelias = built.simulator.truth().families.filter(({ user_id }) => user_id === "amelia.hart");
    expect(amelias.map(({ ended_because }) => ended_because)).toEqual(["new_consent", "revoked"]);
    expect((await checkInvariants(built)).broken).toEqual([]);
  });

  it("also spares it what a refresh brings that was under way, and belongs to nobody by then", async () => {
    const built = await world({
      prepare: (simulator) => simulator.setSwitches({ revoke: "family", old_access_token: "survives" }),
    });
    await (await LibraryAdmin.signIn(built)).authorize(["ACTIVE"]);
    const handedOut = (await tokenOf(built, "ACTIVE")).body;
    const okafor = await LibraryAdmin.signIn(built, OKAFOR);
    built.simulator.addFault({
      on: { route: "token", grant_type: "refresh_token" },
      times: 1,
      do: { hold_before: true },
    });
    const refreshing = built.broker.refresher.refresh(handedOut.grant as never, {
      why: "rejected",
      fingerprint: handedOut.fingerprint,
    });
    await built.simulator.waitFor(() => built.simulator.held().length === 1);
    await okafor.authorize(["ACTIVE"], { replaces: ["amelia.hart"] });
    built.simulator.release();
    await refreshing;

    await revoke(built);
    expect(await lives(built, handedOut.access_token)).toBe(true);
    built.advance(TOKEN_LIFE_MS + seconds(1));
    await revoke(built);
    expect(built.simulator.counts().routes.revoke).toBe(4);
  });

  it("leaves iManage alone where the earlier owner has signed in again meanwhile", async () => {
    const built = await world();
    await (await LibraryAdmin.signIn(built)).authorize(["ACTIVE"]);
    await (await LibraryAdmin.signIn(built, OKAFOR)).authorize(["ACTIVE"], { replaces: ["amelia.hart"] });
    await (await LibraryAdmin.signIn(built)).authorize(["TEMPLATES"]);
    built.advance(TOKEN_LIFE_MS + seconds(1));
    await revoke(built);
    expect(built.simulator.counts().routes.revoke).toBeUndefined();
    expect((await tokenOf(built, "TEMPLATES")).status).toBe(200);
  });

  it("fails no call for a token while it happens, again and again, and iManage takes each of them", async () => {
    const built = await world();
    const forMs = Number(process.env.TEST_REPLACING_SECONDS ?? "3") * 1_000;
    const [amelia, okafor] = [await LibraryAdmin.signIn(built), await LibraryAdmin.signIn(built, OKAFOR)];
    await amelia.authorize(["ACTIVE"]);

    const until = performance.now() + forMs;
    const answers: Record<number, number> = {};
    const dead: string[] = [];
    let over = false;
    const caller = async () => {
      while (!over) {
        const { status, body } = await tokenOf(built, "ACTIVE");
        answers[status] = (answers[status] ?? 0) + 1;
        if (status === 200 && !(await lives(built, body.access_token))) dead.push(body.fingerprint);
      }
    };
    const callers = Promise.all(Array.from({ length: 4 }, caller));
    let replacements = 0;
    for (let turn = okafor; performance.now() < until; replacements++) {
      const other = turn === okafor ? amelia : okafor;
      await turn.authorize(["ACTIVE"], { replaces: [other.person.username] });
      await revoke(built);
      turn = other;
    }
    over = true;
    await callers;
    console.log(
      `${replacements} replacements under ${answers[200]} calls for a token: ${JSON.stringify(answers)}`,
    );
    expect(replacements).toBeGreaterThan(1);
    expect(Object.keys(answers)).toEqual(["200"]);
    expect(dead).toEqual([]);
  });
});
