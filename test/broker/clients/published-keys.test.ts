import { generateKeyPairSync } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import { PublishedKeys } from "../../../src/broker/clients/published-keys.ts";
import type { ClientId } from "../../../src/domain/id.ts";
import { hours, minutes, seconds } from "../../../src/domain/instant.ts";

const CLIENT = "cli_0000000000000000000000000a" as ClientId;
const URI = "https://app.example.com/jwks.json";
const pair = generateKeyPairSync("ed25519");
const key = (kid: string) => ({ ...pair.publicKey.export({ format: "jwk" }), kid });

let now: number;
let read: string[];
let answer: { document: unknown } | { away: string };
let held: (() => void)[] | undefined;
let warned: string[];
let keys: PublishedKeys;

beforeEach(() => {
  now = 1_000_000;
  read = [];
  answer = { document: { keys: [key("one")] } };
  held = undefined;
  warned = [];
  keys = new PublishedKeys({
    clock: { now: () => now, monotonicMs: () => now },
    log: { warn: ({ outcome = "" }) => void warned.push(outcome) },
    documents: {
      async read(url) {
        read.push(url);
        const given = answer;
        if (held !== undefined) await new Promise<void>((resolve) => held?.push(resolve));
        return given;
      },
    },
  });
});

const kids = async (kid?: string) => (await keys.find({ client: CLIENT }, URI, kid))?.map((one) => one.kid);

describe("keys that a client publishes", () => {
  test("are read once for ten minutes, and by one for all who wait", async () => {
    held = [];
    const all = Promise.all([kids("one"), kids("one"), kids()]);
    for (const go of held) go();
    expect(await all).toEqual([["one"], ["one"], ["one"]]);
    held = undefined;
    now += minutes(10) - 1;
    expect(await kids("one")).toEqual(["one"]);
    expect(read).toEqual([URI]);
    now += 1;
    answer = { document: { keys: [key("two")] } };
    expect(await kids("one")).toEqual(["two"]);
    expect(read).toHaveLength(2);
  });

  test("are read for a name that is not among them, once a minute however many are invented", async () => {
    await kids("one");
    now += minutes(1);
    for (let i = 0; i < 1_000; i++) expect(await kids(`invented-${i}`)).toEqual(["one"]);
    expect(read).toHaveLength(2);
    answer = { document: { keys: [key("one"), key("two")] } };
    now += minutes(1);
    expect(await kids("two")).toEqual(["one", "two"]);
  });

  test("a name that is new is found by everybody who asks while they are being read", async () => {
    await kids("one");
    now += minutes(1);
    answer = { document: { keys: [key("two")] } };
    held = [];
    const all = Promise.all([kids("two"), kids("two"), kids("one"), kids("two")]);
    for (const go of held) go();
    expect(await all).toEqual([["two"], ["two"], ["one"], ["two"]]);
    expect(read).toHaveLength(2);
  });

  test("count for a day while their address is away, asked once a minute, and no longer", async () => {
    await kids("one");
    answer = { away: "connection_refused" };
    now += minutes(10);
    for (let i = 0; i < 100; i++) expect(await kids("one")).toEqual(["one"]);
    expect(read).toHaveLength(2);
    expect(warned).toEqual(["connection_refused"]);
    now = 1_000_000 + hours(24) - 1;
    expect(await kids("one")).toEqual(["one"]);
    now += 1;
    expect(await kids("one")).toBeUndefined();
    answer = { document: { keys: [key("one")] } };
    now += minutes(1);
    expect(await kids("one")).toEqual(["one"]);
  });

  test("that were never read are not there, and are asked for again after a minute", async () => {
    answer = { away: "dns" };
    expect(await kids("one")).toBeUndefined();
    now += seconds(59);
    expect(await kids("one")).toBeUndefined();
    expect(read).toHaveLength(1);
    answer = { document: { keys: [key("one")] } };
    now += seconds(1);
    expect(await kids("one")).toEqual(["one"]);
  });

  test("of no use to us are passed over, a private one above all", async () => {
    const privateKey = { ...pair.privateKey.export({ format: "jwk" }), kid: "private" };
    answer = {
      document: { keys: [{ kty: "RSA" }, privateKey, { ...key("enc"), use: "enc" }, 7, key("one")] },
    };
    expect(await kids("one")).toEqual(["one"]);
    answer = { document: ["no set"] };
    now += minutes(10);
    expect(await kids("one")).toEqual(["one"]);
    expect(warned).toEqual(["no_jwk_set"]);
  });
});
