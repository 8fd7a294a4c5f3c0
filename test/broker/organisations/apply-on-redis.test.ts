import { randomBytes } from "node:crypto";
import { expect, inject, onTestFinished, test } from "vitest";
import {
  type ApplyPorts,
  applyConfiguration,
} from "../../../src/broker/organisations/apply-configuration.ts";
import { changesNothing } from "../../../src/broker/organisations/plan.ts";
import { Secret } from "../../../src/domain/secret.ts";
import { makeClientSecrets } from "../../../src/security/client-secrets.ts";
import { makeRecordMac } from "../../../src/security/record-mac.ts";
import { parseRootKeyset } from "../../../src/security/root-keyset.ts";
import { makeSealer } from "../../../src/security/sealer.ts";
import { connectRedis, disconnect, whenReady } from "../../../src/store/connect-redis.ts";
import { RedisConfigurationStore } from "../../../src/store/redis-configuration-store.ts";
import { RedisDataKeyStore } from "../../../src/store/redis-data-key-store.ts";
import { RedisStore } from "../../../src/store/redis-store.ts";
import { SealedRecords } from "../../../src/store/sealed-records.ts";
import { BY_TEST } from "../../kit/put-records.ts";
import { addressOf } from "../../kit/redis.ts";
import { desiredOf, smallFile } from "./wanted.ts";

/** The fakes of the other tests are no kinder than this. */
test("on Redis, with real keys: applied twice changes nothing, and a new secret is found to be one", async () => {
  const connection = connectRedis(addressOf(), "fast");
  onTestFinished(() => disconnect(connection));
  await whenReady(connection);
  const redis = new RedisStore(connection);
  const random = { bytes: (count: number) => randomBytes(count) };
  const clock = { now: () => Date.now(), monotonicMs: () => performance.now() };
  const rootKeyset = parseRootKeyset(inject("rootKeyset"));
  let secret = "first";
  const ports: ApplyPorts = {
    store: new RedisConfigurationStore(redis, new SealedRecords(makeRecordMac(rootKeyset), () => {})),
    sealer: makeSealer({ dataKeys: new RedisDataKeyStore(redis), rootKeyset, random, clock }),
    clientSecrets: makeClientSecrets({ rootKeyset, random }),
    secretSource: { read: async () => new Secret(secret) },
    clock,
    random,
  };
  // The Redis is shared with other tests, so the names are this test's own.
  const own = randomBytes(6).toString("hex");
  const text = JSON.stringify(smallFile())
    .replaceAll('"meridian"', `"meridian-${own}"`)
    .replaceAll('"tracker"', `"tracker-${own}"`)
    .replaceAll('"us"', `"us-${own}"`);
  const desired = desiredOf(JSON.parse(text));

  const first = await applyConfiguration(ports, desired, { dryRun: false, note: BY_TEST });
  expect([first.applied, first.newClientSecrets.length]).toEqual([true, 1]);
  const second = await applyConfiguration(ports, desired, { dryRun: false, note: BY_TEST });
  expect(changesNothing(second.plan)).toBe(true);
  expect(second.records.servers).toMatchObject(first.records.servers);

  const client = await ports.store.findClientByName(`tracker-${own}`);
  const made = first.newClientSecrets[0]?.secret as Secret;
  expect(ports.clientSecrets.matches(made, client?.secrets ?? [], clock.now())).toBe(true);

  secret = "second";
  const third = await applyConfiguration(ports, desired, { dryRun: false, note: BY_TEST });
  expect(third.plan.steps.filter(({ act }) => act === "change").map(({ name }) => name)).toEqual([
    `shared us-${own}`,
    `meridian-${own}/dms`,
    `meridian-${own}/dms`,
    `meridian-${own}/cloud`,
  ]);
});
