import { expect, it } from "vitest";
import { checkStandings } from "../../src/broker/libraries/check-standings.ts";
import { listLibraryViews } from "../../src/broker/libraries/library-pages.ts";
import { hours, minutes, seconds } from "../../src/domain/instant.ts";
import { LibraryAdmin, OKAFOR } from "../kit/library-admin.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { AMELIA, type World, world } from "../kit/world.ts";

const tokenOf = (built: World, library: string) =>
  built.client.accessToken({ server: built.server, subject: { type: "library", id: library } });

const libraryOf = async (built: World, library: string) =>
  (await built.client.call<Record<string, unknown>>("GET", `/v1/libraries/${built.server}/${library}`)).body;

/** The job, at a time when the library is due. */
async function look(built: World, laterMs: number) {
  built.advance(laterMs);
  return built.broker.workerStories.checkStandings();
}

const admins = (built: World, ...users: readonly string[]) =>
  built.simulator.libraries.patch(5948, "ACTIVE", { nrtadmin_group: [...users], nrtadmin_role: [...users] });

const audited = async (built: World) =>
  (await built.broker.auditBuffer.read(built.organisation as never, 0, 1_000)).map(({ fields }) => fields);

/** On a Redis of its own: the job looks after every organisation that it finds. */
async function lent(libraries: readonly string[] = ["ACTIVE"]) {
  const { url } = await ownRedisForThisTest();
  const built = await world({ redisUrl: url });
  const amelia = await LibraryAdmin.signIn(built);
  await amelia.authorize(libraries);
  return { built, amelia };
}

it("a lost role that is seen twice parks the library, says who must act, and a role given back lifts it", async () => {
  const { built, amelia } = await lent(["ACTIVE", "TEMPLATES"]);
  const sync = await built.client.call<{ id: string }>("POST", "/v1/syncs", {
    server: built.server,
    library: "ACTIVE",
  });
  const run = () => built.broker.workerStories.runSync(sync.body.id as never, new AbortController().signal);
  await run();
  admins(built, "b.okafor");

  await look(built, hours(2));
  expect((await tokenOf(built, "ACTIVE")).status).toBe(200);
  expect(await libraryOf(built, "ACTIVE")).toMatchObject({ state: "authorized", trouble: null });

  await look(built, minutes(5));
  expect(await tokenOf(built, "ACTIVE")).toMatchObject({
    status: 409,
    body: { code: "library_role_lost", remedy: "resource-owner" },
  });
  expect((await tokenOf(built, "TEMPLATES")).status).toBe(200);
  const shown = await libraryOf(built, "ACTIVE");
  expect(shown).toMatchObject({
    state: "needs_attention",
    trouble: {
      code: "role_lost",
      who: "library_admin",
      sentence: "Amelia Hart has no NRTADMIN access to the library any more.",
      tokens_refused: true,
    },
  });
  // He sees it on the page too, though it is his no more; and may withdraw it.
  const views = await listLibraryViews(amelia.ports, amelia.signedIn);
  expect(views.find(({ library }) => library === "ACTIVE")?.trouble?.code).toBe("role_lost");
  built.advance(seconds(301));
  expect(await run()).toEqual({ kind: "parked", code: "library_role_lost" });

  admins(built, "amelia.hart");
  await look(built, minutes(10));
  expect((await tokenOf(built, "ACTIVE")).status).toBe(200);
  built.advance(seconds(31));
  expect(await run()).toMatchObject({ kind: "complete" });
  const acts = (await audited(built)).filter(({ action }) => /^library\.(parked|lifted)$/.test(action ?? ""));
  expect(acts).toMatchObject([
    { action: "library.parked", library: "ACTIVE", why: "role_lost" },
    { action: "library.lifted", library: "ACTIVE", why: "role_lost" },
  ]);
});

it("an iManage that is away, or asks for time, parks nothing, however often", async () => {
  const { built } = await lent();
  for (const status of [503, 429]) {
    built.simulator.addFault({ on: { route: "api" }, times: "always", do: { answer: { status } } });
    for (let i = 0; i < 4; i++) await look(built, hours(2));
    built.simulator.clearFaults();
  }
  expect(await libraryOf(built, "ACTIVE")).toMatchObject({ trouble: null });
  expect((await tokenOf(built, "ACTIVE")).status).toBe(200);
});

it("a library that iManage lists no more is shown, and its tokens are refused as that", async () => {
  const { built } = await lent();
  built.simulator.libraries.remove(5948, "ACTIVE");
  await look(built, hours(2));
  await look(built, minutes(5));
  expect((await tokenOf(built, "ACTIVE")).body.code).toBe("library_gone");
  expect(await libraryOf(built, "ACTIVE")).toMatchObject({ trouble: { code: "library_gone" } });
});

it("another admin who takes over lifts what the one before was parked for, at once", async () => {
  const { built } = await lent();
  admins(built, "b.okafor");
  await look(built, hours(2));
  await look(built, minutes(5));
  expect((await tokenOf(built, "ACTIVE")).body.code).toBe("library_role_lost");
  await (await LibraryAdmin.signIn(built, OKAFOR)).authorize(["ACTIVE"], { replaces: ["amelia.hart"] });
  expect((await tokenOf(built, "ACTIVE")).status).toBe(200);
  expect(await libraryOf(built, "ACTIVE")).toMatchObject({ state: "authorized", trouble: null });
});

it("a look that was under way while the owner authorized again does not park the library anew", async () => {
  const { built, amelia } = await lent();
  admins(built, "b.okafor");
  await look(built, hours(2));
  await look(built, minutes(5));
  expect((await tokenOf(built, "ACTIVE")).body.code).toBe("library_role_lost");
  admins(built, "amelia.hart");
  built.advance(minutes(10));
  const { libraryPages, configuration } = built.broker;
  const looked = await checkStandings({
    ...libraryPages,
    organisations: configuration,
    libraries: {
      ...libraryPages.libraries,
      async listLibraries() {
        await amelia.authorize(["ACTIVE"]);
        return { kind: "unavailable", reason: "timeout" };
      },
    },
  });
  expect(looked).toBe(1);
  expect((await tokenOf(built, "ACTIVE")).status).toBe(200);
  expect(await libraryOf(built, "ACTIVE")).toMatchObject({ state: "authorized", trouble: null });
});

it("a refresh that fails is a reason to look at once, long before it would be time", async () => {
  const { built } = await lent();
  await look(built, hours(2));
  expect(await look(built, minutes(2))).toBe(0);
  built.simulator.addFault({ on: { route: "token" }, times: 1, do: { answer: { status: 503 } } });
  const grant = (await tokenOf(built, "ACTIVE")).body.grant;
  await built.broker.refresher.refresh(grant as never, { why: "expired", minTtlMs: hours(1) });
  expect(await look(built, minutes(2))).toBe(1);
});

it("an owner who left is told from one of whom iManage does not say what happened to him", async () => {
  const { built } = await lent(["ACTIVE", "TEMPLATES"]);
  // A colleague administers ACTIVE too. He lent another library, so that his authorisation may be used for the service.
  const okafor = await LibraryAdmin.signIn(built, OKAFOR);
  await listLibraryViews(okafor.ports, okafor.signedIn);
  await end(built);
  const codeOf = async (library: string) =>
    ((await libraryOf(built, library)).trouble as { code: string } | null)?.code;
  await look(built, minutes(2));
  expect(await codeOf("ACTIVE")).toBe("authorization_ended");
  await okafor.authorize(["LITIGATION"]);
  await look(built, hours(2));
  expect(await codeOf("ACTIVE")).toBe("owner_blocked_or_signed_out");
  built.simulator.users.remove(5948, "amelia.hart");
  await look(built, hours(2));
  expect(await codeOf("ACTIVE")).toBe("owner_left");
});

/** iManage ends the authorisation of Amelia, and three refusals over two minutes are believed. */
async function end(built: World) {
  built.simulator.endFamilies({ user: AMELIA.username });
  built.advance(minutes(31));
  for (let i = 0; i < 4; i++) {
    await tokenOf(built, "ACTIVE");
    built.advance(seconds(61));
  }
  expect((await tokenOf(built, "ACTIVE")).body.code).toBe("reauthorization_required");
}

it("each library token's audit entry names who lent the authorisation", async () => {
  const { built } = await lent();
  await tokenOf(built, "ACTIVE");
  const [issued] = (await audited(built)).filter(({ action }) => action === "token.issued");
  expect(issued).toMatchObject({ subject: "library", library: "ACTIVE", lent_by: "5948/amelia.hart" });
});

it("a Tracker-like product reads all that it needs to draw its own page, page by page", async () => {
  const { built } = await lent(["ACTIVE"]);
  const okafor = await LibraryAdmin.signIn(built, OKAFOR);
  for (const admin of [okafor, await LibraryAdmin.signIn(built)])
    await listLibraryViews(admin.ports, admin.signedIn);
  await tokenOf(built, "ACTIVE");
  const list = (query: string) =>
    built.client.call<{ items: Record<string, unknown>[]; next: string | null; counts: object }>(
      "GET",
      `/v1/libraries?server=${built.server}&${query}`,
    );
  const first = (await list("limit=2")).body;
  expect(first.counts).toEqual({ libraries: 3, unauthorized: 2, authorized: 1, needs_attention: 0 });
  expect(first.items).toMatchObject([
    {
      library: "ACTIVE",
      state: "authorized",
      lent_by: { user_id: "amelia.hart" },
      live_admins: 2,
      used_by: [{ display_name: "Matter tracker", last_token_at: expect.any(String), sync: null }],
    },
    { library: "LITIGATION", state: "unauthorized", lent_by: null, used_by: [] },
  ]);
  const rest = (await list(`limit=2&cursor=${first.next}`)).body;
  expect(rest).toMatchObject({ items: [{ library: "TEMPLATES", hidden: true }], next: null });

  const withdrawn = await built.client.call("DELETE", `/v1/libraries/${built.server}/ACTIVE`);
  expect(withdrawn.status).toBe(204);
  expect((await tokenOf(built, "ACTIVE")).body.code).toBe("authorization_required");
  expect((await built.client.call("DELETE", `/v1/libraries/${built.server}/ACTIVE`)).status).toBe(404);
});
