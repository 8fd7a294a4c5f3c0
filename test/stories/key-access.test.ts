import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { systemRandom } from "../../src/security/random.ts";
import { createRootKeyset } from "../../src/security/root-keyset.ts";
import { brokerProcess } from "../kit/broker-process.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { world } from "../kit/world.ts";

it("a process with another root keyset than the one that made what Redis holds does not start, and says which it needs", async () => {
  const here = await world({ redisUrl: (await ownRedisForThisTest()).url });
  await here.connect();
  const good = await brokerProcess(here);
  const { checks } = (await (await fetch(`${good.ops}/readyz`)).json()) as { checks: { check: string }[] };
  expect(checks).toContainEqual(expect.objectContaining({ check: "key-access", ok: true }));

  const other = join(dirname(here.environment.ROOT_KEYSET_FILE!), "other-keyset.json");
  await writeFile(other, createRootKeyset(systemRandom, Date.now()).reveal(), { mode: 0o600 });
  await expect(brokerProcess(here, "http", { ROOT_KEYSET_FILE: other })).rejects.toThrow(
    /Not started\.\n.*opens none of the data keys.*ROOT_KEYSET_FILE/,
  );
  expect((await fetch(`${good.ops}/readyz`)).status).toBe(200);
});
