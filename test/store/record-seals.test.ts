import { expect, inject, it } from "vitest";
import { rewrapRecords, rootKeysOfRecords, sealRecords } from "../../src/broker/records/seal-records.ts";
import type { ClientId, OrganisationId } from "../../src/domain/id.ts";
import { systemRandom } from "../../src/security/random.ts";
import { makeRecordMac } from "../../src/security/record-mac.ts";
import {
  addRootKey,
  parseRootKeyset,
  promoteRootKey,
  retireRootKey,
} from "../../src/security/root-keyset.ts";
import { clientKey, gateKey, organisationKey, policyKey } from "../../src/store/keys.ts";
import { RedisConfigurationStore } from "../../src/store/redis-configuration-store.ts";
import { RedisRecordSeals } from "../../src/store/redis-record-seals.ts";
import { SealedRecords } from "../../src/store/sealed-records.ts";
import { BY_TEST } from "../kit/put-records.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { AMELIA, world } from "../kit/world.ts";

const told = { dryRun: false, note: BY_TEST };

async function ownWorld() {
  const here = await world({ redisUrl: (await ownRedisForThisTest()).url });
  const { configuration, stores, recordSeals } = here.broker;
  return { here, configuration, recordSeals, redis: stores.fast.connection };
}

it("records of an earlier version are refused until an operator takes them over; then everything works as before", async () => {
  const { here, recordSeals, redis } = await ownWorld();
  const organisation = here.organisation as OrganisationId;
  const client = here.client.id as ClientId;
  await here.connect();
  // As the version before this one left them.
  for (const { place, noun, text } of await recordSeals.survey()) {
    if (noun === "client") await redis.hset(place, { record: text, state: "active", generation: "1" });
    else await redis.set(place, text);
  }
  await redis.hdel(clientKey(client), "standing");
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const after = await here.replica();
  expect(await after.client.accessToken(ask)).toMatchObject({
    status: 500,
    body: { code: "integrity_failure" },
  });

  const asked = await sealRecords(recordSeals, [], { ...told, dryRun: true });
  expect(asked.taken.map(({ noun }) => noun).sort()).toEqual([
    "client",
    "organisation",
    "policy",
    "registration",
    "server",
  ]);
  expect((await after.client.accessToken(ask)).status).toBe(500);
  const done = await sealRecords(recordSeals, [], told);
  expect([done.taken.length, done.changed, done.refused, done.sound]).toEqual([5, [], [], 0]);
  expect((await recordSeals.survey()).map(({ state }) => state)).toEqual(Array(5).fill("sealed"));
  expect(Object.keys(await redis.hgetall(clientKey(client))).sort()).toEqual(["record", "standing"]);

  expect((await after.client.accessToken(ask)).status).toBe(200);
  const { body } = await after.client.token({ grant_type: "client_credentials" });
  const bearer = { authorization: `Bearer ${body.access_token}` };
  expect((await after.client.call("POST", "/v1/access-tokens", ask, bearer)).status).toBe(200);
  const entries = await here.broker.auditBuffer.newest(organisation);
  await sealRecords(recordSeals, [], told);
  expect(await here.broker.auditBuffer.newest(organisation)).toBe(entries);
});

it("an altered record is taken over by its place alone, and what the gate says is what the record says", async () => {
  const { here, configuration, recordSeals, redis } = await ownWorld();
  const organisation = here.organisation as OrganisationId;
  const place = organisationKey(organisation);
  const stored = (await redis.get(place))!;
  await redis.set(place, stored.replace("Meridian Legal", "Castor & Pell"));
  await redis.hset(gateKey(organisation), "enabled", "0");
  expect((await sealRecords(recordSeals, [], told)).refused).toMatchObject([{ place, state: "altered" }]);
  await expect(configuration.findOrganisation(organisation)).rejects.toMatchObject({
    code: "integrity_failure",
  });

  expect((await sealRecords(recordSeals, [place], told)).taken).toMatchObject([{ place }]);
  expect((await configuration.findOrganisation(organisation))?.displayName).toBe("Castor & Pell");
  expect(await redis.hget(gateKey(organisation), "enabled")).toBe("1");
  await expect(sealRecords(recordSeals, ["b1:{o:none}:organisation"], told)).rejects.toMatchObject({
    code: "not_found",
  });
});

it("after a rotation of the root every record is rewrapped, none is lost, and the former key is named by none", async () => {
  const { here, configuration, redis } = await ownWorld();
  const organisation = here.organisation as OrganisationId;
  const client = here.client.id as ClientId;
  await here.connect();
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  expect((await here.client.accessToken(ask)).status).toBe(200);
  const { fast } = here.broker.stores;
  const first = inject("rootKeyset");
  const added = addRootKey(first, systemRandom, Date.now());
  const promoted = promoteRootKey(added.text.reveal(), added.id).reveal();
  const former = parseRootKeyset(first).primary;
  const seals = new RedisRecordSeals(fast, makeRecordMac(parseRootKeyset(promoted)));
  expect([...(await rootKeysOfRecords(seals))]).toEqual([[former, 5]]);
  const { policy } = await configuration.findPolicy(client, organisation);

  expect(await rewrapRecords(seals)).toEqual({ rewrapped: 5, left: [] });
  expect([...(await rootKeysOfRecords(seals))]).toEqual([[added.id, 5]]);
  expect(await rewrapRecords(seals)).toEqual({ rewrapped: 0, left: [] });
  const alone = parseRootKeyset(retireRootKey(promoted, former).reveal());
  const store = new RedisConfigurationStore(fast, new SealedRecords(makeRecordMac(alone), () => {}));
  expect((await store.findPolicy(client, organisation)).policy).toEqual(policy);
  expect(await store.findStanding(client)).toEqual({ state: "active", generation: 1 });
  expect((await store.listServers(organisation)).map(({ id }) => id)).toEqual([here.server]);
  // Whoever has read them before reads the same again: the generation of policies tells him to.
  expect(await redis.get(policyKey(organisation, client))).toContain(added.id);
});
