import { expect, it } from "vitest";
import {
  type ClientId,
  makeId,
  makeRoute,
  type OrganisationId,
  organisationId,
  routeOf,
  type ServerId,
} from "../../src/domain/id.ts";
import { BY_TEST } from "../kit/put-records.ts";
import { world } from "../kit/world.ts";

const AT_ONCE = 20;

/** All have read the same and write at the same time. Answers how many were told that they come too late, and the entries left. */
async function race(
  here: Awaited<ReturnType<typeof world>>,
  write: (at: number, by: { before: undefined; fields: string[]; note: typeof BY_TEST }) => Promise<void>,
) {
  const { auditBuffer } = here.broker;
  const organisation = here.organisation as OrganisationId;
  const before = await auditBuffer.newest(organisation);
  const outcomes = await Promise.allSettled(
    Array.from({ length: AT_ONCE }, (_, at) => write(at, { before: undefined, fields: [], note: BY_TEST })),
  );
  const refused = outcomes.flatMap((each) => (each.status === "rejected" ? [each.reason.code] : []));
  return { refused, entries: (await auditBuffer.newest(organisation)) - before };
}
const ONE_WINS = { refused: Array(AT_ONCE - 1).fill("configuration_conflict"), entries: 1 };

it("of changes of one record that cross, one is stored and audited, and all others are told", async () => {
  const here = await world();
  const store = here.broker.configuration;
  const organisation = (await store.findOrganisation(here.organisation as OrganisationId))!;
  const server = (await store.findServer(here.server as ServerId))!;
  const registration = (await store.findRegistration(server.registration))!;
  const { policy } = await store.findPolicy(here.client.id as ClientId, organisation.id);

  const displayName = (at: number) => `change ${at}`;
  expect(
    await race(here, (at, by) =>
      store.putOrganisation(
        { ...organisation, displayName: displayName(at) },
        { ...by, before: organisation },
      ),
    ),
  ).toEqual(ONE_WINS);
  expect(
    await race(here, (at, by) =>
      store.putServer({ ...server, displayName: displayName(at) }, { ...by, before: server }),
    ),
  ).toEqual(ONE_WINS);
  expect(
    await race(here, (at, by) =>
      store.putRegistration({ ...registration, generation: at + 2 }, { ...by, before: registration }),
    ),
  ).toEqual(ONE_WINS);
  expect(
    await race(here, (at, by) =>
      store.putPolicy({ ...policy!, tokensPerMinute: at + 1 }, { ...by, before: policy }),
    ),
  ).toEqual(ONE_WINS);
});

it("of clients that are changed at once one change is stored", async () => {
  const here = await world();
  const store = here.broker.configuration;
  const client = (await store.findClient(here.client.id as ClientId))!;
  const { refused } = await race(here, (at, by) =>
    store.putClient({ ...client, generation: at + 2 }, { ...by, before: client }),
  );
  expect(refused).toEqual(ONE_WINS.refused);
  expect(await store.findStanding(client.id)).toMatchObject({
    generation: (await store.findClient(client.id))!.generation,
  });
});

it("a name is one record's, however many are made under it at once", async () => {
  const here = await world();
  const { configuration: store, clock, random } = here.broker;
  const server = (await store.findServer(here.server as ServerId))!;
  const own = () => makeId("srv", routeOf(server.id), clock.now(), random.bytes(16));
  expect(await race(here, (_, by) => store.putServer({ ...server, id: own(), name: "new" }, by))).toEqual(
    ONE_WINS,
  );

  const organisation = (await store.findOrganisation(here.organisation as OrganisationId))!;
  const name = `${organisation.name}-2`;
  const { refused } = await race(here, (_, by) =>
    store.putOrganisation({ ...organisation, id: organisationId(makeRoute(random.bytes(7))), name }, by),
  );
  expect(refused).toEqual(ONE_WINS.refused);
  expect(await store.findOrganisationByName(name)).toMatchObject({ name });
});

it("a record that is written again after its answer was lost is stored once, and audited once", async () => {
  const here = await world();
  const store = here.broker.configuration;
  const server = (await store.findServer(here.server as ServerId))!;
  const next = { ...server, displayName: "Once" };
  const { refused, entries } = await race(here, (_, by) => store.putServer(next, { ...by, before: server }));
  expect([refused, entries]).toEqual([[], 1]);
});
