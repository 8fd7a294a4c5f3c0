import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { applyConfiguration } from "../../src/broker/organisations/apply-configuration.ts";
import { readConfigurationFile } from "../../src/cli/configuration-file.ts";
import { fileReaders, secretSource } from "../../src/cli/files.ts";
import { claimsOf, giveKeys, postAssertion, sign, signingPair } from "../kit/assertions.ts";
import { BY_TEST } from "../kit/put-records.ts";
import { world } from "../kit/world.ts";

const rules = { loopbackOrigins: [], loopbackReturnUrls: true };

describe("a client of a file with keys", () => {
  it("has no secret, proves itself by them, and no longer once the file takes them away, broker tokens included", async () => {
    const here = await world();
    const folder = await mkdtemp(join(tmpdir(), "client-keys-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const pair = await signingPair("Ed25519");
    await writeFile(join(folder, "jwks.json"), JSON.stringify({ keys: [pair.jwk] }));
    const name = `keyed-${here.organisation.slice(4)}`;
    const file = join(folder, "firm.yaml");
    const apply = async (keys: string) => {
      const reading = readConfigurationFile(
        `version: 1\nclients:\n  - name: ${name}\n    keys: ${keys}\n`,
        rules,
        fileReaders(file, () => ({ fault: "has none" })),
      );
      if (!reading.ok) throw new Error(JSON.stringify(reading.faults));
      const source = secretSource(file, () => undefined);
      return applyConfiguration({ ...here.broker.changePorts, secretSource: source }, reading.desired, {
        dryRun: false,
        note: BY_TEST,
      });
    };

    const { newClientSecrets, records } = await apply("{jwks_file: jwks.json}");
    expect(newClientSecrets).toEqual([]);
    const of = { ...here, credentials: { id: records.clients[name]!, secret: "" } };
    const { status, body } = await postAssertion(here.base, await sign(claimsOf(of), pair));
    expect(status).toBe(200);
    const look = () =>
      fetch(`${here.base}/v1/organisations`, { headers: { authorization: `Bearer ${body.access_token}` } });
    expect((await look()).status).toBe(200);

    await apply("none");
    expect((await look()).status).toBe(401);
    expect((await postAssertion(here.base, await sign(claimsOf(of), pair))).status).toBe(401);
    expect(here.lines.join("")).toContain("assertion_no_keys_registered");
  });
});

describe("an assertion", () => {
  it("is checked by no algorithm but those of its client, whichever keys there are (T31)", async () => {
    const here = await world();
    const [elliptic, rsa] = [await signingPair("ES256", "ec"), await signingPair("RS256", "rsa")];
    await giveKeys(here, { jwks: [elliptic.jwk, rsa.jwk] }, ["ES256", "PS256"]);
    const statusOf = async (pair: typeof rsa) =>
      (await postAssertion(here.base, await sign(claimsOf(here), pair))).status;
    expect([await statusOf(elliptic), await statusOf(rsa)]).toEqual([200, 401]);
    expect(here.lines.join("")).toContain("assertion_algorithm_not_registered");
  });

  it("without a kid is tried with each key of its kind, as while one takes the place of another", async () => {
    const here = await world();
    const [one, two, stranger] = await Promise.all(["a", "b", "c"].map((kid) => signingPair("ES256", kid)));
    await giveKeys(here, { jwks: [one!.jwk, two!.jwk] });
    const statusOf = async (pair: typeof one) =>
      (await postAssertion(here.base, await sign(claimsOf(here), pair!, { kid: undefined }))).status;
    expect([await statusOf(one), await statusOf(two), await statusOf(stranger)]).toEqual([200, 200, 401]);
  });

  it("goes with no other proof, and with no other client's id", async () => {
    const here = await world();
    const pair = await signingPair();
    await giveKeys(here, { jwks: [pair.jwk] });
    const { id, secret } = here.credentials;
    const post = async (more: Record<string, string>, headers = {}) => {
      const { status, body } = await postAssertion(
        here.base,
        await sign(claimsOf(here), pair),
        more,
        headers,
      );
      return [status, body.error];
    };
    const basic = `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`;
    expect(await post({}, { authorization: basic })).toEqual([400, "invalid_request"]);
    expect(await post({ client_id: id, client_secret: secret })).toEqual([400, "invalid_request"]);
    expect(await post({ client_id: id })).toEqual([200, undefined]);
    expect(await post({ client_id: "cli_somebody_else" })).toEqual([401, "invalid_client"]);
    expect(
      await post({ client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:saml2-bearer" }),
    ).toEqual([401, "invalid_client"]);
  });
});
