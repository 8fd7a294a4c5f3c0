import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { storeConsent } from "../../src/broker/authorization/redeem.ts";
import { authenticateBySecret } from "../../src/broker/clients/authenticate-client.ts";
import { keyOwners, rootKeyUses } from "../../src/broker/keys/root-keys.ts";
import {
  accessTokenContext,
  organisationOwner,
  refreshTokenContext,
} from "../../src/broker/seal-contexts.ts";
import type { CliDeps } from "../../src/cli/build-cli.ts";
import { readSettings } from "../../src/config/settings.ts";
import type { ClientId, GrantId, OrganisationId, ServerId } from "../../src/domain/id.ts";
import { days } from "../../src/domain/instant.ts";
import type { KeyOwner, Sealed } from "../../src/domain/sealed.ts";
import { Secret } from "../../src/domain/secret.ts";
import { VaultTransit } from "../../src/kms/vault-transit.ts";
import { type Broker, compose } from "../../src/main/compose.ts";
import { makeLog } from "../../src/ops/log.ts";
import { systemRandom } from "../../src/security/random.ts";
import {
  addRootKey,
  createRootKeyset,
  openRootKeyset,
  promoteRootKey,
  retireRootKey,
  wrapRootKeyset,
} from "../../src/security/root-keyset.ts";
import { isWrapped } from "../../src/security/root-keyset-file.ts";
import { verifySigned } from "../../src/security/signer.ts";
import { auditKey, dueKey, grantKey, organisationKey, revocationsKey } from "../../src/store/keys.ts";
import { addOrganisation } from "../kit/additions.ts";
import { manyGrants } from "../kit/many-grants.ts";
import { BY_TEST } from "../kit/put-records.ts";
import { keysOf, ownRedisForThisTest } from "../kit/redis.ts";
import { runCli } from "../kit/run-cli.ts";
import { type World, world } from "../kit/world.ts";
import { vaultServer } from "../kms/vault-server.ts";

/** The CLI over the brokers of a world, as `main/cli.ts` puts it together; each command may say which keyset file it starts with. */
async function cliOn(here: World) {
  const folder = await mkdtemp(join(tmpdir(), "keys-cli-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const vault = await vaultServer();
  vault.addKey("broker");
  const tokenFile = join(folder, "token");
  await writeFile(
    tokenFile,
    vault.addToken({ "transit/encrypt/broker": ["update"], "transit/decrypt/broker": ["update"] }),
  );
  const transit = new VaultTransit({
    address: vault.address,
    mount: "transit",
    key: "broker",
    tokenFile,
    patienceMs: 0,
  });
  const keyset = join(folder, "keyset.json");
  await writeFile(keyset, await readFile(here.environment.ROOT_KEYSET_FILE!, "utf8"));

  /** A process that was started with the file as it is now. */
  const broker = async (): Promise<Broker> => {
    const started = await compose({
      settings: readSettings(here.environment),
      rootKeyset: await openRootKeyset(await readFile(keyset, "utf8"), transit),
      log: makeLog({ level: "silent" }),
    });
    await started.ready();
    onTestFinished(() => started.close());
    return started;
  };
  const run = (...args: string[]) => {
    const deps: Partial<CliDeps> = {
      explain: (error) => String(error),
      createRootKeyset: () => createRootKeyset(systemRandom, Date.now()),
      rootKeysetFiles: {
        add: (text) => addRootKey(text, systemRandom, Date.now()),
        promote: (text, id) => promoteRootKey(text, id),
        retire: (text, id) => retireRootKey(text, id),
        wrap: (text) => wrapRootKeyset(text, transit),
        isWrapped,
      },
      verifyCertificate: async (jws, keys) => verifySigned(jws, "shred-certificate+jws", JSON.parse(keys)),
      withBroker: async (use) => use({ ...(await broker()), note: BY_TEST } as never),
    };
    return runCli(deps, args);
  };
  return {
    run,
    broker,
    folder,
    keyset,
    vault,
    keys: async () => JSON.parse(await readFile(keyset, "utf8")).keys,
  };
}

/** On a Redis of its own: another root key closes what others seal under theirs. */
const ownWorld = async () => world({ redisUrl: (await ownRedisForThisTest()).url });

/** Everything of an organisation as a dump of Redis has it, and how many of its tokens open with it. */
async function dumpOf(here: World, organisation: string) {
  const owner = organisationOwner(organisation as OrganisationId);
  const redis = here.broker.stores.fast.connection as Redis;
  const grants = (await keysOf(redis, `b1:{${owner}}:grant:`)).map((key) => key.split(":").at(-1) as GrantId);
  const records = await Promise.all(
    grants.map(async (id) => ({ id, fields: await redis.hgetall(`b1:{${owner}}:grant:${id}`) })),
  );
  const server = await here.broker.configuration.findServer(records[0]!.fields.server as ServerId);
  return { owner, records, server, dataKeys: await redis.get(`b1:{${owner}}:data-keys`) };
}

/** How many secrets of a dump open in a broker, whose store has the dump's data keys put back under a name of their own. */
async function openedOf(dump: Awaited<ReturnType<typeof dumpOf>>, here: World, broker: Broker) {
  const redis = here.broker.stores.fast.connection as Redis;
  const known = dump.server!;
  await redis.set(`b1:{${dump.owner}}:data-keys`, dump.dataKeys!);
  broker.sealer.forget(dump.owner as KeyOwner);
  let [opened, secrets] = [0, 0];
  for (const { id, fields } of dump.records) {
    const of = { grant: id, server: known!, consentGeneration: Number(fields.gen) };
    for (const [text, context] of [
      [fields.rt, refreshTokenContext({ ...of, attempt: Number(fields.rt_att) })],
      [fields.at, accessTokenContext({ ...of, attempt: Number(fields.at_att) })],
    ] as const) {
      secrets += 1;
      opened += await broker.sealer.open(text as Sealed, context).then(
        () => 1,
        () => 0,
      );
    }
  }
  return { opened, secrets };
}

test("T28: of a shredded organisation no record of an older dump opens once the old root key is destroyed; its neighbour's all do", async () => {
  const here = await ownWorld();
  const cli = await cliOn(here);
  await manyGrants(here, 5);
  const neighbour = await addOrganisation(here, {
    servers: { dms: { simulator: here.simulator } },
    clients: { app: {} },
  });
  const theirs = {
    ...here,
    server: neighbour.servers.dms.id,
    organisation: neighbour.organisation,
    client: neighbour.clients.app,
  };
  await manyGrants(theirs as World, 5);
  const mine = await dumpOf(here, here.organisation);
  const theirDump = await dumpOf(here, neighbour.organisation);
  const name = (await here.broker.configuration.findOrganisation(here.organisation as OrganisationId))!.name;
  const before = await openedOf(mine, here, here.broker);
  expect(before).toEqual({ opened: 10, secrets: 10 });

  const preview = await cli.run("organisations", "shred", name);
  expect(preview.out).toMatch(/5 grant\n/);
  expect((await cli.run("organisations", "shred", name, "--confirm", "another")).code).toBe(1);
  expect((await dumpOf(here, here.organisation)).records).toHaveLength(5);

  // What a worker does beside it.
  const exporting = setInterval(() => void here.broker.workerStories.exportAudit(), 100);
  onTestFinished(() => clearInterval(exporting));
  const certificate = join(cli.folder, "certificate.jws");
  const shredded = await cli.run("organisations", "shred", name, "--confirm", name, "--out", certificate);
  clearInterval(exporting);
  expect(shredded).toMatchObject({ code: 0 });
  const redis = here.broker.stores.fast.connection as Redis;
  const left = (await keysOf(redis, `b1:{${mine.owner}}:`)).map((key) => key.split(":").at(-1)).sort();
  expect(left.filter((key) => !["audit", "audit-head", "gate", "shredded"].includes(key!))).toEqual([]);

  // The certificate is checked offline, and says which root key has to go.
  const keys = join(cli.folder, "keys.json");
  await writeFile(keys, (await cli.run("keys", "public")).out);
  const said = JSON.parse((await cli.run("keys", "verify-certificate", certificate, "--keys", keys)).out);
  const [root] = await cli.keys();
  expect(said).toMatchObject({
    organisation: here.organisation,
    name,
    shredded_by: BY_TEST.actor,
    data_keys_destroyed: [
      Object.keys(JSON.parse(mine.dataKeys!).wrapped).find((key) => key !== "fingerprint"),
    ],
    root_keys_to_destroy: [root.id],
  });
  const jws = await readFile(certificate, "utf8");
  await writeFile(
    certificate,
    jws.replace(/\.(.)/, (_, one) => `.${one === "e" ? "f" : "e"}`),
  );
  expect(await cli.run("keys", "verify-certificate", certificate, "--keys", keys)).toMatchObject({
    code: 1,
    out: "",
  });

  // Late comers: neither a key nor a record comes back.
  here.broker.sealer.forget(mine.owner);
  await expect(here.broker.sealer.prepare(mine.owner)).rejects.toMatchObject({ code: "integrity_failure" });
  expect(
    (await here.client.accessToken({ server: here.server, subject: { type: "user", id: "user.0" } })).status,
  ).toBe(404);

  // The epoch: another root key, everything that is left rewrapped, the old one destroyed in the file.
  const added = /^(rk-\S+) is in/.exec((await cli.run("keys", "add-root", cli.keyset)).out)![1]!;
  await cli.run("keys", "promote-root", cli.keyset, added);
  const reopened = await openedOf(mine, here, await cli.broker());
  expect(reopened).toEqual({ opened: 10, secrets: 10 });
  await redis.del(`b1:{${mine.owner}}:data-keys`);
  await cli.run("keys", "rewrap");
  const file = JSON.parse(await readFile(cli.keyset, "utf8"));
  await writeFile(
    cli.keyset,
    JSON.stringify({ ...file, keys: file.keys.filter(({ id }: { id: string }) => id === added) }),
  );
  const after = await cli.broker();
  const rewrapped = await redis.get(`b1:{${theirDump.owner}}:data-keys`);
  expect(await openedOf(mine, here, after)).toEqual({ opened: 0, secrets: 10 });
  await redis.del(`b1:{${mine.owner}}:data-keys`);
  expect(await openedOf({ ...theirDump, dataKeys: rewrapped }, here, after)).toEqual({
    opened: 10,
    secrets: 10,
  });
});

test("a refresh and a sign-in that come home after their organisation was shredded store nothing (T28)", async () => {
  const here = await world();
  const [grant] = (await manyGrants(here, 1)) as [GrantId];
  const organisation = here.organisation as OrganisationId;
  const owner = organisationOwner(organisation);
  const { authorization, shredding, rootKeys, sealer, stores } = here.broker;
  const server = (await here.broker.configuration.findServer(here.server))!;
  // Sealed before, by a process that still has the key in memory.
  const of = { grant, server, consentGeneration: 1, attempt: 1 };
  const late = await sealer.seal(new Secret("late"), refreshTokenContext(of));
  const { keys } = await rootKeys.keys.read(owner);
  const facts = { v: 1, organisation, name: "firm", at: 1, by: "test", rootKeys: [], counts: {} } as const;
  const done = { ...facts, dataKeys: shredding.keyring.dataKeysOf(keys!) };
  expect(await shredding.shreds.destroyKeys(done, BY_TEST)).toBe(true);
  expect(await shredding.shreds.destroyKeys(done, BY_TEST)).toBe(false);
  await shredding.shreds.removeRecords(done);

  const committed = await stores.fast.run(
    "refresh-commit",
    [grantKey(grant), dueKey(organisation), revocationsKey(organisation)],
    [
      grant,
      "attempt",
      1,
      1,
      "parent",
      late,
      "fp",
      1_000,
      0,
      "",
      "",
      0,
      0,
      1_000,
      0,
      server.id,
      server.registration,
    ],
  );
  expect(committed).toBe("orphaned");
  const tokens = {
    accessToken: new Secret("a"),
    refreshToken: new Secret("r"),
    accessTokenLifeMs: 60_000,
    scope: undefined,
  };
  const user = { customerId: "5948", userId: "late", name: undefined, email: undefined };
  const consent = storeConsent(
    authorization,
    {
      server,
      credentials: { clientId: "token-broker", secrets: [] },
      receivedAt: authorization.clock.monotonicMs(),
      answer: tokens,
      identity: { user, apiRoot: "", dmsVersion: undefined },
    },
    {
      type: "user",
      client: here.client.id as ClientId,
      subject: { type: "user", issuer: "client", id: "late" },
    },
    BY_TEST,
  );
  await expect(consent).rejects.toThrow();
  const redis = stores.fast.connection as Redis;
  const left = (await keysOf(redis, `b1:{${owner}}:`)).map((key) => key.slice(key.indexOf("}:") + 2));
  expect(left.sort()).toEqual(["audit", "gate", "shredded"]);
});

test("of a shredded organisation the audit keeps its chain, and goes after as long as any", async () => {
  const here = await world({ redisUrl: (await ownRedisForThisTest()).url });
  const organisation = here.organisation as OrganisationId;
  const { shredding, stores, auditBuffer, workerStories } = here.broker;
  const redis = stores.fast.connection as Redis;
  await workerStories.exportAudit();
  // Old entries have gone: whoever begins anew here comes to other links.
  await redis.xtrim(auditKey(organisation), "MINID", "3-0");
  const facts = { v: 1, organisation, name: "firm", at: 1, by: "test", rootKeys: [], counts: {} } as const;
  const done = { ...facts, dataKeys: [] };
  await shredding.shreds.destroyKeys(done, BY_TEST);
  await workerStories.exportAudit();
  await shredding.shreds.removeRecords(done);
  expect(await auditBuffer.take(organisation, "a worker that has read who is there", 1_000)).toEqual({
    kind: "nothing",
  });
  expect(await auditBuffer.backlog(organisation)).toBe(0);
  const left = await redis.pttl(auditKey(organisation));
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThanOrEqual(days(here.broker.settings.AUDIT_RETENTION_DAYS));
});

test("a root key is rotated by hand: refused to go while data keys, records or client secrets need it, and none does", async () => {
  const here = await ownWorld();
  const cli = await cliOn(here);
  await manyGrants(here, 2);
  const old = (await cli.keys())[0].id as string;
  const added = /^(rk-\S+) is in/.exec((await cli.run("keys", "add-root", cli.keyset)).out)![1]!;
  expect(await cli.run("keys", "retire-root", cli.keyset, old, "--yes")).toMatchObject({ code: 1 });
  await cli.run("keys", "promote-root", cli.keyset, added);
  const needed = await cli.run("keys", "retire-root", cli.keyset, old, "--yes");
  expect(needed.code).toBe(1);
  expect(needed.err).toMatch(
    /is needed and stays: it wraps the keys of [1-9]\d* owners, seals [1-9]\d* records, and secrets of [1-9]\d* clients/,
  );

  await cli.run("keys", "rewrap");
  const younger = await cli.broker();
  const own = (await keyOwners(younger.rootKeys)).find(
    ({ owner }) => owner === organisationOwner(here.organisation as OrganisationId),
  )!;
  const { keys } = await younger.rootKeys.keys.read(own.owner);
  expect(younger.rootKeys.keyring.rootKeysOf(keys!)).toEqual([added]);
  const client = async () =>
    (await younger.rootKeys.store.listClients()).find(({ id }) => id === here.credentials.id);
  expect(younger.clientSecrets.rootKeyOf((await client())!.secrets[0]!.hmac)).toBe(old);
  const generation = (await client())!.generation;
  const { clients } = younger;
  await authenticateBySecret(clients, here.credentials.id, new Secret(here.credentials.secret), {
    requestId: "req_test",
    address: "127.0.0.1",
  });
  await expect
    .poll(async () => younger.clientSecrets.rootKeyOf((await client())!.secrets[0]!.hmac))
    .toBe(added);
  expect((await client())!.generation).toBe(generation);
  await authenticateBySecret(clients, here.credentials.id, new Secret(here.credentials.secret), {
    requestId: "req_test",
    address: "127.0.0.1",
  });
});

test("an organisation whose record is not believed keeps its data keys: rewrapped with the others, and counted until then", async () => {
  const here = await ownWorld();
  const cli = await cliOn(here);
  await manyGrants(here, 1);
  const organisation = here.organisation as OrganisationId;
  const redis = here.broker.stores.fast.connection as Redis;
  const record = (await redis.get(organisationKey(organisation)))!;
  await redis.set(organisationKey(organisation), `${record} `);
  const old = (await cli.keys())[0].id as string;
  const added = /^(rk-\S+) is in/.exec((await cli.run("keys", "add-root", cli.keyset)).out)![1]!;
  await cli.run("keys", "promote-root", cli.keyset, added);
  const { rootKeys } = await cli.broker();
  const uses = await rootKeyUses(rootKeys);
  expect(uses.find(({ rootKey }) => rootKey === old)).toMatchObject({ dataKeys: 1 });
  await cli.run("keys", "rewrap");
  const { keys } = await rootKeys.keys.read(organisationOwner(organisation));
  expect(rootKeys.keyring.rootKeysOf(keys!)).toEqual([added]);
});

test("a keyset that Vault wraps is made, added to and wrapped anew by commands, and a broker starts with it", async () => {
  const here = await ownWorld();
  const cli = await cliOn(here);
  const bare = (await cli.keys())[0].key as string;
  expect((await cli.run("keys", "wrap", cli.keyset)).out).toContain("holds its root keys wrapped");
  expect(await readFile(cli.keyset, "utf8")).not.toContain(bare);
  await cli.run("keys", "add-root", cli.keyset);
  cli.vault.rotate("broker");
  await cli.run("keys", "wrap", cli.keyset);
  expect(
    (await cli.keys()).map(({ wrapped, wrapper, key }: Record<string, string>) => [
      wrapped!.slice(0, 9),
      wrapper,
      key,
    ]),
  ).toEqual([
    ["vault:v2:", "vault-transit transit/broker", undefined],
    ["vault:v2:", "vault-transit transit/broker", undefined],
  ]);
  const made = join(cli.folder, "new.json");
  await cli.run("keys", "create", made, "--wrapped");
  expect(JSON.parse(await readFile(made, "utf8")).keys[0]).toMatchObject({
    wrapped: expect.stringMatching(/^vault:v2:/),
  });
  const status = await cli.run("keys", "status", "--json");
  expect(JSON.parse(status.out).root_keys.map(({ id }: { id: string }) => id)).toEqual(
    expect.arrayContaining((await cli.keys()).map(({ id }: { id: string }) => id)),
  );
});

test("a rotation is begun by a command, which says who does the rest, and told how far it is", async () => {
  const here = await ownWorld();
  const cli = await cliOn(here);
  const name = (await here.broker.configuration.findOrganisation(here.organisation as OrganisationId))!.name;
  expect((await cli.run("keys", "rotate")).err).toContain("Name one");
  expect((await cli.run("keys", "rotate", "--organisation", "nobody")).err).toContain(
    "There is no organisation nobody",
  );
  expect((await cli.run("keys", "rotate", "--organisation", name)).out).toMatch(
    /was added\.\nThe workers go on/,
  );
  expect((await cli.run("keys", "rotate", "--organisation", name)).out).toContain("is being rotated already");
  expect((await cli.run("keys", "status")).out).toMatch(
    new RegExp(`organisation ${name}: \\S+ was added at .*; it seals once every process knows it`),
  );
  const told = JSON.parse((await cli.run("keys", "status", "--json")).out).data_keys;
  expect(told.find(({ owner }: { owner: string }) => owner === `organisation ${name}`)).toMatchObject({
    phase: "spreading",
    started_by: BY_TEST.actor,
  });
});
