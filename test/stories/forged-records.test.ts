import { expect, it } from "vitest";
import { applyConfiguration } from "../../src/broker/organisations/apply-configuration.ts";
import type { ClientId, OrganisationId } from "../../src/domain/id.ts";
import {
  clientKey,
  clientNamesKey,
  gateKey,
  memberDigest,
  membersKey,
  organisationKey,
  organisationNamesKey,
  policyKey,
  registrationKey,
  serverKey,
  serverNamesKey,
} from "../../src/store/keys.ts";
import { addOrganisation } from "../kit/additions.ts";
import { expireSoon } from "../kit/expire.ts";
import { withRules } from "../kit/policies.ts";
import { put } from "../kit/put-records.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { AMELIA, MOREAU, type World, world } from "../kit/world.ts";

/** A world on a Redis that somebody else can write to. Not the shared one: what is altered here others would meet. */
async function besieged(options: Parameters<typeof world>[0] = {}) {
  const here = await world({ ...options, redisUrl: (await ownRedisForThisTest()).url });
  const organisation = here.organisation as OrganisationId;
  const client = here.client.id as ClientId;
  const { configuration, stores } = here.broker;
  const { registration } = (await configuration.findServer(here.server))!;
  const redis = stores.fast.connection;
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  /** Where each kind of record lies, and how a broker reads it. */
  const places = {
    organisation: {
      key: organisationKey(organisation),
      field: undefined,
      load: () => configuration.findOrganisation(organisation),
    },
    server: {
      key: serverKey(here.server),
      field: undefined,
      load: () => configuration.findServer(here.server),
    },
    registration: {
      key: registrationKey(registration),
      field: undefined,
      load: () => configuration.findRegistration(registration),
    },
    policy: {
      key: policyKey(organisation, client),
      field: undefined,
      load: () => configuration.findPolicy(client, organisation),
    },
    client: { key: clientKey(client), field: "record", load: () => configuration.findClient(client) },
    standing: { key: clientKey(client), field: "standing", load: () => configuration.findStanding(client) },
  };
  type Place = (typeof places)[keyof typeof places];
  const get = async ({ key, field }: Pick<Place, "key" | "field">) =>
    (field === undefined ? await redis.get(key) : await redis.hget(key, field)) ?? "";
  const set = async ({ key, field }: Pick<Place, "key" | "field">, text: string) => {
    if (field === undefined) await redis.set(key, text);
    else await redis.hset(key, field, text);
  };
  return { here, organisation, client, registration, configuration, redis, ask, places, get, set };
}

const alerts = (here: World) =>
  here.lines.filter((line) => line.includes("alert: a stored record is refused"));
const brokerToken = async (here: World) =>
  (await here.client.token({ grant_type: "client_credentials" })).body.access_token as string;

/** The readable part of a sealed text, and what stands before it. */
const cut = (stored: string) => {
  const at = stored.indexOf("{");
  return { head: stored.slice(0, at), record: JSON.parse(stored.slice(at)) as Record<string, unknown> };
};

const other = (value: unknown): unknown =>
  typeof value === "boolean"
    ? !value
    : typeof value === "number"
      ? value + 1
      : Array.isArray(value)
        ? [...value, "x"]
        : typeof value === "object" && value !== null
          ? { ...value, x: 1 }
          : `${String(value)}x`;

it("T25: of each kind of record no field can be changed, added or taken away in Redis: loading it fails, and the log names the key", async () => {
  const { here, places, get, set } = await besieged();
  let edits = 0;
  for (const [noun, place] of Object.entries(places)) {
    const stored = await get(place);
    const { head, record } = cut(stored);
    const altered = [
      ...Object.keys(record).flatMap((name) => {
        const { [name]: value, ...rest } = record;
        return [rest, { ...record, [name]: other(value) }];
      }),
      { ...record, role: "operator" },
      { ...record, toString: 1 },
    ];
    const texts = [
      ...altered.map((one) => head + JSON.stringify(one)),
      // As an earlier version stored it: without a MAC.
      JSON.stringify(record),
      `${head}${JSON.stringify(record)} `,
    ];
    for (const text of texts) {
      await set(place, text);
      const before = alerts(here).length;
      await expect(place.load(), `${noun}: ${text.slice(head.length)}`).rejects.toMatchObject({
        code: "integrity_failure",
      });
      expect(alerts(here).slice(before), noun).toEqual([expect.stringContaining(place.key)]);
      edits += 1;
    }
    await set(place, stored);
    expect(await place.load(), noun).toBeDefined();
  }
  expect(edits).toBeGreaterThan(80);
});

it("T25: whichever record is altered, nobody gets a token and nothing is sent to iManage", async () => {
  const { here, ask, places, get, set } = await besieged();
  await here.connect();
  const token = await brokerToken(here);
  const bearer = (client = here.client) =>
    client.call("POST", "/v1/access-tokens", ask, { authorization: `Bearer ${token}` });
  const granted = (await bearer()).body as { grant: string };
  for (const [noun, place] of Object.entries(places)) {
    const stored = await get(place);
    const { head, record } = cut(stored);
    await set(
      place,
      head + JSON.stringify({ ...record, v: 1, displayName: "Somebody else", generation: 99 }),
    );
    if (noun === "registration") await expireSoon(here, granted.grant, -1);
    // A process that has never read the true record: one that has goes on with what it verified.
    const another = await here.replica();
    const sent = here.simulator.requests().length;
    const answers =
      noun === "standing"
        ? [await bearer(another.client)]
        : noun === "client"
          ? [
              await another.client.accessToken(ask),
              await another.client.token({ grant_type: "client_credentials" }),
            ]
          : [await another.client.accessToken(ask)];
    for (const { status, body } of answers) {
      expect([noun, status, body.code, "access_token" in body]).toEqual([
        noun,
        500,
        "integrity_failure",
        false,
      ]);
    }
    expect(here.simulator.requests().length, noun).toBe(sent);
    await set(place, stored);
  }
  expect((await bearer()).status).toBe(200);
});

it("T25: a true record does not count in another place: another client's, organisation's, server's or noun's", async () => {
  const { here, organisation, client, configuration, redis, places, get, set } = await besieged();
  const added = await addOrganisation(here, {
    servers: { dms: { simulator: here.simulator } },
    clients: { app: {} },
  });
  const theirs = {
    organisation: added.organisation as OrganisationId,
    client: added.clients.app.id as ClientId,
    server: added.servers.dms.id,
  };
  const texts = [
    await redis.get(organisationKey(theirs.organisation)),
    await redis.get(serverKey(theirs.server)),
    await redis.get(registrationKey(added.servers.dms.registration)),
    await redis.get(policyKey(theirs.organisation, theirs.client)),
    await redis.hget(clientKey(theirs.client), "record"),
    await redis.hget(clientKey(theirs.client), "standing"),
    await redis.hget(clientKey(client), "standing"),
    await redis.hget(clientKey(client), "record"),
  ] as string[];
  for (const [noun, place] of Object.entries(places)) {
    const stored = await get(place);
    for (const text of texts.filter((one) => one !== stored)) {
      await set(place, text);
      await expect(place.load(), noun).rejects.toMatchObject({ code: "integrity_failure" });
    }
    await set(place, stored);
  }

  // The client's own policy of one organisation in another; and the other client's policy under this one's name.
  const policy = (await redis.get(policyKey(organisation, client)))!;
  await redis.set(policyKey(theirs.organisation, client), policy);
  await expect(configuration.findPolicy(client, theirs.organisation)).rejects.toMatchObject({
    code: "integrity_failure",
  });

  // Names lie beside records: one that leads elsewhere is seen by the record itself.
  const { name: firm } = (await configuration.findOrganisation(organisation))!;
  const { name: app } = (await configuration.findClient(client))!;
  await redis.hset(organisationNamesKey(), firm, theirs.organisation);
  await redis.hset(clientNamesKey(), app, theirs.client);
  await redis.hset(serverNamesKey(organisation), "dms", theirs.server);
  for (const load of [
    configuration.findOrganisationByName(firm),
    configuration.findClientByName(app),
    configuration.findServerByName(organisation, "dms"),
  ]) {
    await expect(load).rejects.toMatchObject({ code: "integrity_failure" });
  }
  expect((await configuration.listServers(organisation)).map(({ id }) => id)).toEqual([]);
});

it("T25: what the vend script decides by cannot be set to let somebody in", async () => {
  const { here, organisation, client, configuration, redis, ask } = await besieged({
    members: { everyone: false, subjects: [AMELIA.subject], claims: [] },
  });
  await here.connect();
  const gate = gateKey(organisation);
  const tokenFor = (subject: string, from: Pick<World, "client"> = here) =>
    from.client.accessToken({ ...ask, subject: { type: "user", id: subject } });
  expect((await tokenFor(AMELIA.subject)).status).toBe(200);
  const firm = (await configuration.findOrganisation(organisation))!;
  const another = await here.replica();
  expect((await tokenFor(AMELIA.subject, another)).status).toBe(200);

  // The members' list: she is taken off it, and put back by hand.
  await put.organisation(configuration, {
    ...firm,
    members: { everyone: false, subjects: [MOREAU.subject], claims: [] },
  });
  expect((await tokenFor(AMELIA.subject)).body.code).toBe("not_a_member");
  for (const forge of [
    () => redis.sadd(membersKey(organisation), memberDigest(AMELIA.subject)),
    () => redis.hset(gate, "members", ""),
  ]) {
    await forge();
    for (const from of [here, another]) {
      expect((await tokenFor(AMELIA.subject, from)).body).toMatchObject({ code: "integrity_failure" });
    }
  }
  expect(alerts(here).some((line) => line.includes(gate))).toBe(true);

  // Switched off, and on again by hand.
  await put.organisation(configuration, { ...firm, enabled: false });
  expect((await tokenFor(AMELIA.subject)).body.code).toBe("organisation_disabled");
  await redis.hset(gate, "enabled", "1");
  for (const from of [here, another]) {
    expect((await tokenFor(AMELIA.subject, from)).body.code).toBe("integrity_failure");
  }
  await put.organisation(configuration, firm);
  expect((await tokenFor(AMELIA.subject)).status).toBe(200);

  // A replica that has not asked since the policy was taken away, and is told by the gate that nothing changed.
  const { policy, generation } = await configuration.findPolicy(client, organisation);
  await tokenFor(AMELIA.subject, another);
  await put.policy(configuration, withRules(policy, { actions: ["status"] }));
  await redis.hset(gate, "policies", generation);
  expect((await tokenFor(AMELIA.subject, another)).body.code).toBe("integrity_failure");
});

it("T25: a record that was altered is neither overwritten by a change nor in the way of other organisations", async () => {
  const { here, organisation, configuration, redis, places, get, set } = await besieged();
  const added = await addOrganisation(here, { servers: { dms: { simulator: here.simulator } } });
  const firm = (await configuration.findOrganisation(organisation))!;
  const stored = await get(places.organisation);
  const { head, record } = cut(stored);
  await set(places.organisation, head + JSON.stringify({ ...record, displayName: "Castor & Pell" }));
  await expect(
    configuration.putOrganisation(
      { ...firm, displayName: "Meridian" },
      { before: firm, fields: [], note: { actor: "cli:test", requestId: "r" } },
    ),
  ).rejects.toMatchObject({ code: "integrity_failure" });
  expect((await configuration.listOrganisations()).map(({ id }) => id)).toEqual([added.organisation]);
  expect(await redis.get(places.organisation.key)).not.toBe(stored);

  // Nor is one into which somebody writes the name of a root key that nobody has.
  await set(places.organisation, stored.replace(/^m1\.[^.]+/, "m1.rk-gone"));
  expect((await configuration.listOrganisations()).map(({ id }) => id)).toEqual([added.organisation]);
  expect(here.lines.join("")).toContain(`${places.organisation.key} is closed`);
  await set(places.server, (await get(places.server)).replace(/^m1\.[^.]+/, "m1.rk-gone"));
  expect(await configuration.listServers(organisation)).toEqual([]);
  await redis.set(
    organisationKey(added.organisation as OrganisationId),
    stored.replace(/^m1\.[^.]+/, "m1.rk-gone"),
  );
  await expect(configuration.listOrganisations()).rejects.toMatchObject({ code: "integrity_failure" });
});

it("T25: a file that names an altered record is refused, and makes no second one under its name", async () => {
  const { here, configuration, places, get, set } = await besieged();
  const firm = (await configuration.findOrganisation(here.organisation as OrganisationId))!;
  const app = (await configuration.findClient(here.client.id as ClientId))!;
  const ports = {
    ...here.broker.changePorts,
    secretSource: { read: async () => ({ fault: "is not asked for" }) },
  };
  const nothing = { sharedRegistrations: [], organisations: [], clients: [] };
  for (const [place, desired] of [
    [places.organisation, { ...nothing, organisations: [{ name: firm.name, servers: [] }] }],
    [
      places.client,
      {
        ...nothing,
        clients: [
          {
            name: app.name,
            displayName: "Other",
            state: "active" as const,
            returnUrls: [],
            secret: undefined,
            policies: [],
          },
        ],
      },
    ],
  ] as const) {
    const stored = await get(place);
    const { head, record } = cut(stored);
    await set(place, head + JSON.stringify({ ...record, displayName: "Altered" }));
    const note = { actor: "cli:test", requestId: "req_test" };
    await expect(applyConfiguration(ports, desired, { dryRun: false, note })).rejects.toMatchObject({
      code: "integrity_failure",
    });
    await set(place, stored);
  }
});
