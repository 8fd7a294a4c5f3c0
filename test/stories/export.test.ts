import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { offlineKeys } from "../../src/security/offline-key.ts";
import { auditKey, grantKey } from "../../src/store/keys.ts";
import { importing, usedTwice } from "../kit/importing.ts";
import { manyGrants } from "../kit/many-grants.ts";
import { BY_TEST } from "../kit/put-records.ts";
import { runCli } from "../kit/run-cli.ts";
import { world } from "../kit/world.ts";

test("authorizations leave only sealed to an offline key, when two operators want it, are used here no more, and can come back", async () => {
  const here = await world();
  const kit = await importing(here);
  await manyGrants(here, 3);
  const folder = await mkdtemp(join(tmpdir(), "export-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const at = (name: string) => join(folder, name);
  const cli = (operator: string, ...args: string[]) =>
    runCli(
      {
        offlineKeys,
        explain: (error) => (error as Error).stack,
        withBroker: (use) =>
          use({
            ...here.broker,
            store: here.broker.configuration,
            note: { ...BY_TEST, actor: `cli:${operator}` },
          } as never),
      },
      ["export", ...args],
    );
  const server = ["--server", kit.path];

  const made = await cli("anna", "create-key", at("offline.jwk"));
  expect((await stat(at("offline.jwk"))).mode & 0o777).toBe(0o600);
  expect(made.out).not.toContain('"d"');
  const publicFile = await kit.file(made.out);
  const reason = ["--reason", "moves to another product"];
  const asked = await cli("anna", "request", ...server, "--key", publicFile, ...reason, "--json");
  const { id, thumbprint } = JSON.parse(asked.out) as { id: string; thumbprint: string };

  const refused = [
    await cli("anna", "write", id, ...server, "--out", at("early")),
    await cli("anna", "confirm", id, ...server, "--thumbprint", thumbprint),
    await cli("bert", "confirm", id, ...server, "--thumbprint", "another"),
  ];
  expect(refused.map(({ code, err }) => [code, err])).toEqual([
    [1, expect.stringContaining(`Nobody has confirmed ${id} yet.`)],
    [1, expect.stringContaining("Another operator confirms it.")],
    [1, expect.stringContaining("Nothing is confirmed.")],
  ]);
  const [of] = await here.broker.grantStore.listGrants(here.organisation as never, undefined, 1);
  const { exports } = here.broker;
  expect(await exports.exports.take(here.server, id, of!.id, BY_TEST)).toBe("not_confirmed");
  expect((await kit.token("user.1")).status).toBe(200);

  expect((await cli("bert", "confirm", id, ...server, "--thumbprint", thumbprint)).code).toBe(0);
  // Of what a request is out, the answer may have made the token void.
  const { connection } = here.broker.stores.fast;
  await connection.hset(grantKey(of!.id), "intent", "sent");
  expect(await exports.exports.take(here.server, id, of!.id, BY_TEST)).toBe("under_way");
  await connection.hdel(grantKey(of!.id), "intent");
  expect((await cli("anna", "write", id, ...server, "--out", at("one"))).out).toContain(
    "3 authorizations are written",
  );
  // Killed in the middle: the same again, into another file.
  await cli("anna", "write", id, ...server, "--out", at("two"));
  for (const file of ["one", "two"]) {
    const text = await readFile(at(file), "utf8");
    expect(text.trim().split("\n")).toHaveLength(3);
    expect(text).not.toContain("sim_rt_");
  }
  expect(await kit.token("user.1")).toMatchObject({ status: 503, body: { code: "grant_paused" } });

  const other = await cli("eve", "create-key", at("other.jwk"));
  expect(other.code).toBe(0);
  const wrong = await cli("eve", "open", at("two"), "--key", at("other.jwk"), "--out", at("stolen"));
  expect(wrong).toMatchObject({ code: 1, err: expect.stringContaining("was not sealed to this key") });
  const opened = await cli("anna", "open", at("two"), "--key", at("offline.jwk"), "--out", at("clear"));
  expect(opened.out).toContain("3 refresh tokens");

  // And back: what was handed over is known by its token.
  const back = await readFile(at("clear"), "utf8");
  const taken = await kit.from("open", back, "--issued-to", "token-broker", "--yes", "--over", "0");
  expect(taken.out).toContain("3 authorizations are refreshed here");
  await kit.work();
  expect(await kit.status()).toMatchObject({ verified: 3, held: 0 });
  expect((await kit.token("user.1")).status).toBe(200);
  expect(usedTwice(here)).toBe(0);

  const told = JSON.stringify(
    await here.broker.stores.fast.connection.xrange(auditKey(here.organisation as never), "-", "+"),
  );
  for (const action of ["export.requested", "export.confirmed", "grant.exported"])
    expect(told).toContain(action);
  expect(told).toContain("moves to another product");
});
