import { expect, it } from "vitest";
import { days, minutes } from "../../src/domain/instant.ts";
import { addOrganisation } from "../kit/additions.ts";
import { expectProblem } from "../kit/connecting.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { AMELIA, type World, world } from "../kit/world.ts";

interface Change {
  readonly applied: boolean;
  readonly changes: readonly { record: string; field: string; from: string | null; to: string }[];
  readonly refusals: readonly string[];
  readonly server: { readonly id: string; readonly registration: Record<string, unknown> } | null;
}

const put = (here: World, path: string, body: object, dryRun = false) =>
  here.client.call<Change>(
    "PUT",
    `/v1/organisations/${here.organisation}${path}${dryRun ? "?dry_run=true" : ""}`,
    body,
  );
const SECOND = {
  kind: "on-premises",
  customer_id: "1",
  registration: { client_id: "token-broker", client_secret: "sim_secret_token-broker" },
};

it("an organisation is switched off and on by its client, and a dry run tells the difference first", async () => {
  const here = await world();
  await here.connect();
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const wanted = { display_name: "Meridian Legal", enabled: false };

  const asked = await put(here, "", wanted, true);
  expect(asked).toMatchObject({
    status: 200,
    body: { applied: false, changes: [{ record: "organisation", field: "enabled", from: "yes", to: "no" }] },
  });
  expect((await here.client.accessToken(ask)).status).toBe(200);

  expect((await put(here, "", wanted)).body).toMatchObject({
    applied: true,
    organisation: { enabled: false },
  });
  expect((await here.client.accessToken(ask)).body.code).toBe("organisation_disabled");
  await put(here, "", { ...wanted, enabled: true, members: { subjects: ["somebody-else"] } });
  expect((await here.client.accessToken(ask)).body.code).toBe("not_a_member");
  await put(here, "", { ...wanted, enabled: true });
  expect((await here.client.accessToken(ask)).status).toBe(200);
});

it("a second server is added with its secret, signed in to at once, and its secret is never readable again", async () => {
  const here = await world();
  const { origin } = here.simulator;
  const added = await put(here, "/servers/second", { ...SECOND, address: origin });
  expect(added).toMatchObject({ status: 200, body: { applied: true } });
  const server = added.body.server!;
  here.simulator.registrations.patch("token-broker", {
    redirect_urls: [String(server.registration.redirect_uri)],
  });
  expect(JSON.stringify(added.body)).not.toContain("sim_secret");
  expect(server.registration).toMatchObject({
    client_id: "token-broker",
    shared: null,
    client_secrets: [{ expires_at: null }],
  });

  const list = await here.client.call<{ items: { name: string }[] }>(
    "GET",
    `/v1/servers?organisation=${here.organisation}`,
  );
  expect(list.body.items.map(({ name }) => name).sort()).toEqual(["dms", "second"]);
  expect((await here.client.call("GET", `/v1/servers/${server.id}`)).body).toMatchObject({ id: server.id });

  // Said again, nothing changes; a new secret stands beside the earlier one.
  expect((await put(here, "/servers/second", { ...SECOND, address: origin })).body.changes).toEqual([]);
  const renewed = await put(here, "/servers/second", {
    ...SECOND,
    address: origin,
    registration: { client_id: "token-broker", client_secret: "sim_secret_next" },
  });
  expect(renewed.body.server!.registration).toMatchObject({ client_secrets: [{}, {}] });
});

it("a client secret that ends is remembered, and told to operators from thirty days before", async () => {
  const here = await world({ redisUrl: (await ownRedisForThisTest()).url });
  const ends = new Date(here.broker.clock.now() + days(31)).toISOString().slice(0, 10);
  const { body } = await put(here, "/servers/second", {
    ...SECOND,
    address: here.simulator.origin,
    registration: { ...SECOND.registration, client_secret_expires: ends },
  });
  expect(body.server!.registration).toMatchObject({
    client_secrets: [{ expires_at: `${ends}T00:00:00.000Z` }],
  });
  const told = () => here.lines.filter((line) => line.includes("client_secret_expiring"));
  for (let minute = 0; minute < 3 * 24 * 60 && told().length === 0; minute++) {
    here.advance(minutes(1));
    if (minute % 720 === 0) expect(told()).toEqual([]);
    await here.broker.workerStories.reapUnbound();
  }
  expect(JSON.parse(told()[0]!)).toMatchObject({ level: "warn", count: 30, server: body.server!.id });
});

it("a server never moves: another address is refused with the way to go, and told by a dry run", async () => {
  const here = await world();
  const body = { ...SECOND, address: here.simulator.origin };
  await put(here, "/servers/second", body);
  const moved = { ...body, address: "https://elsewhere.example" };
  const asked = await put(here, "/servers/second", moved, true);
  expect(asked.body).toMatchObject({
    applied: false,
    refusals: [expect.stringMatching(/another name|new server/)],
  });
  const refused = await put(here, "/servers/second", moved);
  expectProblem(refused, "configuration_refused");
  expect(refused.body.refusals).toHaveLength(1);
});

it.each([
  ["http://imanage.example/login/", /must begin with https:\/\/.*give https:\/\/imanage\.example/],
  ["https://imanage.example/work", /no path.*give https:\/\/imanage\.example/],
  ["https://127.0.0.1:9", /on this machine/],
])("the address %s is refused by field, with the corrected form", async (address, message) => {
  const here = await world();
  const refused = await put(here, "/servers/second", { ...SECOND, address });
  expectProblem(refused, "invalid_request");
  const { faults } = refused.body as unknown as { faults: { field: string; message: string }[] };
  expect(faults).toEqual([{ field: "address", message: expect.stringMatching(message) }]);
});

it("on a shared registration the customer id is the operator's to enter (T10)", async () => {
  const here = await world();
  const refused = await put(here, "/servers/cloud", {
    kind: "cloud",
    customer_id: "5948",
    registration: { shared: "us" },
  });
  expectProblem(refused, "invalid_request");
});

it("only a client that may configure does, and only the organisations that its policy names", async () => {
  const here = await world();
  const foreign = await addOrganisation(here, {
    servers: { dms: { simulator: here.simulator } },
    clients: { reader: { actions: ["token", "status"] } },
  });
  const wanted = { display_name: "x", enabled: true };
  const to = `/v1/organisations/${foreign.organisation}`;
  expectProblem(await foreign.clients.reader.call("PUT", to, wanted), "not_allowed");
  expectProblem(await here.client.call("PUT", to, wanted), "not_found");
  expectProblem(await here.client.call("GET", `/v1/servers/${foreign.servers.dms.id}`), "not_found");
  const { items } = (await here.client.call<{ items: { id: string }[] }>("GET", "/v1/organisations")).body;
  expect(items.map(({ id }) => id)).toEqual([here.organisation]);
});
