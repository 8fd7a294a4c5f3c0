import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import {
  type ApplyPorts,
  type ApplyResult,
  applyConfiguration,
} from "../../../src/broker/organisations/apply-configuration.ts";
import { changesNothing } from "../../../src/broker/organisations/plan.ts";
import { renewClientSecret } from "../../../src/broker/organisations/renew-client-secret.ts";
import { clientSecretContext } from "../../../src/broker/seal-contexts.ts";
import { days, hours } from "../../../src/domain/instant.ts";
import { Problem } from "../../../src/domain/problem.ts";
import type { Sealed } from "../../../src/domain/sealed.ts";
import { Secret } from "../../../src/domain/secret.ts";
import { endpointsOf, type Server } from "../../../src/domain/server.ts";
import { CountedRandom } from "../../fakes/counted-random.ts";
import { MemoryClientSecrets } from "../../fakes/memory-client-secrets.ts";
import { MemoryConfigurationStore } from "../../fakes/memory-configuration-store.ts";
import { MemorySealer } from "../../fakes/memory-sealer.ts";
import { BY_TEST, put } from "../../kit/put-records.ts";
import { changed, desiredOf, listOf, type SmallFile, smallFile } from "./wanted.ts";

let ports: ApplyPorts & { store: MemoryConfigurationStore };
let files: Record<string, string>;
let now: number;

beforeEach(() => {
  now = Date.UTC(2026, 10, 22);
  files = { us: "secret-of-us", dms: "secret-of-dms" };
  ports = {
    store: new MemoryConfigurationStore(),
    sealer: new MemorySealer(),
    clientSecrets: new MemoryClientSecrets(),
    random: new CountedRandom(),
    clock: { now: () => now, monotonicMs: () => now },
    secretSource: {
      read: async (reference) => {
        const name = "file" in reference ? reference.file : reference.env;
        const text = files[name];
        return text === undefined ? { fault: `${name} cannot be read` } : new Secret(text);
      },
    },
  };
});

const apply = (file: SmallFile = smallFile(), dryRun = false): Promise<ApplyResult> =>
  applyConfiguration(ports, desiredOf(file), { dryRun, note: BY_TEST });

const acts = ({ plan }: ApplyResult): string[] =>
  plan.steps.filter(({ act }) => act !== "keep").map(({ act, kind, name }) => `${act} ${kind} ${name}`);

async function serverNamed(organisation: string, name: string): Promise<Server> {
  const found = await ports.store.findOrganisationByName(organisation);
  return (await ports.store.findServerByName(found?.id as never, name)) as Server;
}

async function secretsOf(server: Server): Promise<(string | undefined)[]> {
  const registration = await ports.store.findRegistration(server.registration);
  if (registration === undefined) return [];
  const opened = registration.secrets.map(({ sealed }) =>
    ports.sealer.open(sealed as Sealed, clientSecretContext(registration, server)),
  );
  return (await Promise.all(opened)).map((secret) => secret.reveal());
}

describe("the first time", () => {
  test("everything is made, and refers to one another", async () => {
    const result = await apply();
    expect(acts(result)).toEqual([
      "create organisation meridian",
      "create registration shared us",
      "create registration meridian/dms",
      "create server meridian/dms",
      "create server meridian/cloud",
      "create client tracker",
      "create policy tracker → meridian",
    ]);
    const dms = await serverNamed("meridian", "dms");
    expect(dms).toMatchObject({
      customerId: "1",
      configurationGeneration: 1,
      settings: { codeLifeMs: 30_000 },
    });
    expect(result.records.servers["meridian/dms"]).toEqual({ id: dms.id, registration: dms.registration });
    const { policy, generation } = await ports.store.findPolicy(
      result.records.clients.tracker as never,
      result.records.organisations.meridian as never,
    );
    expect([policy?.rules, generation]).toEqual([
      [{ servers: [dms.id], users: "all", libraries: "all", actions: ["token", "connect"] }],
      1,
    ]);
  });

  test("client secrets are sealed to the origin they will be sent to, and to no other", async () => {
    await apply();
    const dms = await serverNamed("meridian", "dms");
    expect(await secretsOf(dms)).toEqual(["secret-of-dms"]);
    await expect(secretsOf({ ...dms, endpoints: endpointsOf("https://evil.example") })).rejects.toThrow(
      Problem,
    );
    expect(await secretsOf(await serverNamed("meridian", "cloud"))).toEqual(["secret-of-us"]);
  });

  test("no secret is stored as it is", async () => {
    const result = await apply();
    const dump = JSON.stringify(ports.store.dump());
    const made = result.newClientSecrets[0]?.secret.reveal() as string;
    for (const secret of ["secret-of-dms", "secret-of-us", made]) expect(dump).not.toContain(secret);
  });

  test("a new client's secret is made, shown once, and fits", async () => {
    const { newClientSecrets } = await apply();
    expect(newClientSecrets.map(({ client }) => client)).toEqual(["tracker"]);
    const client = await ports.store.findClientByName("tracker");
    expect(
      ports.clientSecrets.matches(newClientSecrets[0]?.secret as Secret, client?.secrets ?? [], now),
    ).toBe(true);
    expect((await apply()).newClientSecrets).toEqual([]);
  });

  test("a client's secret may come from a file, and is not shown then", async () => {
    files.tracker = "imb_sk_from-a-file";
    const { newClientSecrets } = await apply(changed("clients.0.secret_file", "tracker"));
    expect(newClientSecrets).toEqual([]);
    const client = await ports.store.findClientByName("tracker");
    expect(ports.clientSecrets.matches(new Secret("imb_sk_from-a-file"), client?.secrets ?? [], now)).toBe(
      true,
    );
  });

  test("a server may be made before iManage made its secret", async () => {
    await apply(changed("organisations.0.servers.0.registration.client_secret_file", undefined));
    expect(await secretsOf(await serverNamed("meridian", "dms"))).toEqual([]);
    const second = await apply();
    expect(acts(second)).toEqual(["change registration meridian/dms", "change server meridian/dms"]);
    expect(await secretsOf(await serverNamed("meridian", "dms"))).toEqual(["secret-of-dms"]);
  });
});

describe("again", () => {
  test("the same file changes nothing, writes nothing and says so", async () => {
    const first = await apply();
    const writes = ports.store.writes.length;
    now += 86_400_000;
    const second = await apply();
    expect(changesNothing(second.plan)).toBe(true);
    expect(ports.store.writes).toHaveLength(writes);
    expect(second.records).toEqual(first.records);
  });

  test("members by list and by claim are told by their number and by name, and all of them go when the file says nothing", async () => {
    await apply();
    const file = smallFile();
    const members = { subjects: ["u-1", "u-2"], claims: { groups: ["imanage-users"] } };
    Object.assign(file.organisations[0]!, { members });
    const changesOf = ({ plan }: ApplyResult) => plan.steps.flatMap(({ changes }) => changes);
    expect(changesOf(await apply(file))).toEqual([
      { field: "members", from: "all", to: "2 listed, groups=imanage-users" },
    ]);
    expect((await ports.store.findOrganisationByName("meridian"))?.members).toEqual({
      everyone: false,
      subjects: ["u-1", "u-2"],
      claims: [{ name: "groups", value: "imanage-users" }],
    });
    expect(changesOf(await apply(file))).toEqual([]);

    members.subjects = ["u-2", "u-3"];
    expect(changesOf(await apply(file))).toMatchObject([{ to: "2 listed, groups=imanage-users (+1 −1)" }]);
    expect(changesOf(await apply())).toMatchObject([{ field: "members", to: "all" }]);
  });

  test("a dry run tells the same plan and writes nothing", async () => {
    const dry = await apply(smallFile(), true);
    expect([dry.applied, ports.store.writes]).toEqual([false, []]);
    expect(acts(dry)).toEqual(acts(await apply()));
  });

  test("a changed setting raises the server's configuration generation, a changed title does not", async () => {
    await apply();
    const result = await apply(changed("organisations.0.servers.0.settings", { code_life_seconds: 60 }));
    expect(result.plan.steps.flatMap(({ changes }) => changes)).toEqual([
      { field: "settings.code_life_seconds", from: "30", to: "60" },
    ]);
    expect((await serverNamed("meridian", "dms")).configurationGeneration).toBe(2);

    const file = changed("organisations.0.servers.0.settings", { code_life_seconds: 60 });
    (listOf(file, "organisations.0.servers")[0] as Record<string, unknown>).display_name = "DMS";
    await apply(file);
    expect(await serverNamed("meridian", "dms")).toMatchObject({
      displayName: "DMS",
      configurationGeneration: 2,
    });
  });

  test("a setting that is taken out of the file is the default again", async () => {
    await apply(changed("organisations.0.servers.0.settings", { scope: "admin" }));
    await apply();
    expect((await serverNamed("meridian", "dms")).settings.scope).toBe("user");
  });

  test("silence in a file takes back neither a confirmed customer nor an announced issuer", async () => {
    const file = changed("organisations.0.servers.1.customer_id", undefined);
    await apply(file);
    const cloud = await serverNamed("meridian", "cloud");
    await put.server(ports.store, {
      ...cloud,
      customerId: "5948",
      settings: { ...cloud.settings, issuer: "required" },
    });
    expect(changesNothing((await apply(file)).plan)).toBe(true);
    expect(await serverNamed("meridian", "cloud")).toMatchObject({
      customerId: "5948",
      settings: { issuer: "required" },
    });
  });

  test("what the file does not mention is left alone and listed", async () => {
    const both = smallFile();
    both.organisations.push({ name: "other" });
    both.clients.push({ name: "editor" });
    listOf(both, "clients.0.policies").push({ organisation: "other", actions: ["token"] });
    await apply(both);
    const before = ports.store.dump();
    const file = smallFile();
    listOf(file, "organisations.0.servers").pop();
    const { plan } = await apply(file);
    expect(plan.notInFile.map(({ kind, name }) => `${kind} ${name}`).sort()).toEqual([
      "client editor",
      "organisation other",
      "policy tracker → other",
      "server meridian/cloud",
    ]);
    expect(ports.store.dump()).toEqual(before);
  });

  test("a policy that changes voids the verdicts of the organisation, and only then", async () => {
    const { records } = await apply();
    await apply();
    await apply(changed("clients.0.policies.0.actions", []));
    const { policy, generation } = await ports.store.findPolicy(
      records.clients.tracker as never,
      records.organisations.meridian as never,
    );
    expect([policy?.rules[0]?.actions, generation]).toEqual([[], 2]);
  });

  test("stopping a client voids its broker tokens", async () => {
    await apply();
    await apply(changed("clients.0.state", "stopped"));
    expect(await ports.store.findClientByName("tracker")).toMatchObject({ state: "stopped", generation: 2 });
  });
});

describe("a changed client secret", () => {
  test("becomes the first of at most two, and raises registration and server", async () => {
    await apply();
    files.dms = "second";
    await apply();
    files.dms = "third";
    await apply();
    const dms = await serverNamed("meridian", "dms");
    expect(await secretsOf(dms)).toEqual(["third", "second"]);
    expect(dms.configurationGeneration).toBe(3);
    expect((await ports.store.findRegistration(dms.registration))?.generation).toBe(3);
    expect((await serverNamed("meridian", "cloud")).configurationGeneration).toBe(1);
  });

  test("taken back, the earlier one is the first again and neither is lost", async () => {
    await apply();
    files.dms = "second";
    await apply();
    files.dms = "secret-of-dms";
    await apply();
    expect(await secretsOf(await serverNamed("meridian", "dms"))).toEqual(["secret-of-dms", "second"]);
    expect(changesNothing((await apply()).plan)).toBe(true);
  });

  test("of a shared registration raises every server that uses it, in the file or not", async () => {
    const both = smallFile();
    both.organisations.push({
      name: "other",
      servers: [{ name: "cloud", kind: "cloud", customer_id: 6120, registration: { shared: "us" } }],
    });
    await apply(both);
    files.us = "second";
    const result = await apply();
    expect(acts(result)).toEqual([
      "change registration shared us",
      "change server meridian/cloud",
      "change server other/cloud",
    ]);
    expect((await serverNamed("other", "cloud")).configurationGeneration).toBe(2);
    expect(await secretsOf(await serverNamed("other", "cloud"))).toEqual(["second", "secret-of-us"]);
  });

  test("a changed date of expiry alone raises nothing", async () => {
    await apply();
    await apply(changed("organisations.0.servers.0.registration.client_secret_expires", "2028-01-01"));
    const dms = await serverNamed("meridian", "dms");
    const registration = await ports.store.findRegistration(dms.registration);
    expect(registration?.secrets[0]?.expiresAt).toBe(Date.UTC(2028, 0, 1));
    expect([registration?.generation, dms.configurationGeneration]).toEqual([1, 1]);
  });

  test("with another client id, secrets of the earlier one go, and people are told what follows", async () => {
    await apply();
    files.dms = "of the other application";
    const result = await apply(changed("organisations.0.servers.0.registration.client_id", "broker-2"));
    expect(result.plan.warnings).toEqual([
      { name: "registration meridian/dms", message: expect.stringContaining("must authorise again") },
    ]);
    expect(await secretsOf(await serverNamed("meridian", "dms"))).toEqual(["of the other application"]);
  });
});

describe("refused, with nothing changed", () => {
  async function refused(file: SmallFile): Promise<string[]> {
    const before = ports.store.dump();
    const result = await apply(file);
    expect(result.applied).toBe(false);
    expect(ports.store.dump()).toEqual(before);
    return result.plan.refusals.map(({ name, message }) => `${name} ${message}`);
  }

  test("a server that moves", async () => {
    await apply();
    const file = changed("organisations.0.servers.0.address", "https://dms2.meridian.example");
    expect(await refused(file)).toEqual([
      expect.stringContaining(
        "server meridian/dms has another address now than the stored https://dms.meridian.example",
      ),
    ]);
  });

  test("a shared registration that moves", async () => {
    await apply();
    const file = changed("shared_registrations.0.address", "https://m.cloudimanage.com");
    listOf(file, "organisations.0.servers").pop();
    expect(await refused(file)).toEqual([
      expect.stringContaining("registration shared us has another address now than the stored"),
    ]);
  });

  test("a token endpoint that moves within its origin", async () => {
    await apply();
    const file = changed("organisations.0.servers.0.token_url", "https://dms.meridian.example/other/token");
    expect(await refused(file)).toEqual([expect.stringContaining("server meridian/dms has another address")]);
  });

  test("a customer that an organisation outside the file has on the shared registration", async () => {
    await apply();
    const file = smallFile();
    file.organisations = [
      {
        name: "other",
        servers: [{ name: "cloud", kind: "cloud", customer_id: 5948, registration: { shared: "us" } }],
      },
    ];
    file.clients = [];
    expect(await refused(file)).toEqual([
      expect.stringContaining(
        "claims customer 5948 on the shared registration us, which belongs to organisation meridian",
      ),
    ]);
  });

  test("secrets that cannot be read, all of them at once", async () => {
    files = {};
    expect(await refused(smallFile())).toEqual([
      "registration shared us us cannot be read",
      "registration meridian/dms dms cannot be read",
    ]);
  });

  test("a client's secret that the token endpoint would never accept", async () => {
    files.tracker = "password1";
    expect(await refused(changed("clients.0.secret_file", "tracker"))).toEqual([
      expect.stringContaining("client tracker points at something that is not a client secret"),
    ]);
  });
});

test("a stored secret that does not open stops everything", async () => {
  await apply();
  const dms = await serverNamed("meridian", "dms");
  const registration = await ports.store.findRegistration(dms.registration);
  await put.registration(ports.store, {
    ...(registration as never as object),
    tokenOrigin: "https://evil.example",
  } as never);
  await expect(apply()).rejects.toMatchObject({ code: "integrity_failure" });
});

test("killed after any write, applying again ends in the same records", async () => {
  const changedFile = () => {
    const file = changed("organisations.0.servers.0.settings", { code_life_seconds: 60 });
    file.organisations.push({
      name: "other",
      servers: [{ ...listOf(file, "organisations.0.servers")[1], customer_id: 7 }],
    });
    listOf(file, "clients.0.policies").push({ organisation: "other", actions: ["token"] });
    return file;
  };
  const view = async () => {
    const organisations = await ports.store.listOrganisations();
    const servers = (await Promise.all(organisations.map(({ id }) => ports.store.listServers(id)))).flat();
    return {
      organisations: organisations.map(({ name }) => name).sort(),
      servers: await Promise.all(
        servers
          .sort((a, b) => (`${a.customerId}` < `${b.customerId}` ? -1 : 1))
          .map(async (server) => [server.name, server.settings.codeLifeMs, await secretsOf(server)]),
      ),
      clients: (await ports.store.listClients()).map(({ name, secrets }) => [name, secrets.length]),
    };
  };
  await fc.assert(
    fc
      .asyncProperty(fc.nat(7), fc.nat(9), async (first, second) => {
        for (const [left, file] of [
          [first, smallFile()],
          [second, changedFile()],
        ] as const) {
          ports.store.writesLeft = left;
          await apply(file).catch((error: Error) => expect(error.message).toBe("killed"));
          ports.store.writesLeft = Number.POSITIVE_INFINITY;
        }
        files.dms = "second";
        await apply(changedFile());
        expect(changesNothing((await apply(changedFile())).plan)).toBe(true);
        const seen = await view();
        expect(seen.organisations).toEqual(["meridian", "other"]);
        expect(seen.clients).toEqual([["tracker", 1]]);
        expect(seen.servers.map(([, , secrets]) => (secrets as string[])[0])).toEqual([
          "second",
          "secret-of-us",
          "secret-of-us",
        ]);
      })
      .beforeEach(async () => {
        ports = { ...ports, store: new MemoryConfigurationStore() };
        files = { us: "secret-of-us", dms: "secret-of-dms" };
      }),
    { numRuns: 60 },
  );
});

test("whatever the file, applied twice it changes nothing the second time", async () => {
  const name = fc.constantFrom("a", "b", "c", "d");
  const server = fc.record({
    name,
    kind: fc.constant("on-premises"),
    customer_id: fc.nat(3),
    settings: fc.record(
      {
        code_life_seconds: fc.integer({ min: 6, max: 90 }),
        refresh_token: fc.constantFrom("required", "optional"),
        rotation: fc.constantFrom("unknown", "strict", "static"),
        refresh_extends_life: fc.boolean(),
      },
      { requiredKeys: [] },
    ),
  });
  const file = fc
    .record({
      organisations: fc.uniqueArray(
        fc.record({
          name,
          enabled: fc.boolean(),
          servers: fc.uniqueArray(server, { maxLength: 3, selector: (entry) => entry.name }),
        }),
        { maxLength: 3, selector: (entry) => entry.name },
      ),
      clients: fc.uniqueArray(
        fc.record({ name, actions: fc.uniqueArray(fc.constantFrom("token", "status", "sync")) }),
        { maxLength: 3, selector: (entry) => entry.name },
      ),
    })
    .map(({ organisations, clients }) => ({
      version: 1,
      organisations: organisations.map((organisation) => ({
        ...organisation,
        servers: organisation.servers.map((entry) => ({
          ...entry,
          address: `https://${entry.name}.${organisation.name}.example`,
          registration: { client_id: "x", client_secret_file: "dms" },
        })),
      })),
      clients: clients.map((client) => ({
        name: client.name,
        policies: organisations.map((organisation) => ({
          organisation: organisation.name,
          actions: client.actions,
        })),
      })),
    }));
  await fc.assert(
    fc.asyncProperty(fc.array(file, { minLength: 1, maxLength: 3 }), async (history) => {
      ports = { ...ports, store: new MemoryConfigurationStore() };
      for (const entry of history) {
        const first = await applyConfiguration(ports, desiredOf(entry), { dryRun: false, note: BY_TEST });
        expect(first.plan.refusals).toEqual([]);
        const before = ports.store.dump();
        const second = await applyConfiguration(ports, desiredOf(entry), { dryRun: false, note: BY_TEST });
        expect(changesNothing(second.plan)).toBe(true);
        expect(ports.store.dump()).toEqual(before);
      }
    }),
    { numRuns: 60 },
  );
});

describe("a client's next secret", () => {
  test("fits at once beside the one before, and voids broker tokens", async () => {
    const { newClientSecrets } = await apply();
    const { secret } = await renewClientSecret(ports, "tracker", BY_TEST);
    const client = await ports.store.findClientByName("tracker");
    expect(client).toMatchObject({ generation: 2 });
    for (const one of [secret, newClientSecrets[0]?.secret as Secret]) {
      expect(ports.clientSecrets.matches(one, client?.secrets ?? [], now)).toBe(true);
    }
    expect(changesNothing((await apply()).plan)).toBe(true);
  });

  const counting = async (secrets: readonly Secret[], at: number) => {
    const stored = (await ports.store.findClientByName("tracker"))?.secrets ?? [];
    return secrets.map((one) => ports.clientSecrets.matches(one, stored, at));
  };

  test("where two count already gives the older one a day, and not to the one that is made", async () => {
    const { newClientSecrets } = await apply();
    const first = newClientSecrets[0]?.secret as Secret;
    const { secret: second, oldestEndsAt: none } = await renewClientSecret(ports, "tracker", BY_TEST);
    const { secret: third, oldestEndsAt } = await renewClientSecret(ports, "tracker", BY_TEST);
    expect([none, oldestEndsAt]).toEqual([undefined, now + hours(24)]);
    expect(await counting([first, second, third], now + hours(24) - 1)).toEqual([true, true, true]);
    expect(await counting([first, second, third], now + hours(24))).toEqual([false, true, true]);
  });

  test("alone makes the others void at once", async () => {
    const { newClientSecrets } = await apply();
    const first = newClientSecrets[0]?.secret as Secret;
    const { secret, others } = await renewClientSecret(ports, "tracker", BY_TEST, { alone: true });
    expect(others).toBe(0);
    expect(await counting([first, secret], now)).toEqual([false, true]);
  });

  test("ends when it was said to end", async () => {
    await apply();
    const ends = now + days(90);
    const { secret } = await renewClientSecret(ports, "tracker", BY_TEST, { expiresAt: ends });
    expect(await counting([secret], ends - 1)).toEqual([true]);
    expect(await counting([secret], ends)).toEqual([false]);
  });

  test("of nobody is refused", async () => {
    await expect(renewClientSecret(ports, "nobody", BY_TEST)).rejects.toMatchObject({ code: "not_found" });
  });
});
