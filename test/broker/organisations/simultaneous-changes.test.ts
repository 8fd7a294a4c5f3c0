import { expect, it } from "vitest";
import { changeClientSecret } from "../../../src/broker/organisations/change-client-secret.ts";
import { changeOrganisation, changeServer } from "../../../src/broker/organisations/change-organisation.ts";
import type { ConfigurationStore } from "../../../src/broker/organisations/ports.ts";
import type { OrganisationId } from "../../../src/domain/id.ts";
import { Secret } from "../../../src/domain/secret.ts";
import { makeAuthority } from "../../kit/certificates.ts";
import { BY_TEST } from "../../kit/put-records.ts";
import { AMELIA, type World, world } from "../../kit/world.ts";

const now = { dryRun: false, note: BY_TEST };

/** The store of `here` as one change sees it: right before that change first asks it for `method`, somebody else is done with `act`. */
function ports(here: World, method: keyof ConfigurationStore, act: () => Promise<unknown>) {
  const { changePorts } = here.broker;
  let pending: typeof act | undefined = act;
  const store = new Proxy(changePorts.store, {
    get(target, name: keyof ConfigurationStore) {
      const asked = (target[name] as (...given: unknown[]) => Promise<unknown>).bind(target);
      return async (...given: unknown[]) => {
        const before = name === method ? pending : undefined;
        if (before !== undefined) {
          pending = undefined;
          await before();
        }
        return asked(...given);
      };
    },
  });
  return { ...changePorts, store };
}

const told = (here: World, more: Record<string, unknown> = {}) => ({
  told: {
    display_name: "Meridian DMS",
    kind: "on-premises",
    address: here.simulator.origin,
    registration: { client_id: "token-broker" },
    ...more,
  },
  clientSecret: undefined,
});
const firmOf = (here: World) =>
  here.broker.configuration.findOrganisation(here.organisation as OrganisationId);
const serverOf = async (here: World, name = "dms") =>
  (await here.broker.configuration.findServerByName(here.organisation as OrganisationId, name))!;
const change = (here: World, server: ReturnType<typeof told>, held = here.broker.changePorts, name = "dms") =>
  changeServer(held, here.organisation as OrganisationId, name, server, now);
const changeFirm = (here: World, wanted: { enabled: boolean }, held = here.broker.changePorts) =>
  changeOrganisation(
    held,
    here.organisation as OrganisationId,
    { display_name: "Meridian Legal", members: "all", ...wanted },
    now,
  );
const conflict = { code: "configuration_conflict" };

it("an organisation that is switched off while one of its servers is changed stays off", async () => {
  const here = await world();
  await here.connect();
  const held = ports(here, "listOrganisations", () => changeFirm(here, { enabled: false }));
  const outcome = await change(here, told(here, { display_name: "Renamed" }), held);
  expect(outcome.changes.map(({ record, field }) => `${record} ${field}`)).toEqual(["server display_name"]);
  expect(await firmOf(here)).toMatchObject({ enabled: false });
  expect(await serverOf(here)).toMatchObject({ displayName: "Renamed" });
  const asked = await here.client.accessToken({
    server: here.server,
    subject: { type: "user", id: AMELIA.subject },
  });
  expect(asked.body).toMatchObject({ code: "organisation_disabled" });
});

it("a server that is changed while its organisation is switched off keeps its change", async () => {
  const here = await world();
  const held = ports(here, "putOrganisation", () => change(here, told(here, { display_name: "Renamed" })));
  await changeFirm(here, { enabled: false }, held);
  expect(await firmOf(here)).toMatchObject({ enabled: false });
  expect(await serverOf(here)).toMatchObject({ displayName: "Renamed" });
});

it("of two changes of one organisation the later is told of the other, and does not switch it on again", async () => {
  const here = await world();
  const held = ports(here, "putOrganisation", () => changeFirm(here, { enabled: false }));
  const renamed = changeOrganisation(
    held,
    here.organisation as OrganisationId,
    { display_name: "Meridian & Partners", enabled: true, members: "all" },
    now,
  );
  await expect(renamed).rejects.toMatchObject(conflict);
  expect(await firmOf(here)).toMatchObject({ enabled: false, displayName: "Meridian Legal" });
});

it("of two changes of one server the later is told of the other, and overwrites nothing", async () => {
  const here = await world();
  const held = ports(here, "putServer", () => change(here, told(here, { display_name: "First" })));
  await expect(change(here, told(here, { display_name: "Second" }), held)).rejects.toMatchObject(conflict);
  expect(await serverOf(here)).toMatchObject({ displayName: "First" });
});

it("of two new servers with one name there is one afterwards, and the other caller is told", async () => {
  const here = await world();
  const { origin } = here.simulator;
  const held = ports(here, "putServer", () =>
    change(here, told(here, { address: origin, display_name: "First" }), undefined, "second"),
  );
  const late = change(here, told(here, { display_name: "Late" }), held, "second");
  await expect(late).rejects.toMatchObject(conflict);
  expect(await serverOf(here, "second")).toMatchObject({ displayName: "First" });
});

it("of two client secrets entered at once the later is told, and the earlier stays the newest", async () => {
  const here = await world();
  const server = await serverOf(here);
  const enter = (secret: string, held = here.broker.changePorts) =>
    changeClientSecret(held, server, new Secret(secret), undefined, now);
  const held = ports(here, "putRegistration", () => enter("first"));
  await expect(enter("late", held)).rejects.toMatchObject(conflict);
  const { secrets } = (await here.broker.configuration.findRegistration(server.registration))!;
  expect(secrets).toHaveLength(2);
});

it("whatever is changed of a server while its client secret is entered stays, and so does the application it is for", async () => {
  const here = await world();
  const server = await serverOf(here);
  const settings = { rotation: "strict" };
  const held = ports(here, "listOrganisations", () =>
    change(here, told(here, { settings, registration: { client_id: "another" } })),
  );
  await changeClientSecret(held, server, new Secret("next"), undefined, now);
  expect(await serverOf(here)).toMatchObject({ settings: { rotation: "strict" } });
  expect(await here.broker.configuration.findRegistration(server.registration)).toMatchObject({
    clientId: "another",
  });
});

it("certificate authorities that are given while a server is changed stay", async () => {
  const here = await world();
  const held = ports(here, "listOrganisations", () =>
    change(here, told(here, { ca_certificates: makeAuthority("Meridian CA").certificate })),
  );
  await change(here, told(here, { display_name: "Renamed" }), held);
  expect((await serverOf(here)).trustedCertificates?.certificates).toHaveLength(1);
});
