import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { renewClientSecret } from "../../../src/broker/organisations/renew-client-secret.ts";
import type { ClientId, OrganisationId } from "../../../src/domain/id.ts";
import { checkInvariants } from "../../kit/invariants.ts";
import { enterPortal, submit } from "../../kit/portal.ts";
import { BY_TEST } from "../../kit/put-records.ts";
import { ownRedisForThisTest } from "../../kit/redis.ts";
import { type World, world } from "../../kit/world.ts";

const organisationOf = (here: World) => here.organisation as OrganisationId;

/** What changes of settings have left in the audit since `since`, without the address. */
async function changes(here: World, since = 0) {
  const entries = await here.broker.auditBuffer.read(organisationOf(here), 0, 1_000);
  return entries
    .filter(({ sequence, fields }) => sequence > since && /\.(created|changed)$/.test(fields.action ?? ""))
    .map(({ fields: { at: _at, address: _address, ...rest } }) => rest);
}
const sizeOf = (here: World) => here.broker.auditBuffer.newest(organisationOf(here));

const put = (here: World, path: string, body: object) =>
  here.client.call<{ server: { id: string; registration: { id: string } } }>(
    "PUT",
    `/v1/organisations/${here.organisation}${path}`,
    body,
  );
const SECOND = {
  kind: "on-premises",
  registration: { client_id: "token-broker", client_secret: "sim_secret_of-second" },
};
const ON = { display_name: "Meridian Legal", enabled: true };

describe("T38 a change of settings is in the audit, with who made it and what of it is another now", () => {
  it("by file and command line", async () => {
    const here = await world();
    const by = { actor: BY_TEST.actor, request: BY_TEST.requestId };
    expect(await changes(here)).toEqual([
      {
        ...by,
        action: "organisation.created",
        name: expect.stringMatching(/^firm-/),
        fields: "display_name enabled",
      },
      {
        ...by,
        action: "registration.created",
        registration: expect.stringMatching(/^reg_/),
        name: "dms",
        fields: "client_id client_secret",
      },
      { ...by, action: "server.created", server: here.server, name: "dms", fields: expect.any(String) },
      {
        ...by,
        action: "policy.created",
        client: here.client.id,
        fields: "servers actions tokens_per_minute",
      },
    ]);
    expect((await checkInvariants(here)).broken).toEqual([]);
  });

  it("by API: an organisation's members, a server, a client secret; never a value", async () => {
    const here = await world();
    const before = await sizeOf(here);
    const by = { actor: `client:${here.client.id}`, request: expect.stringMatching(/^req_/) };
    await put(here, "", { ...ON, members: { subjects: ["u-amelia-of-meridian"] } });
    const made = await put(here, "/servers/second", { ...SECOND, address: here.simulator.origin });
    const { id, registration } = made.body.server;
    const settings = { rotation: "strict" };
    await put(here, "/servers/second", { ...SECOND, address: here.simulator.origin, settings });
    const after = await changes(here, before);
    expect(after).toEqual([
      { ...by, action: "organisation.changed", name: expect.any(String), fields: "members" },
      {
        ...by,
        action: "registration.created",
        registration: registration.id,
        name: "second",
        fields: "client_id client_secret",
      },
      { ...by, action: "server.created", server: id, name: "second", fields: expect.any(String) },
      { ...by, action: "server.changed", server: id, name: "second", fields: "settings.rotation" },
    ]);
    const entries = await here.broker.auditBuffer.read(organisationOf(here), 0, 1_000);
    expect(entries.at(-1)?.fields.address).toMatch(/127\.0\.0\.1/);
    expect(JSON.stringify(entries)).not.toMatch(/u-amelia-of-meridian|sim_secret|strict/);
  });

  it("on iManage settings: by the person whom the client named", async () => {
    const here = await world();
    const { browser } = await enterPortal(here, {
      role: "organisation_admin",
      subject: { type: "user", id: "u-admin" },
    });
    const before = await sizeOf(here);
    const action = `/settings/servers/${here.server}`;
    const page = await browser.get(here.base + action);
    await submit(browser, page, action, { secret: "sim_secret_next", expires: "" });
    const by = { actor: `person:${here.client.id}/u-admin`, request: expect.stringMatching(/^req_/) };
    expect(await changes(here, before)).toMatchObject([
      { ...by, action: "server.changed", server: here.server, fields: "configuration" },
      { ...by, action: "registration.changed", name: "dms", fields: "client_secret" },
    ]);
  });

  it("a dry run, a change of nothing, and one that is refused leave none", async () => {
    const here = await world();
    const address = here.simulator.origin;
    await put(here, "/servers/second", { ...SECOND, address });
    const before = await sizeOf(here);
    await put(here, "?dry_run=true", { ...ON, enabled: false });
    await put(here, "", ON);
    await put(here, "/servers/second", { ...SECOND, address });
    expect((await put(here, "/servers/second", { ...SECOND, address: "http://x" })).status).toBe(400);
    expect(
      (await put(here, "/servers/second", { ...SECOND, address: "https://elsewhere.example" })).status,
    ).toBe(409);
    expect(await sizeOf(here)).toBe(before);
  });

  it("an organisation is switched off and it is written down, also where Redis is full", async () => {
    const redis = await ownRedisForThisTest();
    const here = await world({ redisUrl: redis.url });
    const before = await sizeOf(here);
    await here.broker.stores.fast.call((it) => it.config("SET", "maxmemory", "1"));
    const off = await put(here, "", { ...ON, enabled: false });
    await here.broker.stores.fast.call((it) => it.config("SET", "maxmemory", "0"));
    expect(off.status).toBe(200);
    expect(await changes(here, before)).toMatchObject([
      { action: "organisation.changed", fields: "enabled" },
    ]);
  });

  it("what belongs to no organisation has a journal of its own: clients, and the operator's registrations", async () => {
    const redis = await ownRedisForThisTest();
    const here = await world({ redisUrl: redis.url });
    const client = (await here.broker.configuration.findClient(here.client.id as ClientId))!;
    const by = { actor: "cli:olga", requestId: "cli_1" };
    await renewClientSecret({ ...here.broker.changePorts }, client.name, by);
    const exported = await here.broker.workerStories.exportAudit();
    const lines = (await readFile(here.environment.AUDIT_FILE!, "utf8")).trimEnd().split("\n");
    const read = lines.map((text) => JSON.parse(text) as Record<string, unknown>);
    const entries = read.filter(({ checkpoint }) => checkpoint === undefined);
    expect(entries).toHaveLength(exported as number);
    const journal = entries.filter(({ journal }) => journal === "clients");
    expect(journal).toMatchObject([
      { journal: "clients", sequence: 1, action: "client.created", name: client.name },
      {
        sequence: 2,
        action: "client.secret_added",
        client: client.id,
        fields: "secret",
        actor: "cli:olga",
        request: "cli_1",
      },
    ]);
    expect(JSON.stringify(journal)).not.toContain(client.secrets[0]!.hmac);
    expect(await here.broker.workerStories.exportAudit()).toBe(0);
  });
});
