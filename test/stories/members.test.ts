import { expect, it } from "vitest";
import type { OrganisationId } from "../../src/domain/id.ts";
import type { Members } from "../../src/domain/members.ts";
import { put } from "../kit/put-records.ts";
import { AMELIA, MOREAU, type World, world } from "../kit/world.ts";

const some = (...subjects: string[]): Members => ({
  everyone: false,
  subjects,
  claims: [{ name: "groups", value: "imanage-users" }],
});

async function setMembers(here: World, members: Members): Promise<void> {
  const { configuration } = here.broker;
  const organisation = await configuration.findOrganisation(here.organisation as OrganisationId);
  await put.organisation(configuration, { ...organisation!, members });
}

const tokenFor = (here: World, id: string, claims?: Record<string, string[]>) =>
  here.client.accessToken({ server: here.server, subject: { type: "user", id, ...(claims && { claims }) } });

it("iManage may be enabled for some: who is not among them neither connects nor gets a token, at once, and keeps the grant", async () => {
  const here = await world({ members: some(AMELIA.subject) });
  await here.connect(AMELIA);
  expect((await tokenFor(here, AMELIA.subject)).status).toBe(200);

  const refused = await here.client.call<{ code: string }>("POST", "/v1/connect-sessions", {
    server: here.server,
    subject: { type: "user", id: MOREAU.subject },
    return_url: "https://app.example/return",
  });
  expect(refused).toMatchObject({ status: 403, body: { code: "not_a_member", remedy: "operator" } });

  await setMembers(here, some());
  expect(await tokenFor(here, AMELIA.subject)).toMatchObject({ status: 403, body: { code: "not_a_member" } });
  await setMembers(here, { everyone: true });
  expect((await tokenFor(here, AMELIA.subject)).status).toBe(200);
});

it("a claim that the client makes of its person counts as well as a name on the list", async () => {
  const here = await world({ members: some(AMELIA.subject) });
  await here.connect(AMELIA);
  await setMembers(here, some());
  expect((await tokenFor(here, AMELIA.subject, { groups: ["staff"] })).status).toBe(403);
  expect((await tokenFor(here, AMELIA.subject, { groups: ["staff", "imanage-users"] })).status).toBe(200);
  expect((await tokenFor(here, AMELIA.subject, { roles: ["imanage-users"] })).status).toBe(403);
});

it("an organisation that is switched off begins no sign-in and gives no token; switched on again, all is as before", async () => {
  const here = await world();
  await here.connect(AMELIA);
  const { configuration } = here.broker;
  const organisation = (await configuration.findOrganisation(here.organisation as OrganisationId))!;
  await put.organisation(configuration, { ...organisation, enabled: false });
  expect(await tokenFor(here, AMELIA.subject)).toMatchObject({ body: { code: "organisation_disabled" } });
  expect(
    await here.client.call("POST", "/v1/connect-sessions", {
      server: here.server,
      subject: { type: "user", id: AMELIA.subject },
      return_url: "https://app.example/return",
    }),
  ).toMatchObject({ status: 403, body: { code: "organisation_disabled" } });
  await put.organisation(configuration, organisation);
  expect((await tokenFor(here, AMELIA.subject)).status).toBe(200);
});
