import { describe, expect, it } from "vitest";
import { buildCli, type CliDeps } from "../../src/cli/build-cli.ts";
import { Problem } from "../../src/domain/problem.ts";
import { earsOfCli } from "../kit/run-cli.ts";
import { AMELIA, type World, world } from "../kit/world.ts";

interface Said {
  readonly out: string;
  readonly err: string;
  readonly code: number;
}

/** The commands on the broker of a world, as `main/cli.ts` puts them together. */
async function cli(here: World, args: readonly string[], answer = false): Promise<Said> {
  const { said, ears } = earsOfCli();
  const { broker } = here;
  const deps: Partial<CliDeps> = {
    ...ears,
    names: () => broker.settings,
    confirm: async (question) => {
      said.err += question;
      return answer;
    },
    withBroker: (use) =>
      use({
        store: broker.configuration,
        containment: broker.containment,
        note: { actor: "cli:test", requestId: "cli_test" },
      } as never),
    explain: (error) => (error instanceof Problem ? error.code : undefined),
  };
  await buildCli(deps as CliDeps).parseAsync([...args], { from: "user" });
  return said;
}

async function named(here: World) {
  const { broker } = here;
  const organisation = (await broker.configuration.findOrganisation(here.organisation as never))!.name;
  return { organisation, server: `${organisation}/dms`, client: `app-${organisation.slice(5)}` };
}

const status = async (here: World) =>
  (await here.client.accessToken({ server: here.server, subject: { type: "user", id: AMELIA.subject } }))
    .status;

describe("cli contain", () => {
  it("counts and asks before it stops; --dry-run only counts; --yes asks nothing", async () => {
    const here = await world();
    await here.connect();
    await status(here);
    const { server } = await named(here);
    const how = ["contain", "server", server, "--reason", "an incident"];

    const dry = await cli(here, [...how, "--dry-run"]);
    expect(dry.out).toContain(
      "1 authorizations, 1 applications, 1 users, 0 libraries. 1 tokens were handed out",
    );
    expect(dry.out).toContain("Only revoking ends them");
    const refused = await cli(here, how);
    expect(refused).toMatchObject({ code: 1, out: "" });
    expect(refused.err).toContain("Nothing was stopped. With --yes it is not asked.");
    expect(await status(here)).toBe(200);

    const asked = await cli(here, how, true);
    expect([asked.code, asked.out]).toEqual([
      0,
      expect.stringMatching(/^ctn_\S+: tokens are stopped for the server/),
    ]);
    expect(await status(here)).toBe(403);
    const id = asked.out.split(":")[0]!;
    expect((await cli(here, ["containments", "lift", id, "--reason", "over"])).out).toContain(
      "tokens flow again",
    );
    expect(await status(here)).toBe(200);
    const sure = await cli(here, [...how, "--yes", "--json"]);
    expect(JSON.parse(sure.out)).toMatchObject({ effect: "stop", by: "cli:test", reason: "an incident" });
    expect(await status(here)).toBe(403);
  });

  it("revokes at iManage with receipts, and prints who authorises again", async () => {
    const here = await world();
    await here.connect();
    const { client, organisation } = await named(here);
    const begun = await cli(here, ["contain", "client", client, "--revoke", "--yes", "--reason", "leaked"]);
    const id = begun.out.split(":")[0]!;
    expect(await status(here)).toBe(401);
    await here.broker.containmentWork.settled();
    await here.broker.revoker.settled();
    const shown = (await cli(here, ["containments", "show", id])).out;
    expect(shown).toContain("finished: true");
    expect(shown).toContain("revoked: 2");
    expect((await cli(here, ["containments", "receipts", id])).out.trim().split("\n")).toHaveLength(2);
    expect((await cli(here, ["containments", "reauthorizations", id])).out).toContain(
      `\r\nneeded,${here.server},amelia.hart,user,`,
    );
    // Once for the client everywhere, once in the organisation.
    expect((await cli(here, ["containments", "list", "--organisation", organisation])).out).toContain(
      "leaked",
    );
    expect((await cli(here, ["containments", "list"])).out).toContain(id);
    await cli(here, ["containments", "lift", id, "--reason", "over"]);
    expect(await status(here)).toBe(409);
  });

  it("says in a sentence what it cannot make out", async () => {
    const here = await world();
    const { organisation } = await named(here);
    const rows: [string[], string][] = [
      [["contain", "planet", "earth"], "Nothing of kind planet can be contained"],
      [["contain", "server", "nowhere/dms"], "There is no server nowhere/dms"],
      [["contain", "client", "nobody"], "There is no client named nobody."],
      [["contain", "library", "ACTIVE"], "Say at which server"],
      [["contain", "grant", "12"], "is not the id of an authorization"],
      [["contain", "tokens", "--organisation", organisation], "Say from when"],
      [["contain", "tokens", "--organisation", organisation, "--from", "noon"], "noon is no moment"],
    ];
    for (const [args, sentence] of rows) {
      const said = await cli(here, [...args, "--reason", "x", "--yes"]);
      expect([said.code, said.err], args.join(" ")).toEqual([1, expect.stringContaining(sentence)]);
    }
    expect((await cli(here, ["containments", "show", "ctn_none"])).err).toContain("There is no containment");
  });
});
