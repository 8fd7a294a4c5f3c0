import { expect, it } from "vitest";
import type { ClientId, OrganisationId } from "../../src/domain/id.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { auditKey, gateKey } from "../../src/store/keys.ts";
import { addOrganisation } from "../kit/additions.ts";
import { firmWithOperators, signInOperator } from "../kit/operators.ts";
import { enterPortal } from "../kit/portal.ts";
import { BY_TEST } from "../kit/put-records.ts";
import { AMELIA, type World, world } from "../kit/world.ts";

const sequencesOn = (body: string) =>
  [...body.matchAll(/<span class="sub">(\d+)<\/span>/g)].map(([, sequence]) => Number(sequence));
const linkOn = (body: string, label: string) =>
  new RegExp(`<a[^>]* href="([^"]+)">${label}</a>`).exec(body)?.[1]?.replaceAll("&amp;", "&");
const tokens = (here: World, count: number) =>
  Promise.all(
    Array.from({ length: count }, (_, i) =>
      here.client.accessToken({
        server: here.server,
        subject: { type: "user", id: AMELIA.subject },
        purpose: `matter ${i}`,
      }),
    ),
  );
const asAdmin = (here: World) =>
  enterPortal(here, { role: "organisation_admin", subject: { type: "user", id: "u-admin" } });

it("an organisation's admin reads what has happened, newest first, by pages and with filters, without scripts", async () => {
  const here = await world();
  await here.connect();
  await tokens(here, 60);
  const { browser } = await asAdmin(here);
  const settings = await browser.get(`${here.base}/settings`);
  expect(linkOn(settings.body, "What has happened")).toBe("/settings/audit");

  const page = await browser.get(`${here.base}/settings/audit`);
  const newest = await here.broker.auditBuffer.newest(here.organisation as OrganisationId);
  expect(page.status).toBe(200);
  expect(page.body).not.toContain("<script");
  expect(sequencesOn(page.body)).toEqual(Array.from({ length: 50 }, (_, i) => newest - i));
  expect(page.body).toContain("An application got an access token.");
  expect(page.body).toContain("Application Matter tracker");
  expect(page.body).toContain("Meridian DMS");
  const older = await browser.get(here.base + linkOn(page.body, "Older")!);
  expect(sequencesOn(older.body)[0]).toBe(newest - 50);
  expect(sequencesOn(older.body).at(-1)).toBe(1);
  expect(linkOn(older.body, "Older")).toBeUndefined();

  const only = async (query: string) => (await browser.get(`${here.base}/settings/audit?${query}`)).body;
  expect(sequencesOn(await only("action=grant.authorized"))).toHaveLength(1);
  const issued = await only(`action=token.issued&client=${here.client.id}`);
  const next = linkOn(issued, "Older")!;
  expect(next).toContain("action=token.issued");
  expect(sequencesOn((await browser.get(here.base + next)).body)).toHaveLength(10);
  expect(await only("person=test&action=organisation.created")).toContain("Operator test, by command line");
  const today = new Date(here.broker.clock.now()).toISOString().slice(0, 10);
  expect(sequencesOn(await only(`action=grant.authorized&from=${today}&to=${today}`))).toHaveLength(1);
  expect(await only("to=2020-01-01")).toContain("Nothing of this has happened");
  expect(await only("from=nonsense&action=nothing.known")).toContain(`<span class="sub">${newest}</span>`);
  const made = await only("older=made-up");
  expect(made).toContain("This link leads nowhere any more");
});

it("is shown to an admin only if the client that sent him may read it, and tells of no server that is not that client's", async () => {
  const here = await world();
  await here.connect();
  await tokens(here, 1);
  const { configuration } = here.broker;
  const organisation = here.organisation as OrganisationId;
  const found = (await configuration.findPolicy(here.client.id as ClientId, organisation)).policy!;
  const put = (policy: Policy, before: Policy) =>
    configuration.putPolicy(policy, { before, fields: ["servers"], note: BY_TEST });
  const [rule] = found.rules;
  const narrow: Policy = { ...found, rules: [{ ...rule!, servers: [] }] };
  await put(narrow, found);
  const { browser } = await asAdmin(here);
  const page = (await browser.get(`${here.base}/settings/audit`)).body;
  expect(page).toContain("organisation.created");
  expect(page).not.toMatch(/<code>token\.issued|<code>server\.created/);

  await put({ ...found, rules: [{ ...rule!, actions: ["token", "configure"] }] }, narrow);
  expect((await browser.get(`${here.base}/settings/audit`)).status).toBe(404);
  expect((await browser.get(`${here.base}/settings`)).body).not.toContain("/settings/audit");
});

it("operators read any organisation's, support those that are named for it", async () => {
  const { here, provider, supported } = await firmWithOperators();
  const added = await addOrganisation(here, {
    name: supported,
    servers: { dms: { simulator: here.simulator } },
  });
  const at = (organisation: string) => `${here.base}/operators/${organisation}/settings/audit`;
  const { browser: operator } = await signInOperator(here, provider, "olga");
  for (const organisation of [here.organisation, added.organisation]) {
    const page = await operator.get(at(organisation));
    expect([page.status, page.body.includes("organisation.created")]).toEqual([200, true]);
  }
  const older = await operator.get(
    `${at(added.organisation)}?older=${here.broker.cursors.seal(`audit page ${here.organisation} 3`)}`,
  );
  expect(older.body).toContain("This link leads nowhere any more");
  const { browser: support } = await signInOperator(here, provider, "sam");
  expect((await support.get(at(added.organisation))).status).toBe(200);
  expect((await support.get(at(here.organisation))).status).toBe(404);

  // Support knows people by less than their names, and does not find them by a name either.
  const organisation = added.organisation as OrganisationId;
  const redis = here.broker.stores.fast.connection;
  const sequence = await redis.hincrby(gateKey(organisation), "audit", 1);
  const lent = ["action", "library.authorized", "actor", "user:5948/jo.ward", "replaced", "amelia.hart"];
  await redis.xadd(auditKey(organisation), `${sequence}-0`, "at", String(Date.now()), ...lent);
  for (const name of ["user:5948/jo.ward", "amelia.hart"]) {
    const told = name.split("/").at(-1)!;
    expect((await operator.get(`${at(organisation)}?person=${name.slice(0, 4)}`)).body).toContain(told);
    for (const query of ["", "?person=nobody-of-this-name"]) {
      const seen = (await support.get(at(organisation) + query)).body;
      expect(seen).toContain("<code>library.authorized");
      expect(seen).not.toContain(told);
    }
  }
});
