import { expect, it } from "vitest";
import { contain, liftContainment } from "../../src/broker/containment/contain.ts";
import { buildCli, type CliDeps } from "../../src/cli/build-cli.ts";
import { EVENT_KINDS, EVERY_EVENT, type EventKind } from "../../src/domain/event-kinds.ts";
import type { ClientId, GrantId, OrganisationId } from "../../src/domain/id.ts";
import { days, hours, minutes, seconds } from "../../src/domain/instant.ts";
import { grantKey } from "../../src/store/keys.ts";
import { anotherClient } from "../kit/another-client.ts";
import { EventFollower } from "../kit/event-follower.ts";
import { expireSoon } from "../kit/expire.ts";
import { LibraryAdmin, OKAFOR } from "../kit/library-admin.ts";
import { ruleOf } from "../kit/policies.ts";
import { put } from "../kit/put-records.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { AMELIA, MOREAU, type World, world } from "../kit/world.ts";

/** On a Redis of its own: the jobs look after every organisation that they find. */
async function twoClients() {
  const here = await world({ redisUrl: (await ownRedisForThisTest()).url });
  const other = await anotherClient(here);
  const organisation = here.organisation as OrganisationId;
  const { configuration } = here.broker;
  const { policy } = await configuration.findPolicy(other.id as never, organisation);
  await put.policy(configuration, {
    ...policy!,
    rules: [
      ruleOf({ actions: ["token", "connect"] }),
      ruleOf({ actions: ["events"], libraries: ["TEMPLATES"] }),
    ],
  });
  return {
    here,
    organisation,
    other,
    one: new EventFollower(here.client, organisation),
    two: new EventFollower(other, organisation),
  };
}

const user = { type: "user", id: AMELIA.subject } as const;

const admins = (here: World, ...users: readonly string[]) =>
  here.simulator.libraries.patch(5948, "ACTIVE", { nrtadmin_group: [...users], nrtadmin_role: [...users] });

/** iManage ends the authorizations of a user, and three refusals over two minutes are believed. */
async function end(here: World, username: string) {
  here.simulator.endFamilies({ user: username });
  here.advance(minutes(31));
  for (let i = 0; i < 5; i++) {
    await here.client.accessToken({ server: here.server, subject: user });
    here.advance(seconds(61));
  }
}

async function look(here: World, laterMs: number) {
  here.advance(laterMs);
  await here.broker.workerStories.checkStandings();
}

it("an authorization from its beginning to its end: each client is told what is its own, in order, and of nobody else", async () => {
  const { here, organisation, other, one, two } = await twoClients();
  const { broker, server, simulator } = here;
  const both = async () => [await one.news(), await two.news()];

  await here.connect();
  expect(await both()).toEqual([["grant.authorized u-amelia"], []]);

  // The same person lends two libraries, of which the other client may know one.
  const amelia = await LibraryAdmin.signIn(here);
  await amelia.authorize(["ACTIVE", "TEMPLATES"]);
  await one.news();
  expect(await two.news()).toEqual(["grant.authorized TEMPLATES"]);

  await end(here, AMELIA.username);
  expect(await both()).toEqual([
    ["grant.reauthorization_required ACTIVE TEMPLATES u-amelia reauthorization_required"],
    ["grant.reauthorization_required TEMPLATES reauthorization_required"],
  ]);
  expect(one.seen.at(-1)!.data).toMatchObject({ organisation, server, remedy: "resource-owner" });

  const grant = String(one.seen.at(-1)!.data.grant) as GrantId;
  await here.connect();
  expect(await both()).toEqual([
    ["grant.authorized ACTIVE TEMPLATES u-amelia"],
    ["grant.authorized TEMPLATES"],
  ]);

  // It is given up while an answer is on its way, which then brings it back by itself.
  simulator.addFault({ on: { route: "token", grant_type: "refresh_token" }, do: { hold_after: true } });
  await expireSoon(here, grant, -1);
  const late = here.client.accessToken({ server, subject: user });
  await expect.poll(() => simulator.held().length).toBe(1);
  await broker.stores.fast.call((redis) => redis.hset(grantKey(grant), "state", "reauthorization_required"));
  simulator.release();
  await late;
  expect(await both()).toEqual([
    ["grant.recovered ACTIVE TEMPLATES u-amelia"],
    ["grant.recovered TEMPLATES"],
  ]);

  // Its owner loses his role, and gets it back.
  admins(here, OKAFOR.username);
  await look(here, hours(2));
  expect(await both()).toEqual([[], []]);
  await look(here, minutes(5));
  expect(await both()).toEqual([["library.parked library_role_lost"], []]);
  admins(here, AMELIA.username);
  await look(here, minutes(10));
  expect(await one.news()).toEqual(["library.lifted"]);

  // He loses it again, and another takes his place, which lifts that.
  admins(here, OKAFOR.username);
  await look(here, hours(2));
  await look(here, minutes(5));
  await one.news();
  await (await LibraryAdmin.signIn(here, OKAFOR)).authorize(["ACTIVE"], { replaces: [AMELIA.username] });
  expect(await one.news()).toEqual([
    "grant.revoked ACTIVE replaced",
    "library.lifted",
    "grant.authorized ACTIVE",
  ]);
  const replaced = one.seen.at(-3)!;
  expect(replaced.data).toMatchObject({ grant, replaced_by: one.seen.at(-1)!.data.grant });

  // Its end comes near.
  here.advance(days(336));
  await broker.grantStore.warnOfExpiry(organisation, 500);
  await broker.grantStore.warnOfExpiry(organisation, 500);
  const warned = await one.news();
  expect(warned).toContain("grant.expiring TEMPLATES u-amelia refresh_token_ends");
  expect(new Set(warned).size).toBe(warned.length);
  expect(Date.parse(String(one.seen.at(-1)!.data.ends_at))).toBeGreaterThan(broker.clock.now());
  expect(await two.news()).toContain("grant.expiring TEMPLATES refresh_token_ends");

  // One use ends, then the other; that of a third person nobody hears of.
  await broker.grantStore.unbindUser(server, here.client.id as never, { ...user, issuer: "client" }, NOTE);
  expect(await both()).toEqual([["grant.revoked u-amelia withdrawn"], []]);
  await broker.grantStore.deleteGrant(grant, NOTE);
  expect(await both()).toEqual([
    ["grant.revoked TEMPLATES withdrawn"],
    ["grant.revoked TEMPLATES withdrawn"],
  ]);
  await LibraryAdmin.signIn(here, AMELIA);
  here.advance(hours(2));
  await broker.workerStories.reapUnbound();
  await other.accessToken({ server, subject: user });
  expect(await both()).toEqual([[], []]);

  // Operators see all that is kept, and of people their number. What is older than fourteen days the worker has let go.
  const listed = await eventsListed(here, ["--kind", "grant.revoked"]);
  expect(listed.map(({ reason }) => reason)).toEqual(["withdrawn", "withdrawn", "unused"]);
  expect(listed[1]).toMatchObject({ grant, users_and_libraries: 1 });
  expect(await eventsListed(here, ["--after", String(listed[2]!.id)])).toEqual([]);

  // All of it is in the log, and each kind tells what it says and nothing else.
  for (const { type, data } of [...one.seen, ...two.seen]) {
    const may: readonly string[] = [...EVERY_EVENT, ...EVENT_KINDS[type as EventKind].tells];
    expect(Object.keys(data).filter((field) => !may.includes(field))).toEqual([]);
  }
  const text = JSON.stringify([one.seen, two.seen]);
  expect(text).not.toMatch(/amelia\.hart|okafor|sim_/i);
  expect(simulator.counts()).toBeDefined();
});

const NOTE = { actor: "test", requestId: "req_test" };

/** `cli events list` on the broker of a world. */
async function eventsListed({ broker, organisation }: World, more: readonly string[]) {
  let out = "";
  const { name } = (await broker.configuration.findOrganisation(organisation as never))!;
  const deps: Partial<CliDeps> = {
    write: (text) => {
      out += text;
    },
    complain: (text) => {
      throw new Error(text);
    },
    withBroker: (use) => use({ store: broker.configuration, events: broker.eventLog } as never),
  };
  const args = ["events", "list", "--organisation", name, "--json", ...more];
  await buildCli(deps as CliDeps).parseAsync(args, { from: "user" });
  return out
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

it("a wrong client secret is told once, and its end once, whatever happens in between", async () => {
  const { here, one, two } = await twoClients();
  const grants = [await here.connect(), await here.connect(MOREAU)];
  await one.news();
  const refresh = async (subject: string) => {
    const { body } = await here.client.accessToken({
      server: here.server,
      subject: { type: "user", id: subject },
    });
    return body.code;
  };
  const expire = async () => {
    for (const grant of (
      await here.broker.grantStore.listGrants(here.organisation as never, undefined, 10)
    ).map(({ id }) => id))
      await expireSoon(here, grant, -1);
  };
  here.simulator.registrations.patch("token-broker", { client_secrets: [{ value: "another" }] });
  for (let i = 0; i < 4; i++) {
    await expire();
    await refresh(i % 2 === 0 ? AMELIA.subject : MOREAU.subject);
    here.advance(seconds(61));
  }
  expect(await one.news()).toEqual(["server.misconfigured client_secret_refused"]);
  expect(one.seen.at(-1)!.data).toMatchObject({ server: here.server, remedy: "operator" });
  // No rule of the other's names it for events but through a library: it may know the server all the same.
  expect(await two.news()).toEqual(["server.misconfigured client_secret_refused"]);

  here.simulator.registrations.patch("token-broker", {
    client_secrets: [{ value: "sim_secret_token-broker" }],
  });
  for (let i = 0; i < 3; i++) {
    await expire();
    await refresh(AMELIA.subject);
    here.advance(seconds(61));
  }
  expect(await one.news()).toEqual(["server.recovered"]);
  expect(grants).toHaveLength(2);
});

it("a containment is told to whom it stops, and to nobody else, and so is its end", async () => {
  const { here, organisation, other, one, two } = await twoClients();
  const { server } = here;
  await here.connect();
  await (await LibraryAdmin.signIn(here)).authorize(["TEMPLATES"]);
  const grant = String((await here.client.accessToken({ server, subject: user })).body.grant);
  const both = async () => [await one.news(), await two.news()];
  await both();
  const contained = async (target: object, effect = "stop") => {
    const begun = await here.client.call<{ containment: { id: string } }>("POST", "/v1/containments", {
      ...{ target, effect, reason: "A drill of Hart's." },
    });
    expect(begun.status).toBe(200);
    await here.broker.containmentWork.settled();
    const told = await both();
    await here.client.call("POST", `/v1/containments/${begun.body.containment.id}/lift`, { reason: "over" });
    expect((await both()).map((words) => words.map((word) => word.replace("lifted", "begun")))).toEqual(
      told.map((words) => words.filter((word) => word.startsWith("containment"))),
    );
    return told;
  };
  const own = ["containment.begun"];
  expect(await contained({ kind: "server", server })).toEqual([[`${own} server`], [`${own} server`]]);
  expect(await contained({ kind: "subject", server, client: here.client.id, subject: user })).toEqual([
    [`${own} u-amelia subject`],
    [],
  ]);
  expect(await contained({ kind: "library", server, library: "ACTIVE" })).toEqual([
    [`${own} ACTIVE library`],
    [],
  ]);
  expect(await contained({ kind: "library", server, library: "TEMPLATES" })).toEqual([
    [`${own} TEMPLATES library`],
    [`${own} TEMPLATES library`],
  ]);
  expect(await contained({ kind: "user", server, user_id: AMELIA.username })).toEqual([
    [`${own} TEMPLATES u-amelia user`],
    [`${own} TEMPLATES user`],
  ]);
  // Whoever is stopped itself reads nothing meanwhile, as of the changes of its syncs; afterwards it is told of both.
  const { id } = await contain(
    here.broker.containment,
    {
      target: { kind: "client", client: other.id as ClientId, organisation },
      effect: "stop",
      reason: "leaked",
    },
    NOTE,
  );
  expect(await two.page()).toMatchObject({ status: 403, body: { code: "contained", containment: id } });
  const containment = await here.broker.containment.containments.findContainment(id);
  await liftContainment(here.broker.containment, containment!, "over", NOTE);
  expect(await both()).toEqual([[], ["containment.begun client", "containment.lifted client"]]);
  expect(await contained({ kind: "grant", grant }, "revoke")).toEqual([
    [`${own} TEMPLATES u-amelia grant`, "grant.revoked TEMPLATES u-amelia containment"],
    [`${own} TEMPLATES grant`, "grant.revoked TEMPLATES containment"],
  ]);
  expect(JSON.stringify([one.seen, two.seen])).not.toContain("Hart");
});
