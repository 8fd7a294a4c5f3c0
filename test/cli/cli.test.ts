import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { Command } from "commander";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DiagnosisEvent } from "../../src/broker/diagnosis/diagnose-server.ts";
import type { RecordSeal } from "../../src/broker/records/ports.ts";
import { buildCli, type CliBroker } from "../../src/cli/build-cli.ts";
import { type AuditEntry, linesOf } from "../../src/domain/audit-entry.ts";
import type { ClosedGate } from "../../src/domain/closed-server.ts";
import { type Diagnosis, verdictOf } from "../../src/domain/diagnosis.ts";
import type { Cause } from "../../src/domain/diagnosis-causes.ts";
import { findingOf } from "../../src/domain/diagnosis-finding.ts";
import type { Grant } from "../../src/domain/grant.ts";
import { makeId, routeOf } from "../../src/domain/id.ts";
import { Problem } from "../../src/domain/problem.ts";
import { Secret } from "../../src/domain/secret.ts";
import type { LearnedProfile } from "../../src/domain/server-profile.ts";
import { auditChain, readCheckpoint } from "../../src/security/audit-chain.ts";
import { parseRootKeyset } from "../../src/security/root-keyset.ts";
import { makeSigner } from "../../src/security/signer.ts";
import { CountedRandom } from "../fakes/counted-random.ts";
import { MemoryClientSecrets } from "../fakes/memory-client-secrets.ts";
import { MemoryConfigurationStore } from "../fakes/memory-configuration-store.ts";
import { MemorySealer } from "../fakes/memory-sealer.ts";
import { batchOf } from "../kit/audit-batch.ts";
import { earsOfCli } from "../kit/run-cli.ts";
import { newKeysetText } from "../security/kit.ts";

const FILE = `version: 1
organisations:
  - name: meridian
    display_name: Meridian Legal
    servers:
      - name: dms
        kind: on-premises
        address: https://dms.meridian.example
        customer_id: 1
        registration:
          client_id: broker
          client_secret_file: dms.secret
clients:
  - name: tracker
    return_urls: [https://tracker.example.com/done]
    policies:
      - organisation: meridian
        actions: [token, connect]
`;

let folder: string;
let file: string;
let broker: CliBroker & { store: MemoryConfigurationStore };
let environment: Record<string, string>;
let grants: Grant[];
let learned: LearnedProfile;
let closed: ClosedGate | undefined;
let connected: number;
let events: DiagnosisEvent[];
let seals: readonly RecordSeal[];
let entries: AuditEntry[];
let typed: string;
const signer = makeSigner(parseRootKeyset(newKeysetText()));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cli-test-"));
  file = join(folder, "firm.yaml");
  writeFileSync(file, FILE);
  writeFileSync(join(folder, "dms.secret"), "secret-of-dms\n");
  environment = {};
  grants = [];
  learned = { rotation: undefined, previousAccessTokens: undefined, codeLifeMs: undefined };
  closed = undefined;
  connected = 0;
  events = [];
  seals = [];
  entries = [];
  typed = "";
  broker = {
    store: new MemoryConfigurationStore(),
    sealer: new MemorySealer(),
    clientSecrets: new MemoryClientSecrets(),
    random: new CountedRandom(),
    clock: { now: () => 1_790_000_000_000, monotonicMs: () => 0 },
    // `grants timeline` on a whole broker: test/stories/grant-timeline.test.ts.
    grants: {
      countGrants: async () => grants.length,
      findGrant: async () => undefined,
      timeline: async () => [],
      listGrants: async (organisation, after, limit) => {
        const own = grants.filter((grant) => grant.organisation === organisation);
        const from = after === undefined ? 0 : own.findIndex(({ id }) => id === after.id) + 1;
        return own.slice(from, from + limit);
      },
    },
    // On a whole broker: test/stories/import.test.ts.
    imports: {} as never,
    exports: {} as never,
    // On a whole broker: test/cli/syncs.test.ts.
    syncs: {} as never,
    // `cli policies explain` is told through the whole product: test/stories/explain.test.ts.
    explain: undefined as never,
    // On a whole broker: test/cli/containment.test.ts.
    containment: {} as never,
    // On whole stores: test/stories/restore.test.ts.
    snapshot: {} as never,
    restore: {} as never,
    // On a whole broker: test/cli/operations.test.ts.
    migrations: {} as never,
    health: undefined as never,
    queues: undefined as never,
    recordSeals: {
      survey: async () => seals,
      seal: async (record) => {
        seals = seals.map((one) => (one === record ? { ...one, state: "sealed" } : one));
        return true;
      },
      rewrap: async () => true,
    },
    // On a whole broker: test/stories/events.test.ts.
    events: {} as never,
    // The same: test/stories/event-subscriptions.test.ts.
    subscriptions: {} as never,
    audit: {
      read: async (_journal, after) => entries.filter(({ sequence }) => sequence > after),
      backlog: async () => 0,
      newest: async () => entries.length,
    },
    packages: { make: async (kind, values) => Buffer.from(`${kind} ${values.page_url}`) },
    diagnose: async function* () {
      yield* events;
    },
    rotations: {} as never,
    rootKeys: {} as never,
    shredding: {} as never,
    profiles: {
      findProfile: async () => learned,
      findClosedGate: async () => closed,
    },
    note: { actor: "cli:test", requestId: "cli_test" },
  };
});
afterEach(() => rmSync(folder, { recursive: true }));

async function run(...args: string[]): Promise<{ out: string; err: string; code: number }> {
  const { said, ears } = earsOfCli();
  const cli = buildCli({
    ...ears,
    environment: (name) => environment[name],
    addressRules: () => ({ loopbackOrigins: [], loopbackReturnUrls: false }),
    names: () => ({
      PUBLIC_BASE_URL: "https://broker.example.com",
      OTHER_PUBLIC_BASE_URLS: [],
      PRODUCT_NAME: "Token Broker",
      SUPPORT_CONTACT: "it@example.com",
    }),
    readCertificates: (pem) =>
      pem === "CA of the firm"
        ? { pem, certificates: [{ subject: "Firm CA", fingerprint: "AB:CD", expiresAt: 1_900_000_000_000 }] }
        : { fault: "holds no certificate" },
    createRootKeyset: () => new Secret('{"keys":"of the tests"}'),
    rootKeysetFiles: {} as never,
    verifyCertificate: async () => undefined,
    createClientSecret: () => new Secret("imb_sk_made-for-a-file"),
    screen: { isTTY: false, columns: 80, write: () => {} },
    confirm: async () => false,
    stdin: () => Readable.from([typed]),
    auditKeys: () => signer.publicKeys(),
    backupMac: async () => ({}) as never,
    openRefill: async () => ({}) as never,
    offlineKeys: {} as never,
    auditChain,
    checkpointReader: readCheckpoint,
    examine: undefined as never,
    withBroker: async (use) => {
      connected++;
      return use(broker);
    },
    explain: (error) => (error instanceof RangeError ? "Not started: explained by main." : undefined),
  });
  const everyCommand = (command: Command): Command[] => [command, ...command.commands.flatMap(everyCommand)];
  for (const command of everyCommand(cli)) command.exitOverride();
  await cli.parseAsync(args, { from: "user" });
  return said;
}

describe("a server's own certificate authority", () => {
  const WITH_CA = FILE.replace(
    "        customer_id: 1\n",
    "        customer_id: 1\n        ca_file: ca.pem\n",
  );

  test("what is wrong with its file is told with its line, and nothing of what it holds", async () => {
    writeFileSync(file, WITH_CA);
    expect((await run("check", file)).err).toContain(
      `${file}:10: organisations.meridian.servers.dms.ca_file names ${join(folder, "ca.pem")}, which cannot be read: there is no such file.`,
    );
    writeFileSync(join(folder, "ca.pem"), "private words");
    const { err } = await run("check", file);
    expect(err).toContain("ca_file holds no certificate");
    expect(err).not.toContain("private words");
  });

  test("is shown, raises the generation when it changes, and goes when the file names none", async () => {
    await run("apply", file);
    writeFileSync(file, WITH_CA);
    writeFileSync(join(folder, "ca.pem"), "CA of the firm");
    const { out } = await run("apply", file);
    expect(out).toContain("public authorities alone");
    expect(out).toContain("Firm CA until 2030-03-17, SHA-256 AB:CD");
    const shown = async () => JSON.parse((await run("show", "servers", "--json")).out)[0];
    expect(await shown()).toMatchObject({
      trusted_certificates: ["Firm CA, SHA-256 AB:CD, until 2030-03-17"],
      configuration_generation: 2,
    });
    const { id } = await shown();
    expect((await broker.store.findServer(id))?.trustedCertificates?.pem).toBe("CA of the firm");

    await run("apply", file);
    expect(await shown()).toMatchObject({ configuration_generation: 2 });
    writeFileSync(file, FILE);
    await run("apply", file);
    expect(await shown()).toMatchObject({ trusted_certificates: [], configuration_generation: 3 });
  });
});

describe("check", () => {
  test("says that a file is right, and connects to nothing", async () => {
    expect(await run("check", file)).toEqual({
      out: `${file} is right: 1 organisations, 1 servers, 0 shared registrations, 1 clients.\n`,
      err: "",
      code: 0,
    });
    expect(connected).toBe(0);
  });

  test("tells every fault as file:line, ends with 1 and prints no stack", async () => {
    writeFileSync(
      file,
      FILE.replace("https://dms.meridian.example", "http://dms.meridian.example/").replace(
        "[token,",
        "[tokn,",
      ),
    );
    const { out, err, code } = await run("check", file);
    expect([out, code]).toEqual(["", 1]);
    expect(err.split("\n")).toEqual([
      `${file}:8: organisations.meridian.servers.dms.address must begin with https://, must have no trailing slash: give https://dms.meridian.example.`,
      `${file}:18: clients.tracker.policies.#1.actions.#1 must be token or status or connect or revoke or sync or configure or audit or contain or events.`,
      `${file} has 2 faults; nothing was changed.`,
      "",
    ]);
  });

  test("of a file that is not there is one sentence", async () => {
    const { err, code } = await run("check", join(folder, "nowhere.yaml"));
    expect([err, code]).toEqual([
      `${join(folder, "nowhere.yaml")} cannot be read: there is no such file.\n`,
      1,
    ]);
  });

  test("warnings go to standard error and end nothing", async () => {
    writeFileSync(file, FILE.replace("meridian.example", "meridian.example:8443"));
    const { out, err, code } = await run("check", file);
    expect([out.includes("is right"), code]).toEqual([true, 0]);
    expect(err).toMatch(/:8: warning: organisations\.meridian\.servers\.dms\.address has port 8443/);
  });
});

describe("apply", () => {
  test("shows the difference, the ids, what to register and, once, new secrets", async () => {
    const { out, err, code } = await run("apply", file);
    expect([err, code]).toEqual(["", 0]);
    expect(out).toContain("+ organisation meridian\n    display_name: Meridian Legal\n");
    expect(out).toContain(
      "+ policy tracker → meridian\n    servers: every server\n    actions: connect token\n",
    );
    expect(out).toMatch(
      /redirect URL to register: https:\/\/broker\.example\.com\/oauth2\/callback\/reg_[0-9a-z]{36}\n/,
    );
    expect(out).toContain("shown this once:\n  imb_sk_made-1\n");
    expect(out).not.toContain("secret-of-dms");
  });

  test("again says that there is nothing to change", async () => {
    await run("apply", file);
    expect((await run("apply", file)).out).toBe("= 5 unchanged\nNothing to change.\n");
  });

  test("a dry run changes nothing and says so", async () => {
    expect((await run("apply", file, "--dry-run")).out).toContain("Dry run: nothing was changed.");
    expect(broker.store.writes).toEqual([]);
  });

  test("a change is shown as from and to", async () => {
    await run("apply", file);
    writeFileSync(file, FILE.replace("Meridian Legal", "Meridian"));
    expect((await run("apply", file)).out).toContain(
      "~ organisation meridian\n    display_name: Meridian Legal → Meridian\n",
    );
  });

  test("what is refused is told on standard error, with the plan, and ends with 1", async () => {
    await run("apply", file);
    writeFileSync(file, FILE.replace("https://dms.", "https://other."));
    const { err, code } = await run("apply", file);
    expect(code).toBe(1);
    expect(err).toContain(
      "server meridian/dms has another address now than the stored https://dms.meridian.example.",
    );
    expect(err).toContain("Refused; nothing was changed.");
  });

  test("a secret that cannot be read is named by its file, relative to the configuration file", async () => {
    rmSync(join(folder, "dms.secret"));
    const { err, code } = await run("apply", file);
    expect([
      err.includes(`${join(folder, "dms.secret")} cannot be read: there is no such file`),
      code,
    ]).toEqual([true, 1]);
    expect(broker.store.writes).toEqual([]);
  });

  test.each([
    ["", "is empty"],
    ["a\nb\n", "holds more than one line"],
  ])("a secret file holding %j %s", async (content, sentence) => {
    writeFileSync(join(folder, "dms.secret"), content);
    expect((await run("apply", file)).err).toContain(sentence);
  });

  test("a secret may come from the environment", async () => {
    writeFileSync(file, FILE.replace("client_secret_file: dms.secret", "client_secret_env: DMS_SECRET"));
    expect((await run("apply", file)).err).toContain("the environment variable DMS_SECRET is not set");
    environment.DMS_SECRET = "from-the-environment";
    expect((await run("apply", file)).code).toBe(0);
  });

  test("--json is one object with the new secrets in it", async () => {
    const { out } = await run("apply", file, "--json");
    expect(JSON.parse(out)).toMatchObject({
      applied: true,
      changes: expect.arrayContaining([
        expect.objectContaining({ act: "create", kind: "server", name: "meridian/dms" }),
      ]),
      servers: { "meridian/dms": { redirect_uri: expect.stringContaining("/oauth2/callback/reg_") } },
      new_client_secrets: [
        { client: "tracker", client_id: expect.stringMatching(/^cli_/), client_secret: "imb_sk_made-1" },
      ],
    });
    expect(JSON.parse((await run("apply", file, "--json")).out)).toMatchObject({
      changes: [],
      new_client_secrets: [],
    });
  });
});

describe("keys", () => {
  test.each([
    ["create", '{"keys":"of the tests"}\n'],
    ["client-secret", "imb_sk_made-for-a-file\n"],
  ])(
    "%s writes a file that only its owner reads, shows nothing of it and needs no Redis",
    async (command, content) => {
      const path = join(folder, "new");
      const { out, code } = await run("keys", command, path);
      expect([readFileSync(path, "utf8"), statSync(path).mode & 0o777, code]).toEqual([content, 0o600, 0]);
      expect(out).not.toContain(content.trim());
      expect(connected).toBe(0);
    },
  );

  test("a file that is there already is never overwritten", async () => {
    const path = join(folder, "keyset.json");
    await run("keys", "create", path);
    writeFileSync(path, "precious");
    const { err, code } = await run("keys", "create", path);
    expect([readFileSync(path, "utf8"), code]).toEqual(["precious", 1]);
    expect(err).toContain("is there already and is not overwritten");
  });

  test("a client secret made so is accepted by apply", async () => {
    await run("keys", "client-secret", join(folder, "tracker.secret"));
    writeFileSync(file, FILE.replace("    return_urls", "    secret_file: tracker.secret\n    return_urls"));
    const { out, code } = await run("apply", file);
    expect([code, out.includes("shown this once")]).toEqual([0, false]);
  });
});

describe("looking", () => {
  test.each(["organisations", "servers", "clients"])(
    "show %s tells names and ids, and no secret, sealed or not",
    async (what) => {
      const applied = JSON.parse((await run("apply", file, "--json")).out) as Record<
        string,
        Record<string, unknown>
      >;
      const { out } = await run("show", what);
      const rows = JSON.parse((await run("show", what, "--json")).out) as { id: string }[];
      const ids = Object.values(applied[what] ?? {}).map((entry) =>
        typeof entry === "string" ? entry : (entry as { id: string }).id,
      );
      expect(rows.map(({ id }) => id)).toEqual(ids);
      for (const id of ids) expect(out).toContain(id);
      const client = await broker.store.findClientByName("tracker");
      for (const hidden of ["sealed-1", client?.secrets[0]?.hmac as string]) {
        expect(out + JSON.stringify(rows)).not.toContain(hidden);
      }
    },
  );

  test("show says what it can show", async () => {
    expect(await run("show", "secrets")).toMatchObject({
      code: 1,
      err: expect.stringContaining("organisations, servers or clients"),
    });
    expect((await run("show", "clients")).out).toBe("There are no clients yet.\n");
  });

  test("grants list pages through every authorization of the organisation", async () => {
    await run("apply", file);
    const organisation = (await broker.store.findOrganisationByName("meridian"))?.id as Grant["organisation"];
    const server = (await broker.store.listServers(organisation))[0];
    const bytes = (n: number) => Uint8Array.from({ length: 16 }, (_, at) => (at === 15 ? n % 256 : n >> 8));
    grants = Array.from({ length: 501 }, (_, n) => ({
      v: 1,
      id: makeId("grt", routeOf(organisation), n, bytes(n)),
      organisation,
      server: server?.id as Grant["server"],
      registration: server?.registration as Grant["registration"],
      state: "active",
      owner: { customerId: "1", userId: `user${n}`, name: undefined, email: undefined },
      consentGeneration: 1,
      consentedAt: n,
      createdAt: n,
      refreshable: true,
      refreshTokenExpiresAt: undefined,
      accessTokenExpiresAt: undefined,
      lastRefreshedAt: undefined,
      lastUsedAt: undefined,
      dueAt: undefined,
      lastProblem: undefined,
      spares: 0,
    }));
    const lines = (await run("grants", "list", "--organisation", "meridian", "--json")).out
      .trim()
      .split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { user: string }).user)).toEqual(
      grants.map(({ owner }) => owner.userId),
    );
    expect((await run("grants", "list", "--organisation", "meridian")).out).toMatch(
      /501 authorizations\.\n$/,
    );
    expect(await run("grants", "list", "--organisation", "other")).toMatchObject({
      err: "There is no organisation named other.\n",
      code: 1,
    });
  });
});

test("clients new-secret shows the next secret once", async () => {
  await run("apply", file);
  expect((await run("clients", "new-secret", "tracker")).out).toMatch(
    /^Secret of client tracker \(cli_[0-9a-z]{26}\)[^\n]+\nimb_sk_made-2\n$/,
  );
  expect(await run("clients", "new-secret", "nobody")).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^There is no client named nobody\.\n/),
  });
});

describe("registration-sheet", () => {
  test("holds the redirect URL of the server's own registration", async () => {
    await run("apply", file);
    const { out } = await run("registration-sheet", "meridian/dms", "--format", "markdown");
    const server = (
      JSON.parse((await run("show", "servers", "--json")).out) as { redirect_uri: string }[]
    )[0];
    expect(out).toContain(`| Redirect URL | \`${server?.redirect_uri}\` |`);
    expect(out).toContain("# Registration of Token Broker at meridian/dms");
  });

  test("of a server tells what was learned of it, and why nothing is sent to it", async () => {
    await run("apply", file);
    const at = broker.clock.now();
    learned = {
      rotation: "rotating",
      previousAccessTokens: { value: "survive", at },
      codeLifeMs: { value: 12_000, at },
    };
    closed = { why: "misconfigured", since: at - 600_000 };
    const { out } = await run("show", "servers");
    expect(out).toContain("rotation: rotating (learned)");
    expect(out).toContain("previous_access_tokens: survive (learned)");
    expect(out).toContain("code_life_seconds: 12");
    expect(out).toMatch(/closed: For 10 minutes this iManage server has refused our client secret/);
  });

  test("of a server that is not there says how servers are written", async () => {
    expect(await run("registration-sheet", "dms")).toMatchObject({
      code: 1,
      err: expect.stringContaining("organisation/server"),
    });
    expect(await run("registration-sheet", "a/b", "--format", "pdf")).toMatchObject({
      code: 1,
      err: "--format must be text, markdown or json.\n",
    });
  });
});

describe("registration-package", () => {
  test("writes the package that was asked for, over an earlier one", async () => {
    await run("apply", file);
    const out = join(folder, "dms.zip");
    writeFileSync(out, "an earlier one, which is longer than what replaces it: ".repeat(9));
    const told = await run("registration-package", "meridian/dms", "--kind", "control-center", "--out", out);
    expect(told).toMatchObject({ code: 0, out: expect.stringContaining("sign out and in again") });
    const { id } = JSON.parse((await run("show", "servers", "--json")).out)[0];
    expect(readFileSync(out, "utf8")).toBe(
      `control-center https://broker.example.com/servers/${id}/libraries`,
    );
  });

  test("says what kinds there are, where nothing can be written, and how servers are named", async () => {
    await run("apply", file);
    const at = (...args: string[]) => run("registration-package", ...args);
    expect((await at("meridian/dms", "--kind", "tracker", "--out", "x")).err).toBe(
      "--kind must be control-center or work.\n",
    );
    expect((await at("meridian/dms", "--kind", "work", "--out", folder)).err).toBe(
      `${folder} cannot be written: it is a folder.\n`,
    );
    expect((await at("meridian", "--kind", "work", "--out", "x")).err).toContain("organisation/server");
  });

  test("tells what is wrong with the operator's template", async () => {
    await run("apply", file);
    broker = {
      ...broker,
      packages: {
        make: async () => {
          throw new Problem("package_template_faulty", {
            detail: "The template work/manifest.yaml is not YAML.",
          });
        },
      },
    };
    const out = join(folder, "dms.zip");
    const told = await run("registration-package", "meridian/dms", "--kind", "work", "--out", out);
    expect(told.code).toBe(1);
    expect(told.err).toContain("The template work/manifest.yaml is not YAML.\nOperators: correct the file");
  });
});

describe("errors", () => {
  test("of rooms this one does not know are explained by main, without a stack", async () => {
    broker = new Proxy(broker, {
      ownKeys: () => {
        throw new RangeError("connection refused at secret-host");
      },
    });
    expect(await run("apply", file)).toEqual({ out: "", err: "Not started: explained by main.\n", code: 1 });
  });

  test("that nobody foresaw are not swallowed", async () => {
    broker.store.writesLeft = 0;
    await expect(run("apply", file)).rejects.toThrow("killed");
  });

  test("of usage end with a hint", async () => {
    await expect(run("apply")).rejects.toMatchObject({ code: "commander.missingArgument" });
    await expect(run("aply", file)).rejects.toMatchObject({ code: "commander.unknownCommand" });
  });
});

describe("diagnose", () => {
  const eventsOf = (...causes: Cause[]): DiagnosisEvent[] => {
    const findings = causes.map((cause) => findingOf({ cause, facts: { at: 1_790_000_000_000 } }));
    const diagnosis: Diagnosis = {
      v: 1,
      server: makeId("srv", "0123456789" as never, 0, new Uint8Array(16)),
      startedAt: 1,
      endedAt: 2,
      requestId: "cli",
      configurationGeneration: 1,
      findings,
      verdict: verdictOf(findings),
      comparedWith: undefined,
      changes: [{ step: "tls", was: "AA", is: "BB", sentence: "TLS: the certificate changed." }],
    };
    return [...findings.map((finding) => ({ finding })), { diagnosis }];
  };
  beforeEach(async () => void (await run("apply", file)));

  test("prints each finding with what it means and who changes what, and ends with 1 when something failed", async () => {
    events = eventsOf("dns.literal", "secret.none", "pkce.not_told");
    const { out, err, code } = await run("diagnose", "meridian/dms");
    expect([err, code]).toEqual(["", 1]);
    expect(out).toMatch(/^ok {9}DNS: .*\nFAILED {5}Client Secret: No Client Secret is stored here\.\n/);
    expect(out).toContain("           → organisation admin: Copy the Client Secret of Control Center");
    expect(out).toContain("not known  PKCE: ");
    expect(out).toMatch(
      /Something is wrong\.\n\nSince the last good diagnosis:\n- TLS: the certificate changed\.\n$/,
    );
  });

  test("ends with 0 where nothing failed, a warning included", async () => {
    events = eventsOf("dns.literal", "secret_expiry.soon");
    const { out, code } = await run("diagnose", "meridian/dms");
    expect([code, out.includes("It works; something wants attention.")]).toEqual([0, true]);
  });

  test("prints for programs, a line each, the whole last", async () => {
    events = eventsOf("dns.literal", "secret.none");
    const { out, code } = await run("diagnose", "meridian/dms", "--json");
    const lines = out.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual(JSON.parse(JSON.stringify(events)));
    expect(code).toBe(1);
  });

  test("of a server that is not there is one sentence", async () => {
    const { err, code } = await run("diagnose", "meridian/none");
    expect([err.startsWith("There is no server meridian/none."), code]).toEqual([true, 1]);
  });
});

describe("records", () => {
  const record = (state: RecordSeal["state"], place: string): RecordSeal => ({
    noun: "organisation",
    name: "meridian",
    place,
    state,
    rootKey: undefined,
    outdated: false,
    text: '{"v":1}',
  });

  test("check names what no broker wrote, and ends with 1; a dry run of seal shows the contents and takes nothing over", async () => {
    seals = [record("sealed", "b1:{o:a}:organisation"), record("unsealed", "b1:{o:b}:organisation")];
    const checked = await run("records", "check");
    expect(checked).toMatchObject({ code: 1, err: "" });
    expect(checked.out).toContain("1 are not.\n  unsealed organisation meridian (b1:{o:b}:organisation)");

    expect((await run("records", "seal", "--dry-run")).out).toContain(
      'Would be taken over:\n  unsealed organisation meridian (b1:{o:b}:organisation)\n    {"v":1}',
    );
    expect(seals[1]?.state).toBe("unsealed");
    expect((await run("records", "seal", "--yes")).code).toBe(0);
    expect(JSON.parse((await run("records", "check", "--json")).out)).toEqual({ records: 2, refused: [] });
  });

  test("an altered one stays refused unless its place is named, and a place without a record is told", async () => {
    seals = [record("altered", "b1:{o:a}:organisation")];
    expect(await run("records", "seal", "--yes")).toMatchObject({
      code: 1,
      out: expect.stringContaining("Refused, and left so:"),
    });
    expect(await run("records", "seal", "b1:{o:x}:organisation", "--yes")).toMatchObject({
      code: 1,
      err: expect.stringContaining("b1:{o:x}:organisation"),
    });
    expect((await run("records", "seal", "b1:{o:a}:organisation", "--yes")).code).toBe(0);
  });
});

describe("clients and policies", () => {
  const secretOf = async (name: string) =>
    String(JSON.parse((await run("clients", "show", name, "--json")).out).secrets[0]).split(" ")[0]!;

  test("a client is listed, shown, stopped and started, and a secret of it made void after a look", async () => {
    await run("apply", file);
    expect((await run("clients", "list")).out).toMatch(
      /^tracker\n {2}id: cli_[\s\S]+ {2}role: app\n {2}state: active\n/,
    );
    const { generation } = (await broker.store.findClientByName("tracker"))!;
    expect((await run("clients", "stop", "tracker", "--yes")).out).toContain("is stopped");
    expect((await broker.store.findClientByName("tracker"))!).toMatchObject({
      state: "stopped",
      generation: generation + 1,
    });
    await run("clients", "start", "tracker");
    expect((await broker.store.findClientByName("tracker"))!.state).toBe("active");

    const secret = await secretOf("tracker");
    const asked = await run("clients", "delete-secret", "tracker", secret, "--dry-run");
    expect(asked.out).toContain(`Would be void: secret ${secret} of client tracker.`);
    expect(await secretOf("tracker")).toBe(secret);
    expect((await run("clients", "delete-secret", "tracker", secret, "--yes")).code).toBe(0);
    expect((await broker.store.findClientByName("tracker"))!.secrets).toEqual([]);
    expect((await run("clients", "stop", "nobody", "--yes")).err).toContain("There is no client nobody.");
  });

  test("a policy is put in the words of a file, shown, and taken away after a look", async () => {
    await run("apply", file);
    const words = join(folder, "policy.yaml");
    writeFileSync(words, "actions: [token]\nservers: [dms]\ntokens_per_minute: 60\n");
    const put = ["policies", "put", "tracker", "meridian", words];
    expect((await run(...put, "--dry-run")).out).toContain("Would change: tracker → meridian\n");
    expect((await run("policies", "show", "tracker", "meridian")).out).toContain(
      "rules: connect token, at every server, for all users and all libraries\n",
    );
    expect((await run(...put)).out).toContain("  servers: every server → dms\n");
    expect((await run(...put)).out).toContain("Nothing changes");
    expect(JSON.parse((await run("policies", "list", "--client", "tracker", "--json")).out)).toMatchObject([
      {
        policy: "tracker → meridian",
        rules: [{ servers: ["dms"], users: "all", libraries: "all", actions: ["token"] }],
        tokens_per_minute: 60,
      },
    ]);

    writeFileSync(words, "actions: [everything]\nservers: [other]\n");
    const refused = await run(...put);
    expect([refused.code, refused.err]).toEqual([1, expect.stringMatching(/\n {2}actions\.0 /)]);
    writeFileSync(words, "actions: [token]\nservers: [other]\n");
    expect((await run(...put)).err).toContain("servers names other, and meridian has no such server");

    expect((await run("policies", "delete", "tracker", "meridian", "--dry-run")).out).toContain(
      "Would be taken away:",
    );
    expect((await run("policies", "list")).out).toContain("tracker → meridian");
    expect((await run("policies", "delete", "tracker", "meridian", "--yes")).out).toContain("Taken away:");
    expect((await run("policies", "list")).out).toBe("There are no policies yet.\n");
    expect((await run("policies", "delete", "tracker", "meridian", "--yes")).err).toBe(
      "Client tracker has no policy in organisation meridian.\n",
    );
  });

  test("an operator's client is made by the file that says so; a file that says nothing of it leaves its role", async () => {
    writeFileSync(file, FILE.replace("- name: tracker\n", "- name: tracker\n    role: operator\n"));
    expect((await run("apply", file)).code).toBe(0);
    expect((await broker.store.findClientByName("tracker"))!.role).toBe("operator");
    writeFileSync(file, FILE);
    expect((await run("apply", file)).out).not.toContain("role");
    expect((await broker.store.findClientByName("tracker"))!.role).toBe("operator");
    writeFileSync(file, FILE.replace("- name: tracker\n", "- name: tracker\n    role: app\n"));
    expect((await run("apply", file)).out).toContain("role: operator → app");
    expect((await broker.store.findClientByName("tracker"))!.role).toBeUndefined();
  });
});

describe("audit", () => {
  const ORGANISATION = "org_abcdefghjk";
  const at = Date.parse("2026-11-22T09:00:00Z");
  const exported = async (from: number, to: number, previous = auditChain.beginning(ORGANISATION)) => {
    const batch = batchOf(
      ORGANISATION,
      Array.from({ length: to - from + 1 }, (_, i) => ({
        sequence: from + i,
        fields: { at: String(at + from + i), action: "token.issued", token: "", client: `cli_${from + i}` },
      })),
      { previous },
    );
    const { sequence, hash } = batch.entries.at(-1)!;
    const signed = { journal: ORGANISATION, first: from, previous, sequence, hash, at };
    return { ...batch, checkpoint: await signer.sign("audit-checkpoint+jws", signed) };
  };
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  test("verify needs the files and the public keys alone, and puts rotated files in order (T38)", async () => {
    const keys = write("keys.json", (await run("audit", "keys")).out);
    const one = await exported(1, 5);
    const older = write("audit.jsonl.1", linesOf(one));
    const newer = write("audit.jsonl", linesOf(await exported(6, 9, one.entries.at(-1)!.hash)));
    const { out, code } = await run("audit", "verify", newer, older, "--keys", keys);
    expect(out).toContain(`${ORGANISATION}: 1 to 9 (9 lines); proven from 1 to 9.`);
    expect(out).toContain("no signature protects");
    expect([code, connected]).toEqual([0, 0]);

    const cut = await run("audit", "verify", older, "--keys", keys, "--expect", `${ORGANISATION}=9`);
    expect(cut.out).toContain(`BAD: ${ORGANISATION} 6 truncated. It is known to go to 9, and ends with 5.`);
    expect(cut.code).toBe(1);
    writeFileSync(newer, readFileSync(newer, "utf8").replace("cli_8", "cli_7"));
    const { out: json, code: bad } = await run("audit", "verify", older, newer, "--keys", keys, "--json");
    expect(JSON.parse(json).journals[0].fault).toMatchObject({ sequence: 8, kind: "changed" });
    expect(bad).toBe(1);
  });

  test("verify puts together what several workers wrote, twice in part (T38)", async () => {
    const keys = write("keys.json", (await run("audit", "keys")).out);
    let previous: string | undefined;
    const batches: string[] = [];
    for (const [from, to] of [
      [1, 4],
      [5, 6],
      [7, 9],
      [10, 12],
    ] as const) {
      const batch = await exported(from, to, previous);
      previous = batch.entries.at(-1)!.hash;
      batches.push(linesOf(batch));
    }
    const [first, second, third, fourth] = batches;
    const one = write("one.jsonl", `${first}${third}${third}`);
    const other = write("other.jsonl", `{"torn":\n${second}${first}${fourth}`);
    const { out, code } = await run("audit", "verify", other, one, "--keys", keys);
    expect(out).toContain(`${ORGANISATION}: 1 to 12 (19 lines, 7 of them twice); proven from 1 to 12.`);
    expect(out).toContain("1 lines are none of the audit's");
    expect(code).toBe(0);
    const without = await run("audit", "verify", one, "--keys", keys);
    expect(without.out).toContain(`BAD: ${ORGANISATION} 5 missing. Entries 5 to 6 are missing: 7 follows.`);
  });

  test("verify says what is wrong with what it was given", async () => {
    const keys = write("keys.json", (await run("audit", "keys")).out);
    const file = write("empty.jsonl", "\n");
    expect((await run("audit", "verify", file, "--keys", file)).err).toContain("holds no JWK set");
    expect((await run("audit", "verify", file, "--keys", keys, "--expect", "x=1")).err).toContain(
      "org_…=1234",
    );
    expect((await run("audit", "verify", join(folder, "none"), "--keys", keys)).err).toContain(
      "no such file",
    );
    expect(await run("audit", "verify", file, "--keys", keys)).toMatchObject({
      code: 1,
      out: "No entry of the audit is in these files.\n",
    });
  });

  test("lookup reads the token from standard input, and tells who was handed it", async () => {
    await run("apply", file);
    const id = (await broker.store.findOrganisationByName("meridian"))!.id;
    typed = "a-token-that-was-found\n";
    const fingerprint = await broker.sealer.fingerprint(`o:${routeOf(id)}`, new Secret(typed.trim()));
    const fields = {
      at: String(at),
      action: "token.issued",
      client: "cli_1",
      server: "srv_1",
      grant: "grt_1",
    };
    const told = { address: "192.0.2.7", request: "req_1", purpose: "matter 7", token: fingerprint };
    entries = [
      { sequence: 1, fields: { ...fields, token: "another" } },
      { sequence: 2, fields: { ...fields, ...told } },
    ];
    const { out, err, code } = await run("audit", "lookup");
    expect(out).toContain(`${id}: fingerprint ${fingerprint}, handed out 1 times.`);
    expect(out).toContain(
      "2026-11-22T09:00:00.000Z 2: cli_1 from 192.0.2.7, for a user at srv_1, grant grt_1, req_1, “matter 7”",
    );
    expect(out + err).not.toContain("a-token");
    expect(code).toBe(0);

    const exported = write("audit.jsonl", linesOf(batchOf(id, entries)));
    entries = [];
    expect((await run("audit", "lookup", "--organisation", "meridian", "--file", exported)).out).toContain(
      "req_1",
    );
    const nobody = await run("audit", "lookup");
    expect(nobody).toMatchObject({ code: 1, out: expect.stringContaining("Nobody was handed this token") });
    typed = "";
    expect((await run("audit", "lookup")).err).toContain("There is no token");
  });
});
