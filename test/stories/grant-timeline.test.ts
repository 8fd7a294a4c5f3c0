import { expect, it } from "vitest";
import { keepAudit } from "../../src/broker/audit/keep-audit.ts";
import { readTimeline } from "../../src/broker/grants/manage-grants.ts";
import { buildCli } from "../../src/cli/build-cli.ts";
import type { GrantId } from "../../src/domain/id.ts";
import { days, minutes } from "../../src/domain/instant.ts";
import type { PolicyRule } from "../../src/domain/policy.ts";
import { grantBindingsKey, grantKey, storyKey, timelineKey } from "../../src/store/keys.ts";
import { expireSoon } from "../kit/expire.ts";
import { firmWithOperators, signInOperator } from "../kit/operators.ts";
import { ruleOf } from "../kit/policies.ts";
import { AMELIA, type World } from "../kit/world.ts";

interface Line {
  readonly at: string;
  readonly kind: string;
  readonly what: string;
  readonly actor: string | null;
  readonly request_id: string | null;
  readonly broke: { readonly cause: string; readonly remedy: string; readonly action: string } | null;
}
interface Story {
  readonly state: string;
  readonly sentence: string;
  readonly broke: Line["broke"];
  readonly record: { readonly begins_at: string; readonly complete: boolean } | null;
  readonly items: readonly Line[];
}

const ask = (here: World) => ({ server: here.server, subject: { type: "user", id: AMELIA.subject } });
const storyOf = async (here: World, grant: string) =>
  (await here.client.call<Story>("GET", `/v1/grants/${grant}/timeline`)).body;
async function refreshed(here: World, grant: string) {
  await expireSoon(here, grant, -1);
  return here.client.accessToken(ask(here));
}
async function cli(here: World, ...args: string[]): Promise<string> {
  const out: string[] = [];
  const write = (text: string) => void out.push(text);
  const withBroker = (use: (by: object) => Promise<unknown>) => use({ grants: here.broker.grantStore });
  const program = buildCli({
    write,
    complain: write,
    setExitCode: () => {},
    explain: () => undefined,
    withBroker,
  } as never);
  await program.parseAsync(["node", "cli", "grants", "timeline", ...args]);
  return out.join("");
}

it("consent, refreshes, the end at iManage, another consent and its deletion read as one story: by API, by CLI and on the page, also when the grant is gone", async () => {
  const { here, provider } = await firmWithOperators();
  await here.connect();
  const { grant } = (await here.client.accessToken(ask(here))).body;
  for (let i = 0; i < 3; i++) {
    here.advance(minutes(2));
    expect((await refreshed(here, grant)).status).toBe(200);
  }
  expect(await storyOf(here, grant)).toMatchObject({
    state: "active",
    sentence: expect.stringMatching(/^It works: refreshed 3 times since it was authorized, last on /),
    broke: null,
    record: { complete: true },
    items: [
      {
        kind: "grant.authorized",
        actor: `client:${here.client.id}`,
        request_id: expect.stringMatching(/^req_/),
      },
    ],
  });

  here.simulator.endFamilies({ client_id: "token-broker", user: "amelia.hart" });
  for (let i = 0; i < 4; i++) {
    here.advance(minutes(2));
    await refreshed(here, grant);
  }
  const broken = await storyOf(here, grant);
  expect(broken.items.map(({ kind }) => kind)).toEqual([
    "grant.authorized",
    "grant.suspect",
    "grant.reauthorization_required",
  ]);
  expect(broken.items.at(-1)).toMatchObject({
    what: expect.stringContaining("It had been refreshed 3 times since it was authorized, last on "),
    actor: null,
    broke: {
      cause: "refused_by_imanage",
      remedy: "resource-owner",
      action: expect.stringContaining("connect session"),
    },
  });
  expect(broken).toMatchObject({ state: "reauthorization_required", broke: { cause: "refused_by_imanage" } });

  await here.connect();
  expect(await storyOf(here, grant)).toMatchObject({ state: "active", broke: null });
  expect((await here.client.call("DELETE", `/v1/grants/${grant}`)).status).toBe(204);
  const gone = await storyOf(here, grant);
  expect(gone).toMatchObject({
    state: "gone",
    record: { complete: true },
    broke: { cause: "ended_by_somebody" },
  });
  expect(gone.items.map(({ what, actor }) => [what, actor])).toEqual([
    ["The person authorized at iManage.", `client:${here.client.id}`],
    [expect.stringMatching(/^iManage refused the refresh token for the first time\./), null],
    [expect.stringMatching(/^It broke: iManage refused the refresh token again and again\./), null],
    ["The person authorized again at iManage, for the 2nd time.", `client:${here.client.id}`],
    ["It ended, and its tokens are revoked at iManage.", `client:${here.client.id}`],
  ]);
  // In the order in which it happened.
  const times = gone.items.map(({ at }) => at);
  expect(times).toEqual([...times].sort());

  const told = await cli(here, grant);
  expect(told).toContain(`${grant}\n  This authorization is over and gone; this is what is kept of it.\n`);
  for (const { at, what } of gone.items) expect(told).toContain(`${at}  ${what}`);
  expect(told).toContain("Who acts: resource-owner.");
  expect(JSON.parse(await cli(here, grant, "--json"))).toMatchObject({ grant, standing: { state: "gone" } });
  expect(await cli(here, "grt_nobody")).toContain("is no id of an authorization");

  const { browser } = await signInOperator(here, provider, "olga");
  const home = `${here.base}/operators/${here.organisation}/settings`;
  const audit = await browser.get(`${home}/audit?action=grant.authorized`);
  expect(audit.body).toContain(`href="/operators/${here.organisation}/settings/grants/${grant}"`);
  const page = await browser.get(`${home}/grants/${grant}`);
  expect(page.status).toBe(200);
  for (const { what } of gone.items) expect(page.body).toContain(what);
  expect(page.body).toContain("The person acts");
  expect(page.body).toContain("Application Matter tracker");
  expect(page.body).not.toContain("<script");
  expect((await browser.get(`${home}/grants/grt_nobody`)).status).toBe(404);

  // What is gone is told to nobody whom it was not told before, and others are not named.
  const other = async (rules: readonly PolicyRule[]) => {
    const policy = {
      v: 1,
      client: "cli_other",
      organisation: here.organisation,
      rules,
      tokensPerMinute: 1,
    } as never;
    const clients = {
      findPolicy: async () => ({ policy }),
      organisationsOf: async () => [here.organisation],
    };
    const { grantStore: grants, clock, configuration } = here.broker;
    const ports = { grants, clock, clients, organisations: configuration } as never;
    return readTimeline(ports, { client: "cli_other" } as never, grant as GrantId);
  };
  const seen = await other([ruleOf({ actions: ["status"] })]);
  expect(seen.lines.map(({ actor }) => actor)).toEqual(["client", undefined, undefined, "client", "client"]);
  for (const less of [{ users: [] }, { servers: [] }] as const)
    await expect(other([ruleOf({ actions: ["status"], ...less })])).rejects.toMatchObject({
      code: "not_found",
    });
  await expect(other([ruleOf({ actions: ["token"] })])).rejects.toMatchObject({ code: "not_allowed" });

  // Nothing else is kept of a grant that is gone, and that for as long as the audit.
  const store = here.broker.stores.fast;
  const keys = [grantKey(grant as GrantId), grantBindingsKey(grant as GrantId)];
  expect(await store.call((redis) => redis.exists(...keys))).toBe(0);
  here.advance(days(400));
  await keepAudit({ ...here.broker.audit, log: here.broker.log });
  expect((await here.client.call("GET", `/v1/grants/${grant}/timeline`)).status).toBe(404);
});

it("an outage of more than a minute is one line, with since when and why; while it lasts the story says who acts", async () => {
  const { here } = await firmWithOperators();
  await here.connect();
  const { grant } = (await here.client.accessToken(ask(here))).body;
  here.simulator.addFault({
    on: { route: "token", grant_type: "refresh_token" },
    times: 2,
    do: { answer: { status: 401, body: { error: "invalid_client" } } },
  });
  await refreshed(here, grant);
  expect(await storyOf(here, grant)).toMatchObject({
    state: "active",
    broke: { cause: "client_secret_refused", remedy: "operator" },
  });
  here.advance(minutes(3));
  await refreshed(here, grant);
  here.advance(minutes(3));
  expect((await refreshed(here, grant)).status).toBe(200);
  const story = await storyOf(here, grant);
  expect(story.broke).toBeNull();
  expect(story.items.map(({ kind }) => kind)).toEqual(["grant.authorized", "refresh.recovered"]);
  expect(story.items[1]!.what).toMatch(
    /^Refreshing works again; since .* UTC it had not\. iManage does not accept this application/,
  );
});

it("what was written of a grant until November 2026 is read in front of what came after; the newest two hundred or so stay", async () => {
  const { here } = await firmWithOperators();
  await here.connect();
  const { grant } = (await here.client.accessToken(ask(here))).body;
  const id = grant as GrantId;
  const { fast: store } = here.broker.stores;
  // The first entry is what a million grants have: it has to be small.
  expect(await store.call((redis) => redis.memory("USAGE", storyKey(id)))).toBeLessThan(260);

  const stream = [
    "at",
    "1",
    "kind",
    "grant.authorized",
    "detail",
    "",
    "actor",
    "client:x",
    "generation",
    "1",
  ];
  await store.call((redis) => redis.xadd(timelineKey(id), "*", ...stream));
  await here.connect();
  const both = await here.broker.grantStore.timeline(id);
  expect(both.map(({ kind, more }) => [kind, more.generation])).toEqual([
    ["grant.authorized", "1"],
    ["grant.authorized", undefined],
    ["grant.authorized", "2"],
  ]);
  expect(both[0]).toMatchObject({ at: 1, more: { actor: "client:x" } });

  // Of a grant from before, what is done to it alone: the entry of its end is the audit's.
  await store.call((redis) => redis.del(storyKey(id)));
  expect((await here.client.call("DELETE", `/v1/grants/${grant}`)).status).toBe(204);
  const kinds = (await here.broker.grantStore.timeline(id)).map(({ kind }) => kind);
  expect(kinds).toEqual(["grant.authorized", "grant.gone", "grant.revoked"]);
  here.advance(days(400));
  await keepAudit({ ...here.broker.audit, log: here.broker.log });
  expect(await store.call((redis) => redis.exists(storyKey(id), timelineKey(id)))).toBe(0);

  await here.connect();
  const next = (await here.client.accessToken(ask(here))).body.grant as GrantId;
  const filled = `${JSON.stringify(["2", "refresh.late", "y".repeat(150)])}\n`.repeat(240);
  await store.call((redis) => redis.set(storyKey(next), filled));
  await here.connect();
  const newest = await here.broker.grantStore.timeline(next);
  expect(newest.length).toBeGreaterThan(150);
  expect(newest.length).toBeLessThan(200);
  expect(newest.at(-1)?.kind).toBe("grant.authorized");
});
