import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import {
  type ApplyPorts,
  applyConfiguration,
} from "../../../src/broker/organisations/apply-configuration.ts";
import { readDesiredConfiguration } from "../../../src/broker/organisations/desired-configuration.ts";
import { changesNothing } from "../../../src/broker/organisations/plan.ts";
import { tellExpiringClientSecrets } from "../../../src/broker/organisations/tell-expiring-secrets.ts";
import { days, minutes } from "../../../src/domain/instant.ts";
import { Secret } from "../../../src/domain/secret.ts";
import { CountedRandom } from "../../fakes/counted-random.ts";
import { MemoryClientSecrets } from "../../fakes/memory-client-secrets.ts";
import { MemoryConfigurationStore } from "../../fakes/memory-configuration-store.ts";
import { MemorySealer } from "../../fakes/memory-sealer.ts";
import { BY_TEST } from "../../kit/put-records.ts";

const NOW = Date.UTC(2026, 10, 22);
const rules = { loopbackOrigins: ["http://127.0.0.1:9"], loopbackReturnUrls: false };
const jwkOf = (pair: { readonly publicKey: KeyObject }, kid?: string): Record<string, unknown> => ({
  ...pair.publicKey.export({ format: "jwk" }),
  ...(kid !== undefined && { kid }),
});
const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" });
const another = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ed25519 = generateKeyPairSync("ed25519");
const rsa = generateKeyPairSync("rsa", { modulusLength: 2_048 });
const shortRsa = generateKeyPairSync("rsa", { modulusLength: 1_024 });
const privateJwk = p256.privateKey.export({ format: "jwk" });

let files: Record<string, unknown>;
let ports: ApplyPorts & { store: MemoryConfigurationStore };

beforeEach(() => {
  files = { "keys.json": { keys: [jwkOf(p256, "one")] } };
  ports = {
    store: new MemoryConfigurationStore(),
    sealer: new MemorySealer(),
    clientSecrets: new MemoryClientSecrets(),
    random: new CountedRandom(),
    clock: { now: () => NOW, monotonicMs: () => NOW },
    secretSource: { read: async () => new Secret("imb_sk_given") },
  };
});

const read = (client: Record<string, unknown>) =>
  readDesiredConfiguration({ version: 1, clients: [{ name: "tracker", ...client }] }, rules, {
    json: (name) =>
      name in files ? { document: files[name] } : { fault: `names ${name}, which is not there` },
  });

const faultsOf = (client: Record<string, unknown>): readonly string[] => {
  const reading = read(client);
  return reading.ok ? [] : reading.faults.map(({ path, message }) => `${path.join(".")} ${message}`);
};

async function apply(client: Record<string, unknown>) {
  const reading = read(client);
  if (!reading.ok) throw new Error(JSON.stringify(reading.faults));
  return applyConfiguration(ports, reading.desired, { dryRun: false, note: BY_TEST });
}
const stored = async () => (await ports.store.findClientByName("tracker"))!;

describe("keys in a file", () => {
  test("are taken, with the algorithms that they can do, and such a client needs no secret", async () => {
    const { newClientSecrets, plan } = await apply({ keys: { jwks_file: "keys.json" } });
    const { kid, kty, crv, x, y } = { ...jwkOf(p256), kid: "one" } as never;
    expect(await stored()).toMatchObject({
      secrets: [],
      keys: { source: { jwks: [{ kid, kty, crv, x, y }] }, algorithms: ["ES256"] },
    });
    expect(newClientSecrets).toEqual([]);
    expect(plan.steps[0]?.changes.find(({ field }) => field === "secret")?.to).toBe("none: it has keys");
  });

  test("twice change nothing; other keys, none, or keys again each void the broker tokens of before", async () => {
    await apply({ keys: { jwks_file: "keys.json" } });
    expect(changesNothing((await apply({ keys: { jwks_file: "keys.json" } })).plan)).toBe(true);
    expect(changesNothing((await apply({})).plan)).toBe(true);
    expect((await stored()).generation).toBe(1);

    files["keys.json"] = { keys: [jwkOf(another, "one")] };
    await apply({ keys: { jwks_file: "keys.json" } });
    expect((await stored()).generation).toBe(2);
    const { plan } = await apply({ keys: "none" });
    expect(await stored()).not.toHaveProperty("keys");
    expect((await stored()).generation).toBe(3);
    expect(plan.steps[0]?.changes).toMatchObject([{ field: "keys", to: "none" }]);
    await apply({ keys: { jwks_uri: "https://tracker.example.com/jwks.json" } });
    expect(await stored()).toMatchObject({
      generation: 4,
      keys: { source: { jwksUri: "https://tracker.example.com/jwks.json" } },
    });
  });

  test.each<[string, unknown, string]>([
    [
      "a private key",
      { keys: [privateJwk] },
      "jwks_file holds a private key, which nobody but its owner may have",
    ],
    ["a key both sides know", { keys: [{ kty: "oct", k: "c2VjcmV0" }] }, "jwks_file holds a private key"],
    ["a short RSA key", { keys: [jwkOf(shortRsa)] }, "jwks_file is an RSA key of 1024 bits; it needs 2048"],
    [
      "one bad key of two",
      { keys: [jwkOf(p256), { kty: "EC" }] },
      "jwks_file (key 2) is on a curve that is not",
    ],
    [
      "two of one name",
      { keys: [jwkOf(p256, "a"), jwkOf(ed25519, "a")] },
      "jwks_file holds two keys of one `kid`",
    ],
    ["a key to encrypt with", { ...jwkOf(p256), use: "enc" }, "jwks_file is meant for something else"],
    [
      "an unknown algorithm",
      { ...jwkOf(rsa), alg: "HS256" },
      "jwks_file has an `alg` that it cannot sign with",
    ],
    ["no keys", { keys: [] }, "jwks_file holds no key"],
    ["something else", ["x"], "jwks_file holds no JWK set"],
  ])("%s is refused in a sentence that quotes nothing", (_, document, sentence) => {
    files["keys.json"] = document;
    const faults = faultsOf({ keys: { jwks_file: "keys.json" } });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(`clients.0.keys.${sentence}`);
    expect(faults[0]).not.toContain(privateJwk.d);
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["a file that is not there", { jwks_file: "no.json" }, "jwks_file names no.json, which is not there"],
    [
      "two sources",
      { jwks_file: "keys.json", jwks_uri: "https://a.example/j" },
      "jwks_file must stand alone",
    ],
    ["http", { jwks_uri: "http://a.example/j" }, "jwks_uri must begin with https://"],
    ["loopback", { jwks_uri: "https://127.0.0.1/j" }, "jwks_uri is on this machine, which is allowed only"],
    [
      "a port that is not asked",
      { jwks_uri: "https://a.example:6379/j" },
      "jwks_uri must be on port 443 or 8443",
    ],
    ["a password in it", { jwks_uri: "https://u:p@a.example/j" }, "jwks_uri must hold no user name"],
    [
      "an algorithm that nobody offers",
      { jwks_file: "keys.json", algorithms: ["HS256"] },
      "algorithms.0 must be",
    ],
    [
      "one the keys cannot do",
      { jwks_file: "keys.json", algorithms: ["RS256"] },
      "jwks_file (key 1) signs with none",
    ],
    ["a misspelt field", { jwks_uris: "https://a.example/j" }, "jwks_uris is not a field here"],
  ])("%s is refused at its field", (_, keys, sentence) => {
    expect(faultsOf({ keys })).toContainEqual(expect.stringContaining(`clients.0.keys.${sentence}`));
  });

  test("may be on loopback where the settings allow the origin", () => {
    expect(faultsOf({ keys: { jwks_uri: "http://127.0.0.1:9/jwks.json" } })).toEqual([]);
  });
});

describe("token_encryption in a file", () => {
  test("takes one public key that fits its algorithm, and its change voids broker tokens", async () => {
    await apply({});
    files["enc.json"] = jwkOf(rsa);
    await apply({ token_encryption: { jwk_file: "enc.json", alg: "RSA-OAEP-256" } });
    expect(await stored()).toMatchObject({
      generation: 2,
      tokenEncryption: { alg: "RSA-OAEP-256", enc: "A256GCM", key: { kty: "RSA" } },
    });
  });

  test.each<[string, unknown, string, string]>([
    [
      "an elliptic key",
      jwkOf(p256),
      "RSA-OAEP-256",
      "jwk_file holds a key of kind EC, which RSA-OAEP-256 cannot use",
    ],
    ["a private key", privateJwk, "ECDH-ES", "jwk_file holds a private key"],
    ["a key to sign with", jwkOf(ed25519), "ECDH-ES", "jwk_file is on a curve that is not taken: X25519"],
  ])("refuses %s", (_, document, alg, sentence) => {
    files["enc.json"] = document;
    expect(faultsOf({ token_encryption: { jwk_file: "enc.json", alg } })[0]).toContain(
      `clients.0.token_encryption.${sentence}`,
    );
  });
});

describe("secret_expires in a file", () => {
  test("is the end of the newest secret, and to change it voids nothing", async () => {
    const secret = { secret_file: "tracker.secret" };
    await apply({ ...secret, secret_expires: "2027-01-01" });
    expect((await stored()).secrets).toMatchObject([{ expiresAt: Date.UTC(2027, 0, 1) }]);
    await apply({ ...secret, secret_expires: "2027-06-30" });
    expect(await stored()).toMatchObject({ generation: 1, secrets: [{ expiresAt: Date.UTC(2027, 5, 30) }] });
    expect(changesNothing((await apply(secret)).plan)).toBe(true);
    await apply({ ...secret, secret_expires: "never" });
    expect((await stored()).secrets[0]?.expiresAt).toBeUndefined();
    expect(faultsOf({ secret_expires: "soon" })).toEqual([
      "clients.0.secret_expires must be never or a date like 2027-06-30",
    ]);
  });

  test("is told 30, 14, 7, 3 and 1 days before, once each", async () => {
    const ends = Date.UTC(2027, 0, 1);
    await apply({ secret_file: "tracker.secret", secret_expires: "2027-01-01" });
    const told: [string, number | undefined][] = [];
    const note = (level: string) => (fields: { count?: number }) => void told.push([level, fields.count]);
    const log = { warn: note("warn"), error: note("error") };
    for (let at = ends - days(31); at < ends; at += minutes(30)) {
      await tellExpiringClientSecrets({ log, store: ports.store }, at, minutes(30));
    }
    expect(told).toEqual([
      ["warn", 30],
      ["warn", 14],
      ["warn", 7],
      ["error", 3],
      ["error", 1],
    ]);
  });
});
