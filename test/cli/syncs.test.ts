import { expect, test } from "vitest";
import type { SyncId } from "../../src/domain/id.ts";
import { runCli } from "../kit/run-cli.ts";
import { world } from "../kit/world.ts";

test("operators see how the syncs of an organisation stand, and steer them; what they do is audited", async () => {
  const here = await world();
  const { broker, organisation, server } = here;
  const made = await here.client.call<{ id: SyncId }>("POST", "/v1/syncs", { server, library: "ACTIVE" });
  const { id } = made.body;
  await broker.workerStories.runSync(id, new AbortController().signal);
  const { name } = (await broker.configuration.findOrganisation(organisation as never))!;

  const cli = (...args: string[]) =>
    runCli(
      {
        explain: () => undefined,
        withBroker: (use) =>
          use({
            store: broker.configuration,
            syncs: broker.operateSyncs,
            note: { actor: "cli:ops", requestId: "cli_1" },
          } as never),
      },
      ["syncs", ...args],
    );
  const row = async () => JSON.parse((await cli("show", id, "--json")).out) as Record<string, unknown>;

  // Nobody has lent the library.
  expect(await row()).toMatchObject({
    id,
    library: "ACTIVE",
    state: "parked",
    waits_for: "authorization_required",
    who_acts: "resource-owner",
    quota_bytes: 2 ** 31,
  });
  const listed = await cli("list", "--organisation", name);
  expect(listed.out).toContain(id);
  expect(listed.out).toMatch(/1 syncs\.\n$/);
  expect((await cli("list", "--organisation", "nobody")).err).toContain(
    "There is no organisation named nobody.",
  );

  expect((await cli("pause", id)).out).toBe("It is paused.\n");
  expect(await row()).toMatchObject({ state: "paused", next_run_at: null });
  expect(await cli("run", id)).toMatchObject({ code: 1, err: expect.stringContaining("resume it") });
  expect((await cli("reset", id)).code).toBe(0);
  expect((await cli("resume", id)).out).toBe("It goes on.\n");
  expect((await cli("run", id)).code).toBe(0);
  expect(await row()).toMatchObject({ state: "active" });
  expect(await cli("release", id, "--yes")).toMatchObject({
    code: 1,
    err: expect.stringContaining("No deletions of this sync are held."),
  });
  expect(await cli("show", "syn_nobody")).toMatchObject({
    code: 1,
    err: expect.stringContaining("is not the id of a sync"),
  });
  const other = id.slice(0, -3) + (id.endsWith("000") ? "111" : "000");
  expect(await cli("pause", other)).toMatchObject({
    code: 1,
    err: expect.stringContaining("There is nothing here"),
  });

  const { items } = (
    await here.client.call<{ items: { action: string; actor: string }[] }>(
      "GET",
      `/v1/audit?organisation=${organisation}&after=0`,
    )
  ).body;
  expect(items.filter(({ actor }) => actor === "cli:ops").map(({ action }) => action)).toEqual([
    "sync.paused",
    "sync.reset",
    "sync.resumed",
  ]);
});
