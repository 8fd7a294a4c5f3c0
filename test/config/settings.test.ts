import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readSettings, SettingsError, settingsTable } from "../../src/config/settings.ts";

const development = {
  NODE_ENV: "development",
  REDIS_URL: "redis://127.0.0.1:6379",
  PUBLIC_BASE_URL: "http://127.0.0.1:8080",
};

const production = {
  NODE_ENV: "production",
  REDIS_URL: "rediss://broker@redis.example.com:6380",
  REDIS_PASSWORD_FILE: "/run/secrets/redis-password",
  PUBLIC_BASE_URL: "https://broker.example.com",
  ROOT_KEYSET_FILE: "/run/secrets/root-keyset.json",
  SUPPORT_CONTACT: "it@example.com",
  AUDIT_FILE: "/var/lib/broker/audit.jsonl",
};

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    readSettings(env);
    return [];
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return error.faults.map(({ setting, message }) => `${setting} ${message}`);
  }
}

describe("what starts", () => {
  test("three settings suffice to develop", () => {
    expect(readSettings(development)).toMatchObject({
      HTTP_PORT: 8080,
      OPS_HOST: "127.0.0.1",
      TRUSTED_PROXY_CIDRS: [],
    });
  });

  test("production starts with what the example names", () => {
    expect(faultsOf(production)).toEqual([]);
  });

  test("further addresses are as the first one must be, each once", () => {
    const also = (text: string) => faultsOf({ ...production, OTHER_PUBLIC_BASE_URLS: text });
    expect(also("https://a.example,https://b.example:8443")).toEqual([]);
    expect(also("http://127.0.0.1:1").join()).toContain("must begin with https:// in production");
    for (const [text, told] of [
      ["http://a.example", "must begin with https://"],
      ["https://a.example/path", "no path"],
      ["https://A.example", "lower case"],
      ["https://a.example,https://a.example", "names one address twice"],
      ["https://broker.example.com", "PUBLIC_BASE_URL again"],
    ] as const)
      expect(also(text).join(), text).toContain(told);
  });

  test("an empty value counts as none, as compose files pass it on", () => {
    const settings = readSettings({ ...development, HTTP_PORT: "", ROOT_KEYSET_FILE: " " });
    expect([settings.HTTP_PORT, settings.ROOT_KEYSET_FILE]).toEqual([8080, undefined]);
  });

  test("lists are separated by commas, blanks and a last comma do no harm", () => {
    const settings = readSettings({
      ...development,
      REDIS_CLUSTER_NODES: "a.example:6379, [::1]:6380,",
      EGRESS_PRIVATE_CIDRS: "10.20.0.0/16 ,192.168.7.0/24",
      EGRESS_LOOPBACK_ORIGINS: "http://127.0.0.1:4000,http://localhost:4001,http://[::1]:4002",
    });
    expect(settings.REDIS_CLUSTER_NODES).toEqual([
      { host: "a.example", port: 6379 },
      { host: "::1", port: 6380 },
    ]);
    expect(settings.EGRESS_PRIVATE_CIDRS).toEqual(["10.20.0.0/16", "192.168.7.0/24"]);
    expect(settings.EGRESS_LOOPBACK_ORIGINS).toHaveLength(3);
  });

  test("a Redis inside the same private network is accepted in plain text where the operator says so", () => {
    expect(
      faultsOf({ ...production, REDIS_URL: "redis://redis:6379", REDIS_PLAINTEXT_ACCEPTED: "true" }),
    ).toEqual([]);
  });
});

describe("what is refused, and in which words", () => {
  const CERTIFICATES: readonly [string, Record<string, string>, string][] = [
    ["TLS without its files", { MTLS_PORT: "8443" }, "MTLS_PORT needs MTLS_CERT_FILE and MTLS_KEY_FILE"],
    [
      "Client-Cert from anywhere",
      { CLIENT_CERT_PORT: "8444" },
      "CLIENT_CERT_PORT needs CLIENT_CERT_PROXY_CIDRS",
    ],
    [
      "all the internet as proxy",
      { CLIENT_CERT_PROXY_CIDRS: "0.0.0.0/0" },
      "CLIENT_CERT_PROXY_CIDRS would believe",
    ],
    [
      "the public port for certificates",
      {
        CLIENT_CERT_PORT: "8080",
        CLIENT_CERT_PROXY_CIDRS: "10.0.0.1/32",
        MTLS_BASE_URL: "https://m.example",
      },
      "CLIENT_CERT_PORT and MTLS_PORT must be ports of their own",
    ],
    ["an address without a listener", { MTLS_BASE_URL: "https://m.example" }, "MTLS_BASE_URL goes with"],
  ];
  test.each(CERTIFICATES)("certificates: %s", (_, change, sentence) => {
    expect(faultsOf({ ...development, ...change })).toContainEqual(expect.stringContaining(sentence));
  });

  const IN_PRODUCTION: readonly [string, Record<string, string | undefined>, string][] = [
    ["no root keyset", { ROOT_KEYSET_FILE: undefined }, "ROOT_KEYSET_FILE is required in production"],
    ["no support contact", { SUPPORT_CONTACT: undefined }, "SUPPORT_CONTACT is required in production"],
    ["no audit file", { AUDIT_FILE: undefined }, "AUDIT_FILE is required in production"],
    [
      "a relative audit file",
      { AUDIT_FILE: "audit.jsonl" },
      "AUDIT_FILE is required in production, as an absolute",
    ],
    [
      "an address without TLS",
      { PUBLIC_BASE_URL: "http://127.0.0.1:8080" },
      "PUBLIC_BASE_URL must begin with https://",
    ],
    [
      "the simulator's exception",
      { EGRESS_LOOPBACK_ORIGINS: "http://127.0.0.1:4000" },
      "EGRESS_LOOPBACK_ORIGINS is refused",
    ],
    ["the tests' fail points", { FAIL_POINTS: "true" }, "FAIL_POINTS is refused in production"],
    ["a password in the address", { REDIS_URL: "rediss://u:hunter2@r:1" }, "REDIS_URL must hold no password"],
    [
      "a distant Redis without password",
      { REDIS_PASSWORD_FILE: undefined },
      "REDIS_PASSWORD_FILE is required",
    ],
    [
      "distant Sentinels in plain text",
      { REDIS_SENTINELS: "s.example:26379", REDIS_SENTINEL_MASTER: "broker" },
      "REDIS_SENTINEL_TLS must be true in production",
    ],
    ["a distant Redis without TLS", { REDIS_URL: "redis://r:1" }, "REDIS_URL must begin with rediss://"],
    [
      "no environment named: the strict rules",
      { NODE_ENV: undefined, ROOT_KEYSET_FILE: undefined },
      "ROOT_KEYSET_FILE is required",
    ],
  ];
  test.each(IN_PRODUCTION)("production: %s", (_, change, sentence) => {
    const env = Object.fromEntries(
      Object.entries({ ...production, ...change }).filter(([, v]) => v !== undefined),
    );
    expect(faultsOf(env as Record<string, string>)).toEqual([expect.stringContaining(sentence)]);
  });

  const ANYWHERE: readonly [string, Record<string, string>, string][] = [
    [
      "certificates unchecked",
      { NODE_TLS_REJECT_UNAUTHORIZED: "0" },
      "NODE_TLS_REJECT_UNAUTHORIZED must not be set",
    ],
    [
      "certificates 'checked'",
      { NODE_TLS_REJECT_UNAUTHORIZED: "1" },
      "NODE_TLS_REJECT_UNAUTHORIZED must not be set",
    ],
    [
      "a keyset in the environment",
      { ROOT_KEYSET: "{}" },
      "ROOT_KEYSET must not be set: secrets come from files",
    ],
    [
      "a password in the proxy's address",
      { EGRESS_PROXY_URL: "http://broker:hunter2@proxy.example.com:3128" },
      "EGRESS_PROXY_URL must hold no password: put it into a file",
    ],
    [
      "a proxy that is none",
      { EGRESS_PROXY_URL: "socks5://proxy.example.com" },
      "EGRESS_PROXY_URL must look like http://proxy.example.com:3128",
    ],
    [
      "a proxy with a path",
      { EGRESS_PROXY_URL: "http://proxy.example.com:3128/x" },
      "EGRESS_PROXY_URL must end after host and port",
    ],
    [
      "a proxy password without a user",
      { EGRESS_PROXY_URL: "http://proxy.example.com:3128", EGRESS_PROXY_PASSWORD_FILE: "/x" },
      "EGRESS_PROXY_PASSWORD_FILE is of no use without a user",
    ],
    ["a password in the environment", { REDIS_PASSWORD: "x" }, "REDIS_PASSWORD must not be set"],
    [
      "a slip in a name",
      { TRUSTED_PROXY_CIDR: "10.0.0.0/8" },
      "TRUSTED_PROXY_CIDR is not a setting: TRUSTED_PROXY_CIDRS is",
    ],
    ["another slip", { AUDIT_FILES: "/x" }, "AUDIT_FILES is not a setting: AUDIT_FILE is"],
    ["an unknown environment", { NODE_ENV: "prod" }, "NODE_ENV must be development, test or production"],
    ["a path", { PUBLIC_BASE_URL: "https://b.example/broker" }, "no path"],
    [
      "a trailing slash",
      { PUBLIC_BASE_URL: "https://b.example/" },
      "PUBLIC_BASE_URL must have no trailing slash",
    ],
    ["a query", { PUBLIC_BASE_URL: "https://b.example?a=1" }, "no query"],
    ["a user", { PUBLIC_BASE_URL: "https://u:p@b.example" }, "no user name"],
    ["capitals", { PUBLIC_BASE_URL: "https://B.example" }, "lower case"],
    ["http far away", { PUBLIC_BASE_URL: "http://b.example" }, "PUBLIC_BASE_URL must begin with https://"],
    ["no address at all", { PUBLIC_BASE_URL: "broker" }, "PUBLIC_BASE_URL must be an address"],
    ["another database", { REDIS_URL: "http://127.0.0.1" }, "REDIS_URL must look like redis://"],
    ["a node without port", { REDIS_CLUSTER_NODES: "a:1,b" }, "REDIS_CLUSTER_NODES entry 2 must look like"],
    [
      "Sentinels whose master has no name",
      { REDIS_SENTINELS: "127.0.0.1:26379" },
      "REDIS_SENTINEL_MASTER and REDIS_SENTINELS are set together",
    ],
    [
      "Sentinels of a cluster",
      {
        REDIS_SENTINELS: "127.0.0.1:26379",
        REDIS_SENTINEL_MASTER: "broker",
        REDIS_CLUSTER_NODES: "127.0.0.1:6379",
      },
      "REDIS_SENTINELS must not be set together with REDIS_CLUSTER_NODES",
    ],
    ["a port that is none", { HTTP_PORT: "80800" }, "HTTP_PORT must be a whole number from 1 to 65535"],
    ["a port in words", { OPS_PORT: "ops" }, "OPS_PORT must be a whole number"],
    ["one port for both", { OPS_PORT: "8080" }, "OPS_PORT must differ from HTTP_PORT"],
    ["everybody as proxy", { TRUSTED_PROXY_CIDRS: "0.0.0.0/0" }, "would believe the whole internet"],
    ["everybody as proxy, IPv6", { TRUSTED_PROXY_CIDRS: "::/0" }, "would believe the whole internet"],
    ["a proxy without range", { TRUSTED_PROXY_CIDRS: "10.0.0.1" }, "must be an address range"],
    ["loopback as private range", { EGRESS_PRIVATE_CIDRS: "127.0.0.0/8" }, "reaches this machine"],
    ["metadata as private range", { EGRESS_PRIVATE_CIDRS: "169.254.169.254/32" }, "metadata"],
    ["metadata, IPv6", { EGRESS_PRIVATE_CIDRS: "fd00:ec2::/32" }, "metadata"],
    ["everything as private range", { EGRESS_PRIVATE_CIDRS: "0.0.0.0/0" }, "reaches this machine"],
    ["mapped IPv4", { EGRESS_PRIVATE_CIDRS: "::ffff:10.0.0.0/104" }, "reaches this machine"],
    ["a distant 'loopback'", { EGRESS_LOOPBACK_ORIGINS: "http://10.0.0.1:1" }, "must be on 127.0.0.1"],
    ["a loopback with path", { EGRESS_LOOPBACK_ORIGINS: "http://127.0.0.1:1/x" }, "no path"],
    ["fail points in other words", { FAIL_POINTS: "1" }, "FAIL_POINTS must be true or false"],
    ["a level that is none", { LOG_LEVEL: "verbose" }, "LOG_LEVEL must be fatal"],
    [
      "a tiny audit buffer",
      { AUDIT_BUFFER_MAX_ENTRIES: "10" },
      "AUDIT_BUFFER_MAX_ENTRIES must be a whole number",
    ],
  ];
  test.each(ANYWHERE)("anywhere: %s", (_, change, sentence) => {
    expect(faultsOf({ ...development, ...change })).toEqual([expect.stringContaining(sentence)]);
  });

  test("a missing address and a missing Redis are said to be required", () => {
    expect(faultsOf({ NODE_ENV: "test" })).toEqual([
      expect.stringContaining("REDIS_URL is required"),
      expect.stringContaining("PUBLIC_BASE_URL is required"),
    ]);
  });
});

test("every fault is told at once, relations too", () => {
  const faults = faultsOf({
    ...production,
    HTTP_PORT: "x",
    LOG_LEVEL: "loud",
    EGRESS_LOOPBACK_ORIGINS: "http://127.0.0.1:1",
    REDIS_URL: "redis://u:hunter2@r:1",
    ROOT_KEYSET_FILE: "",
    NODE_TLS_REJECT_UNAUTHORIZED: "0",
  });
  expect(faults.map((fault) => fault.split(" ")[0]).sort()).toEqual([
    "EGRESS_LOOPBACK_ORIGINS",
    "HTTP_PORT",
    "LOG_LEVEL",
    "NODE_TLS_REJECT_UNAUTHORIZED",
    "REDIS_URL",
    "REDIS_URL",
    "ROOT_KEYSET_FILE",
  ]);
});

test("whatever stands in a setting, no fault repeats it", () => {
  const names = [...settingsTable().matchAll(/^\| `([A-Z_]+)`/gm)].map((match) => match[1] as string);
  const canary = fc.stringMatching(/^[a-z]{1,6}[0-9]{0,4}$/).map((text) => `canary-${text}-yranac`);
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names), canary), canary, (env, password) => {
      try {
        readSettings({ ...env, REDIS_URL: `redis://u:${password}@r:1/`, REDIS_PASSWORD: password });
        expect.fail("REDIS_PASSWORD is refused");
      } catch (error) {
        if (!(error instanceof SettingsError)) throw error;
        expect(inspect(error)).not.toContain("canary-");
      }
    }),
    { numRuns: 200 },
  );
});

test("the README's table of settings is the schema's own", () => {
  const readme = readFileSync(new URL("../../src/config/README.md", import.meta.url), "utf8");
  expect(readme).toContain(settingsTable());
});

test("the table says of each setting that names a file or a secret that it does, and the main README leads to it", () => {
  const rows = [...settingsTable().matchAll(/^\| `([A-Z_]+)`(?: \(([a-z ]+)\))? \| [^|]+ \| ([^|]+)/gm)];
  expect(rows.length).toBeGreaterThan(40);
  const named = rows.filter(([, , , sentence]) => /^(File|Folder) /.test(sentence!));
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter(([, , kind]) => kind === undefined).map(([, name]) => name)).toEqual([]);
  const secrets = rows.filter(([, , , sentence]) =>
    /^File with .*(password|secret|token|private key|root keyset)/i.test(sentence!),
  );
  expect(secrets.filter(([, , kind]) => kind !== "secret file").map(([, name]) => name)).toEqual([]);
  const main = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  expect(main).toContain("](src/config/README.md)");
});
