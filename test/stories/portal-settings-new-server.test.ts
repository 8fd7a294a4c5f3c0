import { describe, expect, it } from "vitest";
import { listDefaultConfigurations } from "../../src/broker/portal/settings.ts";
import { operatorAt } from "../../src/broker/portal/settings-visitor.ts";
import { makeId, type OrganisationId } from "../../src/domain/id.ts";
import { enterPortal, submit } from "../kit/portal.ts";
import { put } from "../kit/put-records.ts";
import { type World, world } from "../kit/world.ts";

const CLOUD = "https://cloudimanage.com";
const ACTION = "/settings/new-server";
const ADMIN = { role: "organisation_admin", subject: { type: "user", id: "u-admin" } };

/** One of the operator's, for many firms. Names are the whole Redis', which others use too. */
async function shared({ broker, server }: World, name: string, tokenOrigin: string) {
  const { configuration, clock, random } = broker;
  const own = (await configuration.findServer(server))!;
  const registration = (await configuration.findRegistration(own.registration))!;
  const id = makeId("reg", undefined, clock.now(), random.bytes(16));
  const record = { ...registration, id, organisation: undefined, tokenOrigin, secrets: [] };
  const unique = `${name}-${Buffer.from(random.bytes(5)).toString("hex")}`;
  await put.registration(configuration, { ...record, name: unique });
  return { id, name: unique };
}

async function opened() {
  const built = await world();
  const { browser } = await enterPortal(built, ADMIN);
  const form = () => browser.get(built.base + ACTION);
  const add = async (fields: Record<string, string>) => {
    const review = await submit(browser, await form(), ACTION, fields);
    const confirm = /name="confirm" value="([^"]+)"/.exec(review.body)?.[1];
    return confirm === undefined ? review : submit(browser, review, ACTION, { ...fields, confirm });
  };
  const found = (name: string) =>
    built.broker.configuration.findServerByName(built.organisation as OrganisationId, name);
  return { built, form, add, found };
}

describe("a new server on iManage settings", () => {
  it("chooses among the operator's registrations, whose address it then has", async () => {
    const { built, form, add, found } = await opened();
    const cloud = await shared(built, "cloud", CLOUD);
    const page = await form();
    expect(page.body).toContain(`name="shared" value="${cloud.name}"`);
    expect(page.body).toContain(`${cloud.name}, at ${CLOUD}`);
    const done = await add({ name: "cloud", kind: "cloud", shared: cloud.name });
    expect(done.status).toBe(303);
    expect(await found("cloud")).toMatchObject({
      registration: cloud.id,
      endpoints: { apiBaseUrl: CLOUD },
    });
  });

  it("T10 is offered no registration at another firm's address, nor may it name one; the operator may", async () => {
    const { built, form, add, found } = await opened();
    const elsewhere = await shared(built, "hartlowell", "https://imanage.hartlowell.example");
    expect((await form()).body).not.toContain(elsewhere.name);
    const refused = await add({ name: "theirs", kind: "on-premises", shared: elsewhere.name });
    expect(refused.status).toBe(422);
    expect(refused.body).toContain("Default configuration is none that this organisation may choose.");
    expect(await found("theirs")).toBeUndefined();

    const { portal, configuration } = built.broker;
    const session = {
      ...{
        v: 1 as const,
        issuer: "https://idp.example",
        subject: "olga",
        name: "Olga",
        role: "operator" as const,
      },
      ...{ organisations: "all" as const, startedAt: 0, expiresAt: Number.MAX_SAFE_INTEGER },
    };
    const olga = await operatorAt(portal, { session, formToken: "" }, built.organisation as OrganisationId);
    const offered = await listDefaultConfigurations(portal, olga!);
    expect(offered.map(({ name }) => name)).toContain(elsewhere.name);

    // Where one of its servers uses it, it is the organisation's to choose again.
    const own = (await configuration.findServer(built.server))!;
    await put.server(configuration, { ...own, registration: elsewhere.id });
    expect((await form()).body).toContain(elsewhere.name);
  });

  it("needs no address on iManage Cloud, and is told that it needs one elsewhere", async () => {
    const { add, found } = await opened();
    const own = { name: "work", client_id: "work-broker", address: "" };
    const refused = await add({ ...own, kind: "on-premises" });
    expect(refused.status).toBe(422);
    expect(refused.body).toContain("Error: Address is required");
    expect((await add({ ...own, kind: "cloud" })).status).toBe(303);
    expect((await found("work"))?.endpoints.apiBaseUrl).toBe(CLOUD);
  });
});
