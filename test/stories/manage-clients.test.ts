import { expect, it } from "vitest";
import { WalkingClient } from "../../scripts/walk/client.ts";
import type { ClientId } from "../../src/domain/id.ts";
import { addOrganisation, makeOperator } from "../kit/additions.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { AMELIA, RETURN_URL, type WorldOptions, world } from "../kit/world.ts";

type Body = Record<string, unknown>;

let names = 0;
const newName = () => `made-${process.pid}-${Date.now()}-${names++}`;

async function operated(options: WorldOptions = {}) {
  const here = await world(options);
  await makeOperator(here);
  const call = (method: string, path: string, body?: object, headers?: Record<string, string>) =>
    here.client.call<Body>(method, path, body, headers);
  const make = async (told: object = {}) => {
    const { status, body } = await call("POST", "/v1/clients", { name: newName(), ...told });
    expect(status).toBe(201);
    const id = String(body.id);
    return { id, body, client: new WalkingClient(here.base, id, String(body.secret)) };
  };
  return { here, call, make };
}

it("an operator's client makes another, says what it may do, and takes that away again: at once, on every replica", async () => {
  const { here, call, make } = await operated();
  const another = await here.replica();
  const made = await make({ return_urls: [RETURN_URL] });
  expect(made.body).toMatchObject({ role: "app", state: "active", return_urls: [RETURN_URL] });
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const tokenAt = async (base: string) => (await made.client.at(base).accessToken(ask)).body.code;
  // Default deny: nothing exists for it yet.
  for (const base of [here.base, another.base]) expect(await tokenAt(base)).toBe("not_found");

  const policy = `/v1/policies/${here.organisation}/${made.id}`;
  const words = { servers: ["dms"], actions: ["token", "connect"], tokens_per_minute: 60 };
  expect((await call("PUT", `${policy}?dry_run=true`, words)).body).toMatchObject({ applied: false });
  expect((await call("GET", policy)).status).toBe(404);
  expect((await call("PUT", policy, words)).body).toMatchObject({ applied: true });
  expect((await call("GET", policy)).body).toEqual({
    client: made.id,
    organisation: here.organisation,
    tokens_per_minute: 60,
    rules: [{ servers: ["dms"], users: "all", libraries: "all", actions: ["token", "connect"] }],
  });
  for (const base of [here.base, another.base]) expect(await tokenAt(base)).toBe("authorization_required");

  expect((await call("DELETE", policy)).status).toBe(204);
  for (const base of [here.base, another.base]) expect(await tokenAt(base)).toBe("not_found");
  expect((await call("DELETE", policy)).status).toBe(404);
  expect((await made.client.call("GET", "/v1/organisations")).body).toEqual({ items: [] });
});

it("stopping a client ends its secret and its broker tokens on every replica; started again, its secret works", async () => {
  const { here, call, make } = await operated();
  const another = await here.replica();
  const { id, client } = await make();
  const bearer = (await client.token({ grant_type: "client_credentials" })).body.access_token;
  const self = (base: string, headers = {}) =>
    client.at(base).call("GET", `/v1/clients/${id}`, undefined, headers);
  const byToken = { authorization: `Bearer ${bearer}` };
  expect((await self(another.base, byToken)).status).toBe(200);
  expect((await call("POST", `/v1/clients/${id}/stop`)).body.state).toBe("stopped");
  for (const base of [here.base, another.base]) {
    expect((await self(base)).status).toBe(401);
    // Elsewhere within a second, however the announcement fares.
    await expect.poll(async () => (await self(base, byToken)).status).toBe(401);
  }
  expect((await call("POST", `/v1/clients/${id}/start`)).body.state).toBe("active");
  expect((await self(another.base)).status).toBe(200);
  expect((await self(another.base, byToken)).status).toBe(401);
});

it("a secret is shown once: not read again, and not told again for a repeated Idempotency-Key", async () => {
  const { here, call } = await operated();
  const key = { "idempotency-key": newName() };
  const told = { name: newName() };
  const first = await call("POST", "/v1/clients", told, key);
  const again = await call("POST", "/v1/clients", told, key);
  expect([first.status, again.status, again.body.id]).toEqual([201, 201, first.body.id]);
  expect(first.body.secret).toMatch(/^imb_sk_/);
  expect(again.body.secret).toBeUndefined();
  const id = String(first.body.id);
  expect((await call("POST", "/v1/clients", { ...told, display_name: "Other" }, key)).body.code).toBe(
    "idempotency_conflict",
  );
  expect((await call("POST", "/v1/clients", told)).body.code).toBe("configuration_conflict");

  const more = { "idempotency-key": newName() };
  const added = await call("POST", `/v1/clients/${id}/secrets`, { expires_at: "2099-01-01T00:00:00Z" }, more);
  const repeated = await call(
    "POST",
    `/v1/clients/${id}/secrets`,
    { expires_at: "2099-01-01T00:00:00Z" },
    more,
  );
  expect([added.status, repeated.status, repeated.body.secret]).toEqual([201, 201, undefined]);
  const both = [first.body.secret, added.body.secret].map(
    (one) => new WalkingClient(here.base, id, String(one)),
  );
  for (const client of both) expect((await client.call("GET", `/v1/clients/${id}`)).status).toBe(200);
  const read = await call("GET", `/v1/clients/${id}`);
  const listed = read.body.secrets as { id: string; expires_at: string | null }[];
  expect(listed.map(({ expires_at }) => expires_at)).toEqual(["2099-01-01T00:00:00.000Z", null]);
  expect(JSON.stringify(read.body)).not.toMatch(/imb_sk_|hmac/);

  expect((await call("DELETE", `/v1/clients/${id}/secrets/${listed[1]!.id}`)).status).toBe(204);
  expect((await both[0]!.call("GET", `/v1/clients/${id}`)).status).toBe(401);
  expect((await both[1]!.call("GET", `/v1/clients/${id}`)).status).toBe(200);
  expect(
    (await call("POST", `/v1/clients/${id}/secrets`, { expires_at: "2001-01-01T00:00:00Z" })).status,
  ).toBe(400);
});

it("a client without the role sees itself and what it may do, and changes nothing; others do not exist for it", async () => {
  const { here, call, make } = await operated();
  const { id, client } = await make();
  const own = (method: string, path: string, body?: object) => client.call<Body>(method, path, body);
  const policy = `/v1/policies/${here.organisation}/${id}`;
  await call("PUT", policy, { actions: ["token"] });
  expect((await own("GET", "/v1/clients")).body.items).toMatchObject([{ id }]);
  expect((await own("GET", `/v1/clients/${id}`)).body).toMatchObject({ id, role: "app" });
  expect((await own("GET", "/v1/policies")).body.items).toMatchObject([
    { client: id, organisation: here.organisation },
  ]);
  expect((await own("GET", policy)).status).toBe(200);

  for (const [method, path, body] of [
    ["POST", "/v1/clients", { name: newName() }],
    ["PUT", `/v1/clients/${id}`, { display_name: "Me" }],
    ["POST", `/v1/clients/${id}/secrets`, {}],
    ["POST", `/v1/clients/${id}/stop`, undefined],
    ["PUT", policy, { actions: ["token", "revoke"] }],
    ["DELETE", policy, undefined],
  ] as const) {
    expect([method, path, (await own(method, path, body)).body.code]).toEqual([method, path, "not_allowed"]);
    const foreign = path.replace(id, here.client.id);
    if (foreign !== path) expect((await own(method, foreign, body)).body.code).toBe("not_found");
  }
});

it("no request makes an operator, and a stopped operator is none", async () => {
  const { here, call, make } = await operated();
  const { id } = await make();
  for (const [method, path, body] of [
    ["POST", "/v1/clients", { name: newName(), role: "operator" }],
    ["PUT", `/v1/clients/${id}`, { role: "operator" }],
    ["PUT", `/v1/clients/${id}`, { secret_file: "/etc/passwd" }],
  ] as const) {
    expect((await call(method, path, body)).status).toBe(400);
  }
  expect((await here.broker.configuration.findClient(id as ClientId))?.role).toBeUndefined();
});

it("clients and policies are listed by pages that lose and repeat nothing, and take no cursor of another list", async () => {
  // Of its own: of every other test's clients it would take a page each.
  const { here, call, make } = await operated({ redisUrl: (await ownRedisForThisTest()).url });
  const made = [await make(), await make(), await make()].map(({ id }) => id);
  const added = await addOrganisation(here, { servers: { dms: { simulator: here.simulator } }, clients: {} });
  for (const id of made) {
    for (const organisation of [here.organisation, added.organisation])
      await call("PUT", `/v1/policies/${organisation}/${id}`, { actions: ["status"] });
  }
  const all = async (path: string) => {
    const items: Body[] = [];
    let cursor: string | null = "";
    do {
      const { body }: { body: Body } = await call(
        "GET",
        `${path}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`,
      );
      items.push(...(body.items as Body[]));
      cursor = body.next as string | null;
    } while (cursor !== null);
    return items;
  };
  const ids = (await all("/v1/clients?limit=2")).map(({ id }) => String(id));
  expect(ids).toEqual([...new Set(ids)].sort());
  expect(ids).toEqual(expect.arrayContaining([...made, here.client.id]));
  const policies = await all("/v1/policies?limit=1");
  const mine = policies.filter(({ client }) => made.includes(String(client)));
  expect(mine).toHaveLength(6);
  expect(new Set(mine.map(({ client, organisation }) => `${client} ${organisation}`)).size).toBe(6);
  expect(
    (await all(`/v1/policies?organisation=${added.organisation}&limit=2`)).map(({ client }) => client),
  ).toEqual([...made].sort());

  const { next } = (await call("GET", "/v1/clients?limit=1")).body;
  expect((await call("GET", `/v1/policies?cursor=${encodeURIComponent(String(next))}`)).status).toBe(400);
});
